"""The receiver, by plain sockets and by the target that it is made for."""

import contextlib
import errno
import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from urllib3.filepost import encode_multipart_formdata

from agent.dataset.folder import Dataset
from agent.domain import StoredCapture
from agent.factories.datasets import dataset_at
from agent.files import Disk
from agent.receiver import connections, server
from agent.receiver.connections import ADDRESS_MAX, CONNECTIONS_MAX, Connections
from agent.receiver.limits import Limits
from agent.receiver.receiver import ReceivedCapture, Receiver, Refusal
from agent.receiver.report import REPEAT_S, ArrivalReport
from agent.upload.http.options import HttpOptions
from agent.upload.targets.endpoint import EndpointTarget
from tests.fakes.captures import (
    CAR,
    capture_id,
    of_first_schema,
    said,
    stored_capture,
    with_clip,
)
from tests.fakes.clock import ManualClock
from tests.fakes.disk.real import RefusingDisk
from tests.limits import LIMIT_S
from tests.ports import free_port
from tests.search import examples

TOKEN = "s3cret"


@pytest.fixture
def arrivals() -> list[ReceivedCapture]:
    return []


@pytest.fixture
def receiver(tmp_path: Path, arrivals: list[ReceivedCapture]) -> Iterator[Receiver]:
    made = Receiver(
        Dataset(tmp_path, Disk()),
        token=TOKEN,
        limits=Limits(body_max=100_000),
        on_capture=arrivals.append,
    )
    made.start()
    yield made
    made.stop()


def ask(
    receiver: Receiver,
    method: str = "POST",
    path: str = "/captures",
    body: bytes = b"",
    headers: dict[str, str] | None = None,
) -> tuple[int, dict[str, Any], http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=60)
    try:
        connection.request(
            method, path, body, {"Authorization": f"Bearer {TOKEN}"} | (headers or {})
        )
        response = connection.getresponse()
        return response.status, json.loads(response.read() or b"{}"), response.headers
    finally:
        connection.close()


def form(made: StoredCapture, **changes: Any) -> tuple[bytes, dict[str, str]]:
    files = {
        "image": ("x.jpg", made.image, "image/jpeg"),
        "record": (None, made.record_json, "application/json"),
        **changes,
    }
    kept = {name: part for name, part in files.items() if part is not None}
    body, content_type = encode_multipart_formdata(kept, boundary="limit")
    return body, {"Content-Type": content_type}


def test_a_new_capture_is_201_and_the_same_again_200(
    receiver: Receiver, arrivals: list[ReceivedCapture], tmp_path: Path
) -> None:
    made = stored_capture(1)
    body, headers = form(made)
    proof = {"id": made.id, "sha256": made.image_sha256}

    assert ask(receiver, body=body, headers=headers)[:2] == (201, proof)
    assert ask(receiver, body=body, headers=headers)[:2] == (200, proof | {"duplicate": True})
    names = {name: made.record[name] for name in ("device", "camera", "lane")}
    assert (tmp_path / f"images/{made.id}.jpg").read_bytes() == made.image
    assert arrivals == [
        ReceivedCapture(made.id, len(made.image), is_new=True, **names),
        ReceivedCapture(made.id, len(made.image), is_new=False, **names),
    ]
    assert (receiver.received, receiver.duplicates, receiver.captures) == (1, 1, 1)


JPEGS = (b"\xff\xd8 before \xff\xd9", b"\xff\xd8 at it \xff\xd9")


def clip_part(data: bytes) -> tuple[str, bytes, str]:
    return ("x.mjpeg", data, "video/x-motion-jpeg")


def test_a_clip_is_stored_and_proved_with_its_capture(
    receiver: Receiver, arrivals: list[ReceivedCapture], tmp_path: Path
) -> None:
    made = with_clip(1, *JPEGS)
    body, headers = form(made, clip=clip_part(made.clip))
    proof = {"id": made.id, "sha256": made.image_sha256, "clip_sha256": made.clip_sha256}

    assert ask(receiver, body=body, headers=headers)[:2] == (201, proof)
    assert ask(receiver, body=body, headers=headers)[:2] == (200, proof | {"duplicate": True})
    frames = sorted((tmp_path / f"clips/{made.id}").glob("*.jpg"))
    assert tuple(each.read_bytes() for each in frames) == JPEGS
    assert arrivals[0].size == len(made.image) + len(made.clip)


