"""The generic target against servers on loopback that behave well, badly, and slowly."""

import json
import socket
import threading
from pathlib import Path
from threading import Thread

import pytest

import agent
from agent.errors import (
    AgentError,
    CaptureRejected,
    ConfigurationError,
    TargetBlocked,
    TargetUnavailable,
)
from agent.redaction import redact_endpoint
from agent.upload.http.options import HttpOptions
from agent.upload.targets.endpoint import EndpointTarget
from tests.fakes.captures import stored_capture, with_clip
from tests.fakes.clock import ManualClock
from tests.runtime.runtime_builders import wait_until
from tests.upload import faulty_server as faults
from tests.upload.faulty_server import FaultyServer, response
from tests.upload.short_limits import require_limit

TOKEN = "s3cret"


def target_of(
    url: str, *, timeout: float = 60.0, wall: float | None = None, needs_clips: bool = True
) -> EndpointTarget:
    clock = ManualClock(wall=wall)
    network = HttpOptions(timeout=timeout, workers=2)
    return EndpointTarget(url, token=TOKEN, clock=clock, network=network, needs_clips=needs_clips)


def test_the_request_is_what_the_contract_says() -> None:
    sent = stored_capture(1, b"\xff\xd8\r\n--\x00\xff")
    with FaultyServer(faults.store) as server, target_of(server.url) as target:
        receipt = target.send(sent)

    (request,) = server.requests
    assert (receipt.id, receipt.sha256) == (sent.id, sent.image_sha256)
    assert request.line == "POST /upload HTTP/1.1"
    assert request.headers["authorization"] == "Bearer s3cret"
    assert request.headers["idempotency-key"] == f'"{sent.id}"'
    assert request.headers["user-agent"] == f"edge-capture-agent/{agent.__version__}"
    assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert "cookie" not in request.headers
    image_head = (
        f'Content-Disposition: form-data; name="image"; filename="{sent.id}.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    record_head = (
        'Content-Disposition: form-data; name="record"\r\nContent-Type: application/json\r\n\r\n'
    )
    assert image_head.encode() + sent.image + b"\r\n--" in request.body
    assert record_head.encode() + sent.record_json + b"\r\n--" in request.body


def test_the_clip_is_a_part_of_the_same_request() -> None:
    sent = with_clip(1, b"\xff\xd8 one \xff\xd9", b"\xff\xd8 two \xff\xd9")
    proof = {"id": sent.id, "sha256": sent.image_sha256, "clip_sha256": sent.clip_sha256}
    with (
        FaultyServer(response(201, json.dumps(proof).encode())) as server,
        target_of(server.url) as target,
    ):
        receipt = target.send(sent)

    (request,) = server.requests
    head = (
        f'Content-Disposition: form-data; name="clip"; filename="{sent.id}.mjpeg"\r\n'
        "Content-Type: video/x-motion-jpeg\r\n\r\n"
    )
    assert receipt.id == sent.id
    assert head.encode() + sent.clip + b"\r\n--" in request.body


@pytest.mark.parametrize(
    ("clip_sha256", "why"),
    [
        (None, "it has no `clip_sha256`.*AGENT_CLIP=off"),
        ("", "it has no `clip_sha256`.*AGENT_CLIP=off"),
        ("0" * 64, "its `clip_sha256` is another.*store the whole part"),
        (7, "its `clip_sha256` is another.*store the whole part"),
    ],
)
@pytest.mark.parametrize("status", [200, 201])
def test_an_endpoint_that_proves_the_image_alone_is_blocked(
    status: int, clip_sha256: object, why: str
) -> None:
    sent = with_clip(1, b"\xff\xd8 one \xff\xd9")
    proof = {"id": sent.id, "sha256": sent.image_sha256, "clip_sha256": clip_sha256}
    with (
        FaultyServer(response(status, json.dumps(proof).encode())) as server,
        target_of(server.url) as target,
        pytest.raises(TargetBlocked, match=f"proves the image but not the clip: {why}"),
    ):
        target.send(sent)


@pytest.mark.parametrize("status", [200, 409])
def test_without_clips_the_image_alone_needs_proof(status: int) -> None:
    sent = with_clip(1, b"\xff\xd8 one \xff\xd9")
    proof = {"id": sent.id, "sha256": sent.image_sha256}
    with (
        FaultyServer(response(status, json.dumps(proof).encode())) as server,
        target_of(server.url, needs_clips=False) as target,
    ):
        receipt = target.send(sent)
    assert receipt.sha256 == sent.image_sha256
    assert receipt.clip_sha256 is None


def test_without_clips_a_wrong_hash_of_one_proves_nothing() -> None:
    sent = with_clip(1, b"\xff\xd8 one \xff\xd9")
    proof = {"id": sent.id, "sha256": sent.image_sha256, "clip_sha256": "0" * 64}
    with (
        FaultyServer(response(200, json.dumps(proof).encode())) as server,
        target_of(server.url, needs_clips=False) as target,
        pytest.raises(TargetBlocked, match="its `clip_sha256` is another"),
    ):
        target.send(sent)


