"""The S3 target against a real implementation of S3, and against servers that go wrong."""

import builtins
import json
import re
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme

from agent.errors import (
    AgentError,
    CaptureRejected,
    ConfigurationError,
    TargetBlocked,
    TargetUnavailable,
)
from agent.upload.http.options import HttpOptions
from agent.upload.response import Response
from agent.upload.targets.registry import S3_EXTRA
from agent.upload.targets.s3 import S3Target
from agent.upload.targets.s3_responses import explain_response
from tests.fakes.captures import classified, stored_capture, with_clip
from tests.fakes.clock import ManualClock
from tests.upload import faulty_server as faults
from tests.upload.faulty_server import FaultyServer
from tests.upload.s3_store import ENVIRONMENT, LOST, Fault, S3Store
from tests.upload.short_limits import require_limit

PLACE = "captures/yard/test/2026-05-28"


@pytest.fixture(scope="module")
def running() -> Iterator[S3Store]:
    with S3Store() as store:
        yield store


@pytest.fixture
def store(running: S3Store, monkeypatch: pytest.MonkeyPatch) -> S3Store:
    for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": running.endpoint}.items():
        monkeypatch.setenv(name, value)
    running.failure = None
    running.faults.clear()
    for key in running.stored():
        running.delete(key)
    running.requests.clear()
    return running


def target_of(url: str, **network: Any) -> S3Target:
    return S3Target(url, clock=ManualClock(), network=HttpOptions(**{"timeout": 60.0, **network}))


def test_a_clip_is_an_object_of_its_own_that_is_there_before_the_record(store: S3Store) -> None:
    sent = with_clip(1, b"\xff\xd8 one \xff\xd9", b"\xff\xd8 two \xff\xd9")
    receipt = target_of(store.url).send(sent)

    name = f"{PLACE}/{sent.id}"
    assert receipt.clip_sha256 == sent.clip_sha256
    assert store.read(f"{name}.mjpeg") == sent.clip
    assert set(store.stored()) == {f"{name}.jpg", f"{name}.mjpeg", f"{name}.json"}
    store.delete(f"{name}.json")  # the power failed before the commit mark
    assert target_of(store.url).send(sent).duplicate is False

    other = replace(sent, clip=b"\xff\xd8 other \xff\xd9")
    with pytest.raises(CaptureRejected, match="another clip has this id"):
        target_of(store.url).send(other)


def test_image_and_record_arrive_under_device_and_day(store: S3Store) -> None:
    sent = stored_capture(1)
    receipt = target_of(store.url).send(sent)

    key = f"{PLACE}/{sent.id}"
    assert (receipt.id, receipt.sha256, receipt.duplicate) == (sent.id, sent.image_sha256, False)
    assert store.stored() == [f"{key}.jpg", f"{key}.json"]
    assert store.read(f"{key}.jpg") == sent.image
    assert store.read(f"{key}.json") == sent.record_json
    assert store.media_type(f"{key}.jpg") == "image/jpeg"
    assert store.media_type(f"{key}.json") == "application/json"


def test_a_classifiers_record_arrives_whole(store: S3Store) -> None:
    sent = classified(1, ("cat", 0.6), ("dog", 0.4))
    target_of(store.url).send(sent)

    arrived = json.loads(store.read(f"{PLACE}/{sent.id}.json"))
    assert [(each["label"], each["confidence"]) for each in arrived["classes"]] == [
        ("cat", 0.6),
        ("dog", 0.4),
    ]
    assert "detections" not in arrived


def test_the_record_comes_last(store: S3Store) -> None:
    """A reader of the bucket takes a record as the sign that its image is there."""
    target_of(store.url).send(stored_capture(1))

    assert [request.rpartition(".")[2] for request in store.requests] == ["jpg", "json"]