@pytest.mark.parametrize(
    ("images", "sent"),
    [
        (JPEGS, None),
        (JPEGS, b""),
        (JPEGS, b"".join(JPEGS) + b"x"),
        (JPEGS, b"".join(reversed(JPEGS))),
        ((b"no jpeg", b"nor this"), b"no jpegnor this"),
        ((), b"".join(JPEGS)),
    ],
)
def test_a_clip_that_is_not_the_one_of_the_record_is_refused(
    receiver: Receiver, tmp_path: Path, images: tuple[bytes, ...], sent: bytes | None
) -> None:
    made = with_clip(1, *images) if images else stored_capture(1)
    body, headers = form(made, clip=None if sent is None else clip_part(sent))
    status, said, _ = ask(receiver, body=body, headers=headers)

    assert status == 422
    assert "clip" in said["error"]
    assert not list(tmp_path.rglob("*.jpg"))


def test_a_record_of_an_older_version_is_stored_as_sent(receiver: Receiver, tmp_path: Path) -> None:
    made = of_first_schema(1)
    body, headers = form(made)

    assert ask(receiver, body=body, headers=headers)[0] == 201
    assert (tmp_path / f"records/{made.id}.json").read_bytes() == made.record_json


def test_it_says_how_many_captures_it_holds(receiver: Receiver) -> None:
    body, headers = form(stored_capture(1))
    ask(receiver, body=body, headers=headers)

    assert ask(receiver, "GET")[1]["captures"] == 1
    assert ask(receiver, "GET", "/")[0] == 200


Change = Callable[[StoredCapture], tuple[bytes, dict[str, str]]]


@pytest.mark.parametrize(
    ("request_of", "status"),
    [
        (lambda made: form(made, image=None), 400),
        (lambda made: form(made, record=None), 400),
        (lambda made: form(made, record=(None, b"{", "application/json")), 400),
        (lambda made: form(made, record=(None, b"[]", "application/json")), 400),
        (lambda made: (form(made)[0][:-20], form(made)[1]), 400),
        (lambda made: (b"{}", {"Content-Type": "application/json"}), 400),
        (lambda made: (b"", form(made)[1]), 400),
        (lambda made: (form(made)[0], {"Content-Type": "multipart/form-data"}), 400),
        (lambda made: (form(made)[0], {"Content-Type": "multipart/form-data; boundary=z"}), 400),
        (lambda made: (form(made)[0], {}), 400),
        (lambda made: form(made, image=("x.jpg", b"other", "image/jpeg")), 422),
        (lambda made: (form(made)[0], {**form(made)[1], "Idempotency-Key": '"other"'}), 422),
        (lambda made: form(made, image=("x.jpg", b"x" * 200_000, "image/jpeg")), 413),
        (lambda made: form(made, extra=("x", b"ignored", "text/plain")), 201),
    ],
)
def test_what_is_wrong_with_a_request(
    receiver: Receiver, request_of: Change, status: int, tmp_path: Path
) -> None:
    body, headers = request_of(stored_capture(1))
    got, content, _ = ask(receiver, body=body, headers=headers)

    assert got == status
    assert ("error" in content) == (status != 201)
    assert (tmp_path / "images").exists() == (status == 201)


def test_one_id_never_gets_two_images(receiver: Receiver) -> None:
    for image, status in ((b"first", 201), (b"second", 422)):
        body, headers = form(stored_capture(1, image))
        assert ask(receiver, body=body, headers=headers)[0] == status


@pytest.mark.parametrize(
    "given", ["", "Bearer wrong", "Bearer s3cre", "Basic s3cret", "Bearer \u00e4"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_token_gets_401(receiver: Receiver, given: str, method: str) -> None:
    body, headers = form(stored_capture(1))
    status, content, answered = ask(
        receiver, method, body=body, headers=headers | {"Authorization": given}
    )

    assert status == 401
    assert answered["WWW-Authenticate"].startswith("Bearer")
    assert TOKEN not in str(content)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/elsewhere", 404),
        ("GET", "/captures/x", 404),
        ("PUT", "/captures", 405),
        ("DELETE", "/captures", 405),
        ("HEAD", "/captures", 405),
    ],
)
def test_other_paths_and_methods(receiver: Receiver, method: str, path: str, status: int) -> None:
    assert ask(receiver, method, path)[0] == status


