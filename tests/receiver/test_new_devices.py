"""A holder of the token may send with any id: the devices are bounded, and known ones send on."""

import contextlib
import http.client
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agent.factories.datasets import dataset_at, receiver_of
from agent.receiver.limits import Limits
from agent.receiver.new_devices import HOUR_S, DeviceNotAdmitted, NewDevices
from agent.record.device_names import DEVICES
from agent.record.device_status import encoded_status
from tests.fakes.clock import ManualClock
from tests.receiver.test_receiver import ask
from tests.record.device_statuses import ABOUT, status_facts


def taken(devices: NewDevices, count: int) -> int:
    """Let so many new devices send; return how many were admitted."""
    found = 0
    for _ in range(count):
        with contextlib.suppress(DeviceNotAdmitted), devices.admitted():
            found += 1
    return found


def test_only_so_many_new_devices_are_taken_within_an_hour() -> None:
    clock = ManualClock()
    devices = NewDevices(100, 10, lambda: 0, clock)

    assert taken(devices, 30) == 10
    assert "10 came within an hour, the most of --new-devices-max" in str(devices.refusal)
    clock.now += HOUR_S
    assert devices.refusal is None
    assert taken(devices, 30) == 10


def test_room_that_a_forgotten_device_left_is_used() -> None:
    stored = ["a"] * 100
    devices = NewDevices(100, 10, lambda: len(stored), ManualClock())

    assert taken(devices, 1) == 0
    assert "100 are known, the most of --devices-max" in str(devices.refusal)
    del stored[98:]
    with devices.admitted(), devices.admitted():
        assert taken(devices, 5) == 0  # what is being stored counts too


def test_a_folder_that_cannot_be_counted_admits_none() -> None:
    def refused() -> int:
        raise OSError(5, "I/O")

    with (
        pytest.raises(OSError, match="I/O"),
        NewDevices(100, 10, refused, ManualClock()).admitted(),
    ):
        pass


def test_new_ids_are_refused_once_there_are_too_many_and_known_ones_send_on(tmp_path: Path) -> None:
    lines: list[str] = []
    receiver = receiver_of(dataset_at(tmp_path), write=lines.append, limits=Limits(devices=20))
    receiver.start()
    put = sender(receiver.port)
    try:
        with ThreadPoolExecutor(8) as pool:
            first = list(pool.map(put, range(40)))
        known = [number for number, status in enumerate(first) if status == 201]
        again = [put(number) for number in range(40)]
        _, facts, _ = ask(receiver, "GET", "/devices")
        removed, _, _ = ask(receiver, "DELETE", f"/devices/gate-{known[0]}")
    finally:
        receiver.stop()

    assert sorted(first) == [201] * 20 + [429] * 20
    assert [number for number, status in enumerate(again) if status == 200] == known
    assert len(list((tmp_path / DEVICES).iterdir())) == 20
    refused = [line for line in lines if line.startswith("refused  127.0.0.1  429")]
    assert len(refused) == 1
    assert "20 are known, the most of --devices-max; raise it, or" in refused[0]
    assert facts["notes"][0].startswith("no new device is taken: 20 are known")
    assert removed == 405  # a device may not delete another one


def sender(port: int) -> Callable[[int], int]:
    """Return what sends the heartbeat of a device, and returns the status of the answer."""

    def put(number: int) -> int:
        name = f"gate-{number}"
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            body = encoded_status(status_facts(device=name), ABOUT)
            connection.request("PUT", f"/devices/{name}", body)
            response = connection.getresponse()
            found = json.loads(response.read())
        finally:
            connection.close()
        assert ("error" in found) == (response.status == 429)
        return response.status

    return put