@pytest.mark.parametrize(
    ("device", "segment"),
    [("pi 7/ü", "pi_7__"), ("..", "_"), (".hidden", "hidden"), ("", "_"), ("a%2Fb?", "a_2Fb_")],
)
def test_any_device_name_becomes_one_segment(store: S3Store, device: str, segment: str) -> None:
    target_of(f"s3://{store.bucket}").send(stored_capture(1, device=device))

    assert all(key.split("/")[:2] == [segment, "2026-05-28"] for key in store.stored())


def test_a_record_without_a_date_has_its_place(store: S3Store) -> None:
    target_of(f"s3://{store.bucket}").send(stored_capture(1, captured_at="../../x"))

    assert all(key.startswith("test/undated/") for key in store.stored())


@pytest.mark.parametrize("faults_before", [[LOST], [None, LOST]])
def test_after_a_lost_answer_nothing_is_stored_twice(
    store: S3Store, faults_before: list[Fault | None]
) -> None:
    """Lost after the image, and lost after the record."""
    target = target_of(store.url)
    store.faults.extend(faults_before)
    with pytest.raises(TargetUnavailable):
        target.send(stored_capture(1))

    assert target.send(stored_capture(1)).duplicate is (len(faults_before) == 2)
    assert target.send(stored_capture(1)).duplicate is True
    assert len(store.stored()) == 2


def test_other_bytes_under_the_same_key_are_never_overwritten(store: S3Store) -> None:
    sent = stored_capture(1)
    store.write(f"{PLACE}/{sent.id}.jpg", b"another image")
    with pytest.raises(CaptureRejected, match="another image"):
        target_of(store.url).send(sent)

    assert store.read(f"{PLACE}/{sent.id}.jpg") == b"another image"


@pytest.mark.parametrize(
    "record", [b"no json", b"{}", b"[]", json.dumps({"image": {"sha256": "0"}}).encode()]
)
def test_another_record_under_the_same_key_is_rejected(store: S3Store, record: bytes) -> None:
    sent = stored_capture(1)
    store.write(f"{PLACE}/{sent.id}.json", record)
    with pytest.raises(CaptureRejected, match="another record"):
        target_of(store.url).send(sent)


def test_an_object_that_is_larger_than_ours_is_not_read(store: S3Store) -> None:
    """It would be the same capture, were it not for its size: memory is not the store's to fill."""
    sent = stored_capture(1)
    store.write(f"{PLACE}/{sent.id}.json", sent.record_json + b" " * 1_000_000)
    with pytest.raises(CaptureRejected, match="another record"):
        target_of(store.url).send(sent)


def test_a_record_whose_weight_has_changed_since_is_the_same_capture(store: S3Store) -> None:
    target = target_of(store.url)
    target.send(stored_capture(1, sampling={"weight": 1.0}))

    assert target.send(stored_capture(1, sampling={"weight": 2.0})).duplicate is True


