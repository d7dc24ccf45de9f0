"""Heartbeats in folders: of a receiver, of many devices on one share, copied from a bucket."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from agent.dataset.devices import DeviceFolder
from agent.files import Disk
from agent.fleet.devices import Heartbeat, Problem
from agent.fleet.folder import HeartbeatFolder, devices_of_captures, devices_of_folders
from agent.record.device_names import status_file
from agent.record.device_status import READ_MAX
from agent.record.timestamp import timestamp
from tests.fakes.captures import stored_capture
from tests.fakes.clock import WALL
from tests.fakes.disk.coarse import CoarseDisk
from tests.fakes.fleet import DAY, status_fields


def written(directory: Path, device: str, at: float = WALL, **changes: Any) -> Path:
    """A status as a device writes it onto a share, at that time."""
    Disk().make_directory(directory / "devices")
    path = directory / "devices" / status_file(device)
    path.write_text(json.dumps(status_fields(device, at, **changes)), "utf-8")
    os.utime(path, (at, at))
    return path


def read(directory: Path) -> tuple[dict[str, Heartbeat], dict[str, Problem]]:
    found = HeartbeatFolder(directory, Disk(inside=directory)).read(WALL)
    beats = {each.device: each for each in found if isinstance(each, Heartbeat)}
    return beats, {each.name: each for each in found if isinstance(each, Problem)}


def test_a_missing_folder_is_an_empty_fleet(tmp_path: Path) -> None:
    assert read(tmp_path) == ({}, {})


def test_what_a_receiver_stored_has_its_time_and_a_file_of_a_share_that_of_the_file(
    tmp_path: Path,
) -> None:
    data = json.dumps(status_fields("received")).encode()
    folder = DeviceFolder(tmp_path, Disk(inside=tmp_path))
    folder.receive("received", data, received_at=timestamp(WALL + 7), received_from="10.0.0.1")
    written(tmp_path, "on the share", WALL - DAY)

    beats, problems = read(tmp_path)

    assert {name: each.received_at for name, each in beats.items()} == {
        "received": WALL + 7,
        "on the share": WALL - DAY,
    }
    assert problems == {}


@pytest.mark.parametrize("device", ["Gate 07", "tür", "../../x", "a/b", "." * 200, "x" * 200])
def test_any_name_of_a_device_is_found_again(tmp_path: Path, device: str) -> None:
    written(tmp_path, device)

    assert list(read(tmp_path)[0]) == [device]


def test_damaged_and_foreign_files_are_named_and_the_rest_is_shown(tmp_path: Path) -> None:
    written(tmp_path, "gate")
    devices = tmp_path / "devices"
    wrong = {
        "half.json": b'{"schema": 1, "at"',
        "empty.json": b"",
        "list.json": b"[]",
        "deep.json": b'{"a":' * 5000 + b"1" + b"}" * 5000,
        "huge.json": b" " * (READ_MAX + 1),
        "number.json": json.dumps(status_fields("number", waiting=-1)).encode(),
        "copy.json": json.dumps(status_fields("gate")).encode(),
        "README.txt": b"of a person",
        "yard.json.tmp": b"of a write that was cut",
    }
    for name, data in wrong.items():
        (devices / name).write_bytes(data)
    os.mkfifo(devices / "fifo.json")
    (devices / "link.json").symlink_to(devices / "gate.json")
    (devices / "folder.json").mkdir()

    beats, problems = read(tmp_path)

    assert list(beats) == ["gate"]
    no_files = {"fifo.json", "link.json", "folder.json"}
    assert set(problems) == set(wrong) - {"yard.json.tmp"} | no_files
    assert {name for name, each in problems.items() if not each.is_heartbeat} == {
        "copy.json",
        "README.txt",
    }
    assert "65,537 bytes" in problems["huge.json"].why
    assert "waiting" in problems["number.json"].why


def test_a_file_that_changed_is_read_again_and_one_that_went_is_gone(tmp_path: Path) -> None:
    folder = HeartbeatFolder(tmp_path, CoarseDisk(inside=tmp_path))
    written(tmp_path, "gate", waiting=1)
    other = written(tmp_path, "yard")

    assert len(folder.read(WALL + 1)) == 2
    written(tmp_path, "gate", waiting=2)  # as long as before, within one tick of the clock
    other.unlink()
    [found] = folder.read(WALL + 1.5)
    assert isinstance(found, Heartbeat)
    assert found.status["waiting"] == 2


def test_captures_name_devices_with_their_latest_time(tmp_path: Path) -> None:
    for number, part in ((1, "."), (2, "."), (3, "segment")):
        capture = stored_capture(number)
        folder = tmp_path / part / "records"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{capture.id}.json").write_bytes(capture.record_json)
    for name, data in (
        ("no.json", b"{"),
        ("odd.json", b'{"device": 7}'),
        ("deep.json", b"[" * 9999),
    ):
        (tmp_path / "records" / name).write_bytes(data)

    found = devices_of_captures(tmp_path, Disk(inside=tmp_path))

    record = stored_capture(3).record
    assert list(found) == [record["device"]]
    assert timestamp(found[record["device"]] or 0) == record["captured_at"]


def test_a_copy_of_a_bucket_names_devices_by_its_folders(tmp_path: Path) -> None:
    for name in ("gate/2026-05-27", "gate/2026-05-28", "yard/2026-99-99", "images", "devices"):
        (tmp_path / name).mkdir(parents=True)

    assert devices_of_folders(tmp_path) == {"gate": 1_779_926_400.0}