def test_a_connection_serves_many_requests_even_after_a_refused_one(receiver: Receiver) -> None:
    body, headers = form(stored_capture(1))
    connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=60)
    statuses = []
    for token in ("wrong", TOKEN, TOKEN):
        connection.request(
            "POST", "/captures", body, headers | {"Authorization": f"Bearer {token}"}
        )
        response = connection.getresponse()
        statuses.append(response.status)
        response.read()
        own_port = connection.sock.getsockname()[1]
    connection.request("GET", "/captures", headers={"Authorization": f"Bearer {TOKEN}"})
    connection.getresponse().read()

    assert statuses == [401, 201, 200]
    assert connection.sock.getsockname()[1] == own_port
    connection.close()


def test_without_a_length_there_is_no_body(receiver: Receiver) -> None:
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=60) as connection:
        connection.sendall(b"POST /captures HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 411 ")


def test_a_sender_that_goes_away_leaves_nothing_behind(receiver: Receiver, tmp_path: Path) -> None:
    body, headers = form(stored_capture(1))
    head = (
        f"POST /captures HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: {headers['Content-Type']}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=60) as connection:
        connection.sendall(head.encode() + body[:-30])
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b""  # no 400, which would be a strike

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "status"),
    [(OSError(28, "No space left on device"), 507), (OSError(30, "Read-only file system"), 503)],
)
def test_a_failure_of_the_disk_is_not_the_capture_s_fault(
    tmp_path: Path, error: OSError, status: int
) -> None:
    receiver = Receiver(Dataset(tmp_path, RefusingDisk(error)), token=TOKEN)
    receiver.start()
    body, headers = form(stored_capture(1))
    try:
        assert ask(receiver, body=body, headers=headers)[0] == status
    finally:
        receiver.stop()


def test_a_damaged_dataset_is_not_the_capture_s_fault(receiver: Receiver, tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text("names: [a]")
    body, headers = form(stored_capture(1))

    assert ask(receiver, body=body, headers=headers)[0] == 503


def test_it_restarts_on_the_same_port_while_a_sender_is_connected(tmp_path: Path) -> None:
    dataset = Dataset(tmp_path, Disk())
    first = Receiver(dataset, port=free_port())
    first.start()
    with EndpointTarget(first.url, token=None, clock=ManualClock()) as target:
        try:
            target.send(stored_capture(1))
        finally:
            first.stop()
        second = Receiver(dataset, port=first.port)
        second.start()
        try:
            assert target.send(stored_capture(2)).duplicate is False
            assert target.send(stored_capture(1)).duplicate is True
            assert target.probe() == "answers 200; it holds 2 captures"
        finally:
            second.stop()


def test_it_may_serve_in_the_thread_of_the_caller_and_log(tmp_path: Path) -> None:
    lines: list[str] = []
    receiver = Receiver(Dataset(tmp_path, Disk()), log=lines.append)
    thread = Thread(target=receiver.serve_forever)
    thread.start()
    assert ask(receiver, "GET")[0] == 200
    receiver.stop()
    thread.join(60)

    assert not thread.is_alive()
    assert lines == ['127.0.0.1 "GET /captures HTTP/1.1" 200 -']


def test_one_that_never_served_can_be_stopped(tmp_path: Path) -> None:
    Receiver(Dataset(tmp_path, Disk())).stop()


def test_the_address_is_taken_once(receiver: Receiver, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="in use"):
        Receiver(Dataset(tmp_path, Disk()), port=receiver.port)


ODD_REQUESTS = {
    "a path that is no address": b"POST //[ HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    "a length of many digits": b"POST /captures HTTP/1.1\r\nContent-Length: "
    + b"9" * 5000
    + b"\r\n\r\n",
    "a length that is no number": b"POST /captures HTTP/1.1\r\nContent-Length: \xb2\r\n\r\n",
    "two lengths": b"POST /captures HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    "chunks": b"POST /captures HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and a length": b"POST /captures HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"
    b"Content-Length: 5\r\n\r\n0\r\n\r\n",
    "a boundary beyond ASCII": b"POST /captures HTTP/1.1\r\nContent-Length: 1\r\n"
    b"Content-Type: multipart/form-data; boundary=\xff\xfe\r\n\r\nx",
    "an empty boundary": b"POST /captures HTTP/1.1\r\nContent-Length: 1\r\n"
    b'Content-Type: multipart/form-data; boundary=""\r\n\r\nx',
    "a long boundary": b"POST /captures HTTP/1.1\r\nContent-Length: 1\r\n"
    b"Content-Type: multipart/form-data; boundary=" + b"b" * 5000 + b"\r\n\r\nx",
    "an unknown method": b"BREW /captures HTTP/1.1\r\n\r\n",
    "a method in control characters": b"\x1b[31m /captures HTTP/1.1\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\r\n\r\n",
    "a long line": b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
    "a long header": b"GET / HTTP/1.1\r\nA: " + b"a" * 70_000 + b"\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\n" + b"A: a\r\n" * 200 + b"\r\n",
    "no version": b"GET /captures x y z\r\n\r\n",
    "a token beyond ASCII": b"GET / HTTP/1.1\r\nAuthorization: Bearer \xe4\xff\r\n\r\n",
}


def test_a_client_that_asks_before_it_sends_its_body_is_let_go_on(receiver: Receiver) -> None:
    head = (
        b"POST /captures HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=60) as connection:
        connection.sendall(head)
        assert connection.recv(4096).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"no parts!")
        assert connection.recv(4096).startswith(b"HTTP/1.1 4")


def raw(receiver: Receiver, data: bytes) -> bytes:
    """Send bytes, and return all that comes until the connection is closed."""
    answer = b""
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=60) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        except OSError as error:  # it answered and closed before it had read everything
            if error.errno not in {errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN}:
                raise
        with contextlib.suppress(ConnectionResetError):
            while piece := connection.recv(65536):
                answer += piece
    return answer