@pytest.mark.parametrize(
    ("fault", "error", "says"),
    [
        (("403 Forbidden", "AccessDenied"), TargetBlocked, "s3:PutObject"),
        (("403 Forbidden", "InvalidAccessKeyId"), TargetBlocked, "AWS_ACCESS_KEY_ID"),
        (("403 Forbidden", "SignatureDoesNotMatch"), TargetBlocked, "AWS_SECRET_ACCESS_KEY"),
        (("403 Forbidden", "RequestTimeTooSkewed"), TargetBlocked, "set the clock"),
        (("403 Forbidden", ""), TargetBlocked, "answers 403; check"),
        (("400 Bad Request", "ExpiredToken"), TargetBlocked, "AWS_SESSION_TOKEN"),
        (("400 Bad Request", "AuthorizationHeaderMalformed"), TargetBlocked, "AWS_REGION"),
        (("301 Moved Permanently", "PermanentRedirect"), TargetBlocked, "AWS_REGION"),
        (("404 Not Found", "NoSuchKey"), TargetUnavailable, "NoSuchKey"),
        (("401 Unauthorized", "Other"), TargetBlocked, "answers 401 Other; check"),
        (("404 Not Found", "NoSuchBucket"), TargetBlocked, "no such bucket"),
        (("405 Method Not Allowed", "MethodNotAllowed"), TargetBlocked, "check AGENT_UPLOAD_URL"),
        (("409 Conflict", "ConditionalRequestConflict"), TargetUnavailable, "409"),
        (("413 Too Large", "EntityTooLarge"), CaptureRejected, "EntityTooLarge"),
        (("429 Too Many", "TooManyRequests"), TargetUnavailable, "429"),
        (("500 Oops", "InternalError"), TargetUnavailable, "500 InternalError"),
        (("501 Not Implemented", "NotImplemented"), TargetBlocked, "If-None-Match"),
        (("503 Slow Down", "SlowDown"), TargetUnavailable, "SlowDown"),
        (("507 Full", "XMinioStorageFull"), TargetUnavailable, "XMinioStorageFull"),
        (LOST, TargetUnavailable, "connection broke|500"),
        (("403 Forbidden", "AuthorizationQueryParametersError"), TargetBlocked, "AWS_REGION"),
    ],
)
def test_each_answer_has_its_meaning(
    store: S3Store, fault: Fault, error: type[AgentError], says: str
) -> None:
    store.faults.append(fault)
    target = target_of(store.url)
    with pytest.raises(error, match=says) as caught:
        target.send(stored_capture(1))

    assert "s3cret" not in str(caught.value)
    assert "AKIATESTONLY" not in str(caught.value)
    assert len(store.requests) == 1, "the pace decides when to try again, nobody else"
    assert target.send(stored_capture(1)).id == stored_capture(1).id, "and it passes later"


def test_a_missing_bucket_holds(store: S3Store) -> None:
    with pytest.raises(TargetBlocked, match="no such bucket"):
        target_of("s3://nowhere-to-be").probe()
    with pytest.raises(TargetBlocked, match="no such bucket"):
        target_of("s3://nowhere-to-be").send(stored_capture(1))


def test_the_probe_asks_the_bucket_and_stores_nothing(store: S3Store) -> None:
    assert "the bucket answers" in target_of(store.url).probe()
    assert store.stored() == []


def test_a_signature_that_the_clock_made_too_old_names_the_clock() -> None:
    body = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
    error = explain_response(Response(403, body), "cannot deliver captures")

    assert isinstance(error, TargetBlocked)
    assert "set the clock" in str(error)


def test_credentials_that_may_not_list_are_found_out_by_the_probe(store: S3Store) -> None:
    store.failure = ("403 Forbidden", "AccessDenied")
    with pytest.raises(TargetBlocked, match="s3:ListBucket"):
        target_of(store.url).probe()


