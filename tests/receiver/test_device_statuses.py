"""What devices say of themselves arrives at the receiver: stored, bounded, and quietly."""

import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from agent.factories.datasets import dataset_at, receiver_of
from agent.receiver.receiver import Receiver
from agent.record.device_names import DEVICES
from agent.record.device_status import READ_MAX, checked_status, encoded_status
from tests.fakes.captures import stored_capture
from tests.receiver.test_receiver import TOKEN, ask, form
from tests.record.device_statuses import ABOUT, status_facts


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def receiver(tmp_path: Path, lines: list[str]) -> Iterator[Receiver]:
    made = receiver_of(dataset_at(tmp_path / "set"), token=TOKEN, write=lines.append)
    made.start()
    yield made
    made.stop()


def status(device: str = "gate-07", *, since: float = 1.0, **changed: Any) -> bytes:
    about = {**ABOUT, "since_boot_s": since}
    return encoded_status(status_facts(device=device, **changed), about)


def put(receiver: Receiver, body: bytes, device: str = "gate-07", **headers: str) -> int:
    return ask(receiver, "PUT", f"/devices/{quote(device, safe='')}", body, headers)[0]


def stored(tmp_path: Path) -> dict[str, Any]:
    found = [checked_status(path.read_bytes()) for path in (tmp_path / "set" / DEVICES).iterdir()]
    return {each["device"]: each for each in found}


def test_a_status_is_stored_and_only_the_first_of_a_device_is_printed(
    receiver: Receiver, tmp_path: Path, lines: list[str]
) -> None:
    assert put(receiver, status()) == 201
    assert put(receiver, status(since=2.0, waiting=9)) == 200
    found = stored(tmp_path)["gate-07"]
    assert (found["waiting"], found["received_from"]) == (9, "127.0.0.1")
    assert found["received_at"].endswith("Z")
    assert lines == ["device  gate-07  first heartbeat  0.1.0  127.0.0.1\n"]


@pytest.mark.parametrize("device", ["a/b", "../../x", "Gate 07", "tür", "100%", "a?b#c", "x" * 200])
def test_a_device_may_have_any_name(receiver: Receiver, tmp_path: Path, device: str) -> None:
    assert put(receiver, status(device), device) == 201
    assert list(stored(tmp_path)) == [device]
    assert [path.name for path in (tmp_path / "set").iterdir()] == [DEVICES]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", 422),
        (b"[]", 422),
        (b"[" * 60_000, 422),
        (b'{"device": "gate-07"}', 422),
        (status("another"), 422),
        (status(waiting=-1), 422),
        (b" " * (READ_MAX + 1), 413),
    ],
)
def test_what_is_no_status_of_the_device_is_refused(
    receiver: Receiver, tmp_path: Path, lines: list[str], body: bytes, expected: int
) -> None:
    assert put(receiver, body) == expected
    assert not (tmp_path / "set" / DEVICES).exists()
    assert lines[0].startswith(f"refused  127.0.0.1  {expected}  ")


def test_a_refusal_names_what_is_wrong(receiver: Receiver) -> None:
    _, found, _ = ask(receiver, "PUT", "/devices/gate-07", status(waiting=-1))
    assert found["error"].startswith("cannot take the status: `waiting` must be a whole number")


def test_without_the_token_nothing_is_stored(receiver: Receiver, tmp_path: Path) -> None:
    assert put(receiver, status(), Authorization="Bearer wrong") == 401
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    ("headers", "expected"),
    [({}, 411), ({"Transfer-Encoding": "chunked"}, 411), ({"Content-Length": "x"}, 411)],
)
def test_a_status_needs_a_length(
    receiver: Receiver, headers: dict[str, str], expected: int
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=60)
    connection.putrequest("PUT", "/devices/gate-07")
    for name, value in {"Authorization": f"Bearer {TOKEN}", **headers}.items():
        connection.putheader(name, value)
    connection.endheaders()
    assert connection.getresponse().status == expected
    connection.close()


def test_a_connection_carries_statuses_and_captures(receiver: Receiver, tmp_path: Path) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=60)
    token = {"Authorization": f"Bearer {TOKEN}"}
    body, headers = form(stored_capture(1))
    found = []
    for request in (
        ("PUT", "/devices/gate-07", status(), token),
        ("PUT", "/devices/gate-07", status(waiting=-1), token),
        ("POST", "/captures", body, headers | token),
        ("PUT", "/devices/gate-07?x=1", status(since=3.0), token),
    ):
        connection.request(*request)
        response = connection.getresponse()
        response.read()
        found.append(response.status)
    connection.close()
    assert found == [201, 422, 201, 200]
    assert receiver.captures == 1
    assert stored(tmp_path)["gate-07"]["since_boot_s"] == 3.0


def test_no_device_is_lost_when_many_send_at_once(receiver: Receiver, tmp_path: Path) -> None:
    def send(first: int) -> None:
        for n in range(first, first + 8):
            assert put(receiver, status(f"device-{n}"), f"device-{n}") == 201

    threads = [threading.Thread(target=send, args=(n * 8,)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stored(tmp_path)) == 40


def test_a_disk_that_refuses_is_told_as_such(receiver: Receiver, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / DEVICES).write_text("in the way")
    code, found, _ = ask(receiver, "PUT", "/devices/gate-07", status())
    assert code == 503
    assert found["error"].startswith("cannot store the status: ")


def test_the_statuses_are_no_captures(receiver: Receiver, tmp_path: Path) -> None:
    device = "0190f3c2-7a10-7000-8000-000000000001"
    assert put(receiver, status(device), device) == 201
    assert dataset_at(tmp_path / "set").count() == 0
    assert json.loads((tmp_path / "set" / DEVICES / f"{device}.json").read_bytes())["device"]