def test_a_conflict_without_proof_of_the_clip_is_tried_again() -> None:
    sent = with_clip(1, b"\xff\xd8 one \xff\xd9")
    proof = {"id": sent.id, "sha256": sent.image_sha256}
    with (
        FaultyServer(response(409, json.dumps(proof).encode())) as server,
        target_of(server.url) as target,
        pytest.raises(TargetUnavailable),
    ):
        target.send(sent)


def test_connections_are_kept_and_cookies_are_not() -> None:
    chatty = response(401, b"x", {"Set-Cookie": "session=1"})
    with FaultyServer(chatty, faults.store) as server, target_of(server.url) as target:
        with pytest.raises(TargetBlocked):
            target.send(stored_capture(1))
        for number in range(5):
            target.send(stored_capture(number))

    assert server.connections == 1
    assert all("cookie" not in request.headers for request in server.requests)


def test_a_kept_connection_that_the_server_just_closes_is_not_a_failure() -> None:
    """The request is made once more on a new one: the server knows the capture by its key."""
    with (
        FaultyServer(faults.store, faults.drop, faults.store) as server,
        target_of(server.url) as target,
    ):
        target.send(stored_capture(1))
        assert target.send(stored_capture(2)).id == stored_capture(2).id

    assert server.connections == 2
    assert len(server.requests) == 3


def test_a_new_connection_that_breaks_is_a_failure() -> None:
    with (
        FaultyServer(faults.drop) as server,
        target_of(server.url) as target,
        pytest.raises(TargetUnavailable, match="connection broke"),
    ):
        target.send(stored_capture(1))

    assert len(server.requests) == 1


def test_a_kept_connection_that_breaks_is_replaced_once() -> None:
    with (
        FaultyServer(faults.store, faults.drop) as server,
        target_of(server.url) as target,
    ):
        target.send(stored_capture(1))
        with pytest.raises(TargetUnavailable, match="connection broke"):
            target.send(stored_capture(2))

    assert len(server.requests) == 3


def test_the_environment_changes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with (
        FaultyServer(faults.store) as server,
        EndpointTarget(server.url, token=None, clock=ManualClock()) as target,
    ):
        target.send(stored_capture(1))

    assert "authorization" not in server.requests[0].headers


PORTAL = b"<!doctype html><html><body>Please log in</body></html>"


@pytest.mark.parametrize(
    ("behaviour", "error", "says"),
    [
        (faults.drop, TargetUnavailable, "connection broke"),
        (faults.cut_answer, TargetUnavailable, "connection broke"),
        (faults.garbage, TargetUnavailable, "connection broke"),
        (response(200, PORTAL), TargetBlocked, "captive portal"),
        (response(200), TargetBlocked, "is empty"),
        (response(200, b'{"id": "x", "sha256'), TargetBlocked, "not a whole JSON"),
        (response(201, b'{"id": "x", "sha256": "y"}'), TargetBlocked, "`id` is missing or another"),
        (
            response(302, PORTAL, {"Location": "http://portal.example/?t=1"}),
            TargetBlocked,
            "portal.example:",
        ),
        (response(307, b"", {"Location": "http://[broken"}), TargetBlocked, "another address"),
        (response(401, b"s3cret is wrong"), TargetBlocked, "AGENT_UPLOAD_TOKEN"),
        (response(511, PORTAL), TargetBlocked, "captive portal"),
        (
            response(413, b'{"error": "s3cret too large"}'),
            CaptureRejected,
            r"413: \*\*\* too large",
        ),
        (response(200, b"x" * 70_000), TargetBlocked, "not a whole JSON"),
        (faults.endless_body, TargetBlocked, "redirects"),
    ],
)
def test_what_an_endpoint_does_wrong(
    behaviour: faults.Behaviour, error: type[AgentError], says: str
) -> None:
    with (
        FaultyServer(behaviour) as server,
        target_of(server.url) as target,
        pytest.raises(error, match=says) as caught,
    ):
        target.send(stored_capture(1))

    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "17"}, 17.0),
        (
            {
                "Retry-After": "Wed, 21 Oct 2026 07:29:00 GMT",
                "Date": "Wed, 21 Oct 2026 07:28:00 GMT",
            },
            60.0,
        ),
        ({"Retry-After": "Wed, 21 Oct 2026 07:29:00 GMT"}, None),
    ],
)
def test_retry_after_is_read_on_a_device_that_believes_it_is_1970(
    headers: dict[str, str], seconds: float | None
) -> None:
    with (
        FaultyServer(response(503, b"", headers)) as server,
        target_of(server.url, wall=0.0) as target,
        pytest.raises(TargetUnavailable) as caught,
    ):
        target.send(stored_capture(1))

    assert caught.value.retry_after == seconds


@pytest.mark.parametrize(
    "behaviour",
    [faults.silent, faults.trickle_header, faults.trickle_body],
    ids=lambda f: f.__name__,
)
def test_the_timeout_is_for_the_whole_request(behaviour: faults.Behaviour) -> None:
    """Each byte comes long before a socket's timeout would end the wait for it."""
    with FaultyServer(behaviour) as server:

        def send(limit: float) -> None:
            with target_of(server.url, timeout=limit) as target:
                target.send(stored_capture(1))

        require_limit(send)


