"""The folder `devices/`: one file for each device, whatever its name, the newest status in it."""

import json
import string
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.dataset.devices import DeviceFolder
from agent.files import Disk
from agent.record.device_names import DEVICES, status_file, status_url
from agent.record.device_status import checked_status, encoded_status
from tests.record.device_statuses import ABOUT, status_facts

AT = "2026-05-28T10:00:00.000Z"


def status(device: str = "gate-07", *, since: float = 10.0, **changed: Any) -> bytes:
    """A status as it arrives."""
    about = {**ABOUT, "since_boot_s": since}
    return encoded_status(status_facts(device=device, **changed), about)


@pytest.fixture
def folder(tmp_path: Path) -> DeviceFolder:
    return DeviceFolder(tmp_path, Disk(inside=tmp_path))


def receive(folder: DeviceFolder, data: bytes) -> bool:
    device = json.loads(data)["device"]
    return folder.receive(device, data, received_at=AT, received_from="10.0.0.7")


def stored(folder: DeviceFolder) -> dict[str, Any]:
    """The checked statuses by device."""
    found = [checked_status(data) for _, data in folder.statuses() if data is not None]
    return {each["device"]: each for each in found}


def test_a_status_is_stored_with_when_and_from_where_it_came(
    folder: DeviceFolder, tmp_path: Path
) -> None:
    assert receive(folder, status())
    assert not receive(folder, status(since=11.0))
    found = stored(folder)["gate-07"]
    assert (found["received_at"], found["received_from"]) == (AT, "10.0.0.7")
    assert (tmp_path / DEVICES / "gate-07.json").is_file()


def test_a_status_of_another_device_is_refused(folder: DeviceFolder) -> None:
    with pytest.raises(ValueError, match="its address names a, and it is of b"):
        folder.receive("a", status("b"), received_at=AT, received_from="10.0.0.7")


def test_a_sender_cannot_say_when_it_was_received(folder: DeviceFolder) -> None:
    forged = json.loads(status()) | {"received_at": "1999-01-01T00:00:00Z", "received_from": "x"}
    receive(folder, json.dumps(forged).encode())
    assert stored(folder)["gate-07"]["received_at"] == AT


def test_an_older_status_of_the_same_boot_changes_nothing(folder: DeviceFolder) -> None:
    receive(folder, status(since=20.0, waiting=2))
    receive(folder, status(since=10.0, waiting=1))
    assert stored(folder)["gate-07"]["waiting"] == 2


def test_two_devices_with_one_id_are_noted(folder: DeviceFolder) -> None:
    """The minutes are those at which the receiver got them: a device has one in each of them."""
    for minute, (boot, since) in enumerate([("a", 60.0), ("b", 900.0), ("a", 180.0)]):
        at, address = f"2026-05-28T10:{minute:02}:00.000Z", f"10.0.0.{ord(boot)}"
        data = json.dumps({**json.loads(status(since=since)), "boot": boot}).encode()
        folder.receive("gate-07", data, received_at=at, received_from=address)

    found = stored(folder)["gate-07"]
    assert (found["boot"], found["received_from"]) == ("a", "10.0.0.97")
    assert found["other_boots"][0] == {
        "boot": "b",
        "since_boot_s": 900.0,
        "last": "2026-05-28T10:01:00.000Z",
        "received_from": "10.0.0.98",
        "is_other_device": True,
    }


def test_a_sender_cannot_say_that_others_send(folder: DeviceFolder) -> None:
    other = {"boot": "b", "last": AT, "is_other_device": True}
    forged = json.dumps({**json.loads(status()), "other_boots": [other]}).encode()
    receive(folder, forged)
    receive(folder, status(since=20.0))
    assert stored(folder)["gate-07"]["other_boots"] == []


def test_a_damaged_file_is_replaced(folder: DeviceFolder, tmp_path: Path) -> None:
    receive(folder, status())
    for damage in (b"", b"{", b"x" * 100_000):
        (tmp_path / DEVICES / "gate-07.json").write_bytes(damage)
        receive(folder, status())
        assert "gate-07" in stored(folder)


def test_no_device_is_lost_when_many_arrive_at_once(folder: DeviceFolder) -> None:
    names = [f"device-{n}" for n in range(12)]

    def send(first: int) -> None:
        for n, name in enumerate(names):
            receive(folder, status(name, since=float(first * 100 + n)))

    threads = [threading.Thread(target=send, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = stored(folder)
    assert sorted(found) == sorted(names)
    assert found["device-3"]["since_boot_s"] == 303.0  # the newest, whichever thread was last


@pytest.mark.parametrize("device", ["../x", ".", "..", "/etc/passwd", "a/b", ".hidden", "x" * 200])
def test_no_name_leaves_the_folder(folder: DeviceFolder, tmp_path: Path, device: str) -> None:
    receive(folder, status(device))
    assert device in stored(folder)
    assert [path.name for path in tmp_path.iterdir()] == [DEVICES]


def test_nothing_is_written_through_a_link(folder: DeviceFolder, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / DEVICES).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="link"):
        receive(folder, status())
    assert not list((tmp_path / "elsewhere").iterdir())


@given(st.sets(st.text(min_size=1, max_size=200), min_size=2, max_size=5))
def test_two_devices_never_have_the_same_file(devices: set[str]) -> None:
    names = {status_file(device).lower() for device in devices}
    assert len(names) == len(devices)
    assert all(len(name) <= 210 for name in names)
    allowed = set(string.ascii_lowercase + string.digits + "._-%~")
    assert all(set(name) <= allowed and not name.startswith(".") for name in names)


def test_where_capitals_count_they_stay_in_the_name() -> None:
    assert status_file("Gate-07", keeps_capitals=True) == "Gate-07.json"
    assert status_file("Gate-07") == "%47ate-07.json"


@pytest.mark.parametrize(
    ("url", "device", "expected"),
    [
        ("http://h:8000/captures", "gate-07", "http://h:8000/devices/gate-07"),
        ("http://h:8000", "gate-07", "http://h:8000/devices/gate-07"),
        ("http://h:8000/", "gate-07", "http://h:8000/devices/gate-07"),
        ("https://h/api/v1/captures?key=x", "a/b", "https://h/api/v1/devices/a%2Fb?key=x"),
        ("https://h/api/captures/", "tür 1", "https://h/api/captures/devices/t%C3%BCr%201"),
        ("https://[fd00::1]/x", "a?b#c%", "https://[fd00::1]/devices/a%3Fb%23c%25"),
    ],
)
def test_the_status_is_beside_the_captures(url: str, device: str, expected: str) -> None:
    assert status_url(url, device) == expected
