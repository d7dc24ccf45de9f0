"""The receiver, by plain sockets and by the target that it is made for."""

import http.client
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from urllib3.filepost import encode_multipart_formdata

from agent.dataset.folder import Dataset
from agent.domain import StoredCapture
from agent.files import Disk
from agent.receiver.receiver import ReceivedCapture, Receiver
from agent.upload.targets.endpoint import EndpointTarget
from tests.fakes.captures import of_first_schema, stored_capture
from tests.fakes.clock import ManualClock
from tests.fakes.disk.real import RefusingDisk

TOKEN = "s3cret"


@pytest.fixture
def arrivals() -> list[ReceivedCapture]:
    return []


@pytest.fixture
def receiver(tmp_path: Path, arrivals: list[ReceivedCapture]) -> Iterator[Receiver]:
    made = Receiver(
        Dataset(tmp_path, Disk()), token=TOKEN, body_max=100_000, on_capture=arrivals.append
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
    connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=5)
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
    assert (tmp_path / f"images/{made.id}.jpg").read_bytes() == made.image
    assert arrivals == [
        ReceivedCapture(made.id, len(made.image), is_new=True),
        ReceivedCapture(made.id, len(made.image), is_new=False),
    ]
    assert (receiver.received, receiver.duplicates, receiver.captures) == (1, 1, 1)


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
    connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=5)
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
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=5) as connection:
        connection.sendall(b"POST /captures HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 411 ")


def test_a_sender_that_goes_away_leaves_nothing_behind(receiver: Receiver, tmp_path: Path) -> None:
    body, headers = form(stored_capture(1))
    head = (
        f"POST /captures HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: {headers['Content-Type']}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=5) as connection:
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
    first = Receiver(dataset)
    first.start()
    with EndpointTarget(first.url, token=None, clock=ManualClock()) as target:
        target.send(stored_capture(1))
        first.stop()
        second = Receiver(dataset, port=first.port)
        second.start()
        assert target.send(stored_capture(2)).duplicate is False
        assert target.send(stored_capture(1)).duplicate is True
        assert target.probe() == "answers 200; it holds 2 captures"
        second.stop()


def test_it_may_serve_in_the_thread_of_the_caller_and_log(tmp_path: Path) -> None:
    lines: list[str] = []
    receiver = Receiver(Dataset(tmp_path, Disk()), log=lines.append)
    thread = Thread(target=receiver.serve_forever)
    thread.start()
    assert ask(receiver, "GET")[0] == 200
    receiver.stop()
    thread.join(timeout=5)

    assert not thread.is_alive()
    assert lines == ['127.0.0.1 "GET /captures HTTP/1.1" 200 -']


def test_one_that_never_served_can_be_stopped(tmp_path: Path) -> None:
    Receiver(Dataset(tmp_path, Disk())).stop()


def test_the_address_is_taken_once(receiver: Receiver, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="in use"):
        Receiver(Dataset(tmp_path, Disk()), port=receiver.port)