def test_a_server_that_reads_nothing_meets_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"

        def send(limit: float) -> None:
            with target_of(url, timeout=limit) as target:
                target.send(stored_capture(1, b"x" * 20_000_000))

        require_limit(send)


def test_a_handshake_that_never_ends_meets_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/"

        def probe(limit: float) -> None:
            with target_of(url, timeout=limit) as target:
                target.probe()

        require_limit(probe)


def test_a_name_that_is_never_resolved_meets_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def stuck(*_: object, **__: object) -> list[object]:
        released.wait(60)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", stuck)
    try:
        with (
            target_of("http://never.example/", timeout=0.3) as target,
            pytest.raises(TargetUnavailable, match=r"never\.example: the look-up of its name"),
        ):
            target.probe()
    finally:
        released.set()


def test_no_thread_and_no_descriptor_outlives_a_request() -> None:
    before = threading.active_count()
    with (
        FaultyServer(faults.store) as server,
        target_of(server.url) as target,
    ):
        target.send(stored_capture(1))
        descriptors = len(list(Path("/proc/self/fd").iterdir()))
        for number in range(10):
            target.send(stored_capture(number))
        assert len(list(Path("/proc/self/fd").iterdir())) <= descriptors

    wait_until(lambda: threading.active_count() <= before)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://127.0.0.1:1/x?api_key=s3cret", "cannot reach 127.0.0.1:1: it refuses connections"),
        ("http://nowhere.invalid/x", "cannot be resolved"),
        ("http://a..b/", "cannot be resolved"),
    ],
)
def test_an_endpoint_that_is_not_there(url: str, says: str) -> None:
    with target_of(url) as target, pytest.raises(TargetUnavailable, match=says) as caught:
        target.send(stored_capture(1))

    assert TOKEN not in str(caught.value)
    assert TOKEN not in target.name


@pytest.mark.parametrize(
    ("behaviour", "meaning"),
    [
        (response(200, b'{"service": "x", "captures": 4}'), "holds 4 captures"),
        (response(404), "only the first capture"),
        (response(405, PORTAL), "only the first capture"),
        (response(200, PORTAL), TargetBlocked),
        (response(301, b"", {"Location": "https://x.example"}), TargetBlocked),
        (response(401), TargetBlocked),
        (response(503), TargetUnavailable),
        (faults.drop, TargetUnavailable),
    ],
)
def test_a_probe(behaviour: faults.Behaviour, meaning: str | type[AgentError]) -> None:
    with FaultyServer(behaviour) as server, target_of(server.url) as target:
        if isinstance(meaning, str):
            assert meaning in target.probe()
        else:
            with pytest.raises(meaning):
                target.probe()

    assert server.requests[0].line == "GET /upload HTTP/1.1"
    assert server.requests[0].body == b""


def test_workers_share_the_target() -> None:
    failures: list[AgentError] = []
    with FaultyServer(faults.store) as server, target_of(server.url) as target:

        def send(number: int) -> None:
            try:
                for repeat in range(5):
                    target.send(stored_capture(10 * number + repeat))
            except AgentError as error:
                failures.append(error)

        threads = [Thread(target=send, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert failures == []
    assert len(server.requests) == 20


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://u:s3cret@host/x", "AGENT_UPLOAD_TOKEN"),
        ("https://u:s3cret/x@host/x", r"not 'https://\*\*\*@host/x'"),
        ("https://u:s3cret?x@host/x", r"not 'https://\*\*\*@host/x'"),
        ("https://:80/x", "AGENT_UPLOAD_URL: must be https://HOST/PATH"),
        ("https:///x", "AGENT_UPLOAD_URL: must be"),
        ("https://host:99999/", "AGENT_UPLOAD_URL: must be"),
        ("https://host/a b", "without spaces"),
        ("https://host/#x", "without spaces, '#'"),
        ("https://h\u00f6st/", "ASCII"),
    ],
)
def test_an_address_that_cannot_work_is_refused_with_the_reason(url: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        target_of(url)

    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("token", ["a b", "a\n", "\u00e4", "a\x7f"])
def test_a_token_that_no_header_can_carry_is_refused_unseen(token: str) -> None:
    with pytest.raises(ConfigurationError, match="AGENT_UPLOAD_TOKEN") as caught:
        EndpointTarget("http://localhost/", token=token, clock=ManualClock())

    assert token not in str(caught.value)


def test_the_name_shows_no_query() -> None:
    assert redact_endpoint("https://host/x?api_key=s3cret") == "https://host/x?api_key=***"
    assert redact_endpoint("https://host/x?s3cret") == "https://host/x?***"
    assert redact_endpoint("https://host/captures/v1") == "https://host/captures/v1"
    assert redact_endpoint("https://host/hook/a8F3k2Lq9") == "https://host/hook/***"
    assert redact_endpoint("u:s3cret@host") == "***@host"