@pytest.mark.parametrize("odd", ODD_REQUESTS)
def test_an_odd_request_gets_a_response_and_no_traceback(
    receiver: Receiver, odd: str, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = raw(receiver, ODD_REQUESTS[odd])

    assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5"))
    assert capfd.readouterr() == ("", "")
    assert ask(receiver, "GET")[0] == 200


@pytest.mark.parametrize(
    "change",
    [
        {"id": "\ud800"},
        {"id": 7},
        {"id": None},
        {"detections": [{"label": "\ud800", "confidence": 0.9, "box": [1, 1, 9, 9]}]},
        {"detections": [{"label": "a\x00b\n", "confidence": 0.9, "box": [1, 1, 9, 9]}]},
        {"detections": [{"label": "a", "confidence": 1e400, "box": [1, 1, 9, 9]}]},
        {"detections": [{"label": "a", "confidence": 0.9, "box": [1, 1, 9, 10**400]}]},
        {"detections": [{"label": "a", "confidence": 0.9, "box": None}]},
        {"detections": 7},
        {"thresholds": {"labels": []}},
        {"classes": [{"label": "\ud800", "confidence": 0.9}]},
        {"classes": [[[]]]},
        {"image": []},
        {"image": {"sha256": {}}},
        {"image": {"width": 10**400, "height": 1}},
        {"device": "\ud800\x1b[31m", "camera": [], "lane": {}},
    ],
    ids=lambda change: repr(change)[:40],
)
def test_an_odd_record_gets_a_response_and_no_traceback(
    receiver: Receiver, change: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    """Without one, the sender would send it again for ever."""
    made = stored_capture(1)
    record = dict(made.record)
    for name, value in change.items():
        is_part = name == "image" and isinstance(value, dict)
        record[name] = {**made.record["image"], **value} if is_part else value
    body, headers = form(made, record=(None, json.dumps(record).encode(), "application/json"))

    status, content, _ = ask(receiver, body=body, headers=headers)

    assert status in (201, 400, 422)
    assert ("error" in content) == (status != 201)
    assert capfd.readouterr() == ("", "")


def test_half_open_connections_do_not_lock_anybody_out(receiver: Receiver) -> None:
    """The oldest of them are closed for new ones, before and after their token is asked for."""
    head = b"POST /captures HTTP/1.1\r\nContent-Length: 100000\r\n"
    starts = (b"", b"P", head, head + b"\r\n", head + b"\r\nx")
    half_open = []
    try:
        for number in range(250):
            connection = socket.create_connection(("127.0.0.1", receiver.port), timeout=60)
            half_open.append(connection)
            connection.sendall(starts[number % len(starts)])

        body, headers = form(stored_capture(1))
        assert ask(receiver, body=body, headers=headers)[0] == 201
    finally:
        for connection in half_open:
            connection.close()


def test_a_head_that_never_ends_is_cut_off(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte now and then, which no timeout of a socket notices."""
    monkeypatch.setattr(connections, "HEAD_S", 0.3)
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=60) as connection:
        connection.settimeout(0.05)
        ended = False
        for _ in range(1000):
            try:
                connection.sendall(b"A")
                ended = connection.recv(100) == b""
            except TimeoutError:
                continue
            except OSError:
                ended = True
            if ended:
                break

    assert ended


def test_a_body_that_never_ends_is_cut_off(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_BODY_S", 0.3)
    monkeypatch.setattr(server, "_RATE_MIN", 1e9)
    head = f"POST /captures HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\n"
    head += "Content-Type: multipart/form-data; boundary=limit\r\nContent-Length: 90000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=60) as connection:
        connection.settimeout(0.05)
        connection.sendall(head.encode())
        ended = False
        for _ in range(1000):
            try:
                connection.sendall(b"-")
                ended = connection.recv(100) == b""
            except TimeoutError:
                continue
            except OSError:
                ended = True
            if ended:
                break

    assert ended


def test_which_connection_is_closed_for_a_new_one() -> None:
    """Never one that delivers; first those that showed no token, then those that wait longest."""
    all_of_them = Connections()
    sockets = [socket.socket() for _ in range(ADDRESS_MAX)]
    try:
        for made in sockets:
            assert all_of_them.add(made, "10.0.0.1")
        for made in sockets:
            connection = all_of_them.of(made)
            connection.works(60.0)
            connection.is_trusted = True
        new = socket.socket()
        sockets.append(new)
        assert not all_of_them.add(new, "10.0.0.1"), "all of them deliver"
        assert all_of_them.add(new, "10.0.0.2"), "others have their own share"

        all_of_them.of(sockets[5]).waits()
        newer = socket.socket()
        sockets.append(newer)
        assert all_of_them.add(newer, "10.0.0.1")
        assert all_of_them.of(sockets[5]).is_ended
    finally:
        for made in sockets:
            made.close()


def test_a_crowd_of_addresses_shares_the_limit_in_all() -> None:
    all_of_them = Connections()
    sockets = [socket.socket() for _ in range(2 * CONNECTIONS_MAX)]
    try:
        for number, made in enumerate(sockets):
            assert all_of_them.add(made, f"10.0.{number}.1")
        alive = [made for made in sockets if not all_of_them.of(made).is_ended]
        assert alive == sockets[-CONNECTIONS_MAX:]
    finally:
        for made in sockets:
            made.close()


def test_the_report_shows_each_capture_and_each_kind_of_refusal_once(tmp_path: Path) -> None:
    lines: list[str] = []
    now = [0.0]
    report = ArrivalReport(lines.append, lambda: now[0])
    receiver = Receiver(
        Dataset(tmp_path, Disk()),
        token=TOKEN,
        on_capture=report.arrived,
        on_refusal=report.refused,
    )
    receiver.start()
    made = stored_capture(1)
    body, headers = form(made)
    try:
        for _ in range(2):
            ask(receiver, body=body, headers=headers)
        for _ in range(3):
            ask(receiver, body=body, headers=headers | {"Authorization": "Bearer wrong"})
        now[0] = REPEAT_S
        ask(receiver, body=body, headers=headers | {"Authorization": "Bearer wrong"})
        body, headers = form(stored_capture(1, b"other"))
        ask(receiver, body=body, headers=headers)
        body, headers = form(stored_capture(2, verdicts=[said(2), said(1), said(1, note="no")]))
        ask(receiver, body=body, headers=headers)
    finally:
        receiver.stop()

    record = made.record
    names = f"{record['device']}  {record['camera']}  {record['lane']}"
    refused = "refused  127.0.0.1  401  the token is missing or wrong"
    assert lines == [
        f"stored  {names}  0 kB  {made.id}\n",
        f"repeat  {names}  0 kB  {made.id}\n",
        f"{refused}\n",
        f"{refused} (2 more like the one before)\n",
        f"refused  127.0.0.1  422  cannot store {made.id}: another image has this id\n",
        f"stored  {names}  0 kB  {capture_id(2)}  verdicts: 3 wrong\n",
    ]
    assert len((tmp_path / "verdicts.jsonl").read_text().splitlines()) == 3


def test_no_raw_control_character_is_printed() -> None:
    lines: list[str] = []
    report = ArrivalReport(lines.append)
    report.arrived(
        ReceivedCapture(
            "\x1b]0;x\x07", 1, is_new=True, device="a\nb", camera="\u202e", lane="\ud800" * 500
        )
    )
    report.refused(Refusal("::1", 422, "\x1b[31m\r\n"))

    assert all(line.endswith("\n") and line[:-1].isprintable() for line in lines)
    assert max(map(len, lines)) < 700


PIECES = st.lists(
    st.one_of(
        st.binary(max_size=60),
        st.sampled_from(
            [
                *(b"POST /captures HTTP/1.1\r\n", b"GET / HTTP/1.1\r\n", b"PUT * HTTP/1.0\r\n"),
                *(b"Content-Length: ", b"10\r\n", b"Host: x\r\n", b"Expect: 100-continue\r\n"),
                *(b"Authorization: Bearer s3cret\r\n", b"Transfer-Encoding: chunked\r\n"),
                b"Content-Type: multipart/form-data; boundary=limit\r\n",
                *(b"\r\n\r\n", b"\r\n", b"--limit\r\n", b"--limit--\r\n", b"{}", b"null"),
                b'Content-Disposition: form-data; name="record"\r\n',
                b'Content-Disposition: form-data; name="image"; filename="x"\r\n',
                *(b'Idempotency-Key: "\xff"\r\n', b"Connection: keep-alive\r\n", b"0\r\n\r\n"),
            ]
        ),
    ),
    max_size=14,
)


@settings(
    max_examples=examples(150),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(PIECES)
def test_any_bytes_get_a_response_or_a_closed_connection(
    receiver: Receiver, capfd: pytest.CaptureFixture[str], pieces: list[bytes]
) -> None:
    answer = raw(receiver, b"".join(pieces))

    assert answer == b"" or answer.startswith(b"HTTP/1.1 ")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("link", ["data.yaml.tmp", "data.yaml", "images"])
def test_a_capture_is_never_written_through_a_planted_link(tmp_path: Path, link: str) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "set"
    outside.mkdir()
    folder.mkdir()
    (outside / "file").write_bytes(b"precious")
    to_folder = link == "images"
    (folder / link).symlink_to(outside if to_folder else outside / "file")
    receiver = Receiver(dataset_at(folder), token=TOKEN)
    receiver.start()
    body, headers = form(stored_capture(1, detections=[CAR]))
    try:
        status, _, _ = ask(receiver, body=body, headers=headers)
    finally:
        receiver.stop()

    assert status in (201, 503)
    assert (outside / "file").read_bytes() == b"precious"
    assert [path.name for path in outside.iterdir()] == ["file"]


def test_half_open_connections_do_not_use_up_the_files_of_the_process(tmp_path: Path) -> None:
    """A process may have few files: at their end no connection would be accepted."""
    script = f"""
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
from pathlib import Path
from agent.factories.datasets import dataset_at, receiver_of
from agent.receiver import connections
connections.HEAD_S = 120.0
receiver = receiver_of(dataset_at(Path({str(tmp_path / "set")!r})))
receiver.start()
print(receiver.url, flush=True)
sys.stdin.read()
receiver.stop()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        place = ("127.0.0.1", int(url.rpartition(":")[2].partition("/")[0]))
        half_open = [socket.create_connection(place, timeout=60) for _ in range(120)]
        try:
            network = HttpOptions(timeout=60.0)  # less than a head may take
            clock = ManualClock()
            with EndpointTarget(url, token=None, clock=clock, network=network) as target:
                assert target.send(stored_capture(1)).duplicate is False
        finally:
            for connection in half_open:
                connection.close()
            process.communicate(timeout=LIMIT_S)

    assert process.returncode == 0


def test_a_capture_of_another_task_is_proved_when_its_own_dataset_holds_it(
    receiver: Receiver, tmp_path: Path
) -> None:
    """Two devices with other kinds of models, and one receiver."""
    boxes = stored_capture(1)
    model = {"name": "m", "sha256": "ab", "task": "segment", "provider": "cpu"}
    outline = {**CAR, "polygon": [[10, 20], [110, 20], [60, 70]]}
    outlines = stored_capture(2, model=model, detections=[outline])

    for made in (boxes, outlines):
        body, headers = form(made)
        proof = {"id": made.id, "sha256": made.image_sha256}
        assert ask(receiver, body=body, headers=headers)[:2] == (201, proof)
        assert ask(receiver, body=body, headers=headers)[:2] == (200, proof | {"duplicate": True})
    part = tmp_path / "segment"
    assert (part / f"images/{outlines.id}.jpg").read_bytes() == outlines.image
    assert (part / f"records/{outlines.id}.json").read_bytes() == outlines.record_json
    assert not (tmp_path / f"labels/{outlines.id}.txt").exists()