def test_a_store_that_is_not_there(store: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(TargetUnavailable, match="refuses connections"):
        target_of(store.url).send(stored_capture(1))


@pytest.mark.parametrize("behaviour", [faults.silent, faults.trickle_header])
def test_the_timeout_is_for_the_whole_request(
    store: S3Store, monkeypatch: pytest.MonkeyPatch, behaviour: faults.Behaviour
) -> None:
    servers: list[FaultyServer] = []

    def send(limit: float) -> None:
        servers.append(FaultyServer(behaviour))
        with servers[-1] as server:
            monkeypatch.setenv("AWS_ENDPOINT_URL", server.url.removesuffix("/upload"))
            target_of(store.url, timeout=limit).send(stored_capture(1))

    require_limit(send)
    assert servers[-1].connections <= 1, "a further try would have a time of its own"


@pytest.mark.parametrize("trusted", [True, False])
def test_a_stores_own_authority(
    store: S3Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, trusted: bool
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    with FaultyServer(faults.response(503), tls=context) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url.removesuffix("/upload"))
        target = target_of(store.url, ca=path if trusted else None)
        if trusted:
            with pytest.raises(TargetUnavailable, match="answers 503"):
                target.send(stored_capture(1))
        else:
            with pytest.raises(TargetBlocked, match="not trusted"):
                target.send(stored_capture(1))


def test_a_store_without_tls_behind_https_holds(
    store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", store.endpoint.replace("http", "https"))
    with pytest.raises(TargetBlocked, match="does not speak TLS"):
        target_of(store.url).send(stored_capture(1))


PORTAL = b"<!doctype html><html><body>Please log in</body></html>"


@pytest.mark.parametrize(
    "headers", [{}, {"ETag": '"33a64df5"'}, {"Location": "http://portal.example"}]
)
def test_a_captive_portal_is_no_store(
    store: S3Store, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    status = 302 if "Location" in headers else 200
    headers = {"Last-Modified": "Wed, 21 Oct 2026 07:28:00 GMT", **headers}
    with FaultyServer(faults.response(status, PORTAL, headers)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url.removesuffix("/upload"))
        with pytest.raises(TargetBlocked):
            target_of(store.url).send(stored_capture(1))


def test_a_store_whose_tag_is_no_checksum_is_read_back(store: S3Store) -> None:
    """As with encryption by keys of the bucket's owner."""
    store.tags_are_checksums = False
    try:
        target_of(store.url).send(stored_capture(1))
    finally:
        store.tags_are_checksums = True

    assert [request.partition(" ")[0] for request in store.requests] == ["PUT", "GET", "PUT", "GET"]


def test_without_credentials_it_says_which_variables(
    store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FaultyServer(faults.response(404)) as server:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_METADATA_ENDPOINT", server.url.removesuffix("/upload"))
        with pytest.raises(TargetBlocked, match="set AWS_ACCESS_KEY_ID"):
            target_of(store.url).send(stored_capture(1))


def test_without_any_credentials_no_cloud_is_asked_for_some(
    store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(ConfigurationError, match=r"needs credentials; set AWS_ACCESS_KEY_ID"):
        target_of(store.url)


@pytest.mark.parametrize(
    ("network", "says"),
    [
        ({"client_cert": Path("/x")}, "AGENT_UPLOAD_CLIENT_CERT"),
        ({"ca": Path("/nowhere")}, "AGENT_UPLOAD_CA"),
        ({"proxy": "socks://x"}, "AGENT_UPLOAD_PROXY"),
    ],
)
def test_a_setting_that_cannot_be_kept_is_refused(
    store: S3Store, network: Mapping[str, Any], says: str
) -> None:
    with pytest.raises(ConfigurationError, match=says):
        target_of(store.url, **network)


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3:bucket",
        "s3:///prefix",
        "s3://buc ket/x",
        "s3://bucket/a//b",
        "s3://bucket/../b",
        "s3://bucket/a?key=s3cret",
        "s3://AKIA:s3cret@bucket/x",
        "s3://bucket/ä",
    ],
)
def test_an_address_that_cannot_work_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="must be s3://BUCKET/PREFIX") as caught:
        target_of(url)

    assert "s3cret" not in str(caught.value)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "obstore":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigurationError, match=re.escape(f"pip install '{S3_EXTRA}'")):
        target_of("s3://bucket/x")


@pytest.mark.parametrize(
    "endpoint",
    ["ftp://x", "http://[::1", "x", "http://", "http://a b/", "file:///etc/x", "http://h:99999"],
)
def test_a_wrong_address_of_the_store_names_its_variable(
    store: S3Store, monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    with pytest.raises(ConfigurationError, match="AWS_ENDPOINT_URL: must be https://HOST"):
        target_of(store.url)


def test_the_rate_limit_holds_for_a_store_too(store: S3Store) -> None:
    sent = stored_capture(1, bytes(20_000))
    began = time.monotonic()
    target_of(store.url, max_rate=40_000).send(sent)

    assert time.monotonic() - began > 0.3
