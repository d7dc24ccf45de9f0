"""Reads the heartbeats in a folder: of a receiver, of devices with `dir:`, or copied from a bucket.

devices/NAME.json             the latest heartbeat of each device (`agent.dataset.devices`)
records/ID.json               captures, which name their devices
DEVICE/yyyy-mm-dd/ID.json     the same where the folder is a copy of a bucket
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any

from agent.dataset.records import RECORD_MAX, part_folders
from agent.errors import ConfigurationError
from agent.files import TEMPORARY_SUFFIX, Disk, FileEntry
from agent.fleet.devices import Heartbeat, Problem
from agent.fleet.reading import (
    DEVICES_MAX,
    ENDING,
    foreign,
    heartbeat_of,
    no_file,
    too_long,
    too_many,
)
from agent.printable import printable
from agent.record.device_names import DEVICES, status_file
from agent.record.device_status import DEVICE_MAX, READ_MAX
from agent.record.timestamp import seconds_of

CAPTURES_MAX = 20_000
"""The newest captures that are asked which device they are of: a second's work on a card."""

_SETTLED_S = 2.0  # a file that was changed later may change again within one tick of its clock
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")

Found = Heartbeat | Problem


@dataclass(frozen=True, slots=True)
class _Kept:
    size: int
    changed: float
    found: Found


class HeartbeatFolder:
    """The heartbeats in a dataset folder. Thread-safe.

    What did not change since the last look is not read again.
    """

    def __init__(self, directory: Path, disk: Disk) -> None:
        self.directory = directory.absolute()
        self._folder = self.directory / DEVICES
        self._disk = disk
        self._kept: dict[str, _Kept] = {}
        self._lock = Lock()

    def read(self, now: float) -> list[Found]:
        """Return each heartbeat and each problem, in order of the names.

        `now`: seconds since 1970 UTC, by the clock of this computer.
        Raises `OSError` where the folder itself cannot be read; a missing one is empty.
        """
        with self._lock:
            files = sorted(self._disk.files(self._folder), key=lambda each: each.name)
            found = [foreign(each.name) for each in files if _is_foreign(each.name)]
            found += [no_file(name) for name in self._no_files()]
            files = [each for each in files if each.name.endswith(ENDING)]
            kept = {each.name: self._read(each, now) for each in files[:DEVICES_MAX]}
            self._kept = kept
            crowd = [too_many(len(files))] if len(files) > DEVICES_MAX else []
            return [*(each.found for each in kept.values()), *found, *crowd]

    def _no_files(self) -> list[str]:
        """Return the links, folders and pipes with the name of a heartbeat: none is read."""
        try:
            with os.scandir(self._folder) as entries:
                return sorted(
                    each.name
                    for each in entries
                    if each.name.endswith(ENDING) and not each.is_file(follow_symlinks=False)
                )
        except FileNotFoundError:
            return []

    def _read(self, file: FileEntry, now: float) -> _Kept:
        kept = self._kept.get(file.name)
        is_settled = now - file.changed > _SETTLED_S
        if kept is not None and is_settled and (kept.size, kept.changed) == _state(file):
            return kept
        return _Kept(*_state(file), self._fresh(file.name))

    def _fresh(self, name: str) -> Found:
        path = self._folder / name
        try:
            data, size = self._disk.beginning(path, READ_MAX)
            changed = os.lstat(path).st_mtime
        except OSError as error:
            return Problem(name, f"it cannot be read: {error.strerror}")
        return too_long(name, size) if size > len(data) else heartbeat_of(name, data, changed)


def forget_in(directory: Path, disk: Disk, device: str) -> bool:
    """Delete the heartbeat of a device durably; False if it has none.

    Raises `ConfigurationError` if its file is of another device, `OSError` if the disk refuses.
    """
    folder = directory.absolute() / DEVICES
    names = {status_file(device), status_file(device, keeps_capitals=True)}
    # By the names that are there: some file systems take capitals for small letters.
    found = [each.name for each in disk.files(folder) if each.name in names]
    for name in found:
        data, _ = disk.beginning(folder / name, READ_MAX)
        held = heartbeat_of(name, data, 0.0)
        if isinstance(held, Problem) and not held.is_heartbeat:
            raise ConfigurationError(f"cannot forget {printable(device)}: {held.why}")
        disk.remove(folder / name)
    if found:
        disk.sync_directory(folder)
    return bool(found)


def devices_of_captures(directory: Path, disk: Disk) -> dict[str, float | None]:
    """Return the devices that the captures of a folder name, with the time of the latest one.

    The newest `CAPTURES_MAX` captures are read; those that cannot be are passed over: other
    commands name them. Raises `OSError` where a folder cannot be listed.
    """
    found: dict[str, float | None] = {}
    for folder in (directory, *part_folders(directory)):
        records = folder / "records"
        # An id begins with the time at which it was made (UUID version 7).
        names = sorted((each.name for each in disk.files(records)), reverse=True)
        for name in names[:CAPTURES_MAX]:
            _note(found, _record(disk, records / name))
    return found


def devices_of_folders(directory: Path) -> dict[str, float | None]:
    """Return the folders of devices in a copy of a bucket, with the day of the latest capture.

    Raises `OSError` where a folder cannot be listed.
    """
    found: dict[str, float | None] = {}
    with os.scandir(directory) as entries:
        names = [each.name for each in entries if each.is_dir(follow_symlinks=False)]
    for name in names:
        latest = None
        with os.scandir(directory / name) as entries:
            for each in entries:
                day = day_of(each.name)
                if day is None:
                    break  # images/ and the like may have many files
                latest = day if latest is None else max(latest, day)
        if latest is not None:
            found[name] = latest
    return found


def named_by(record: Mapping[str, Any]) -> tuple[str, float | None] | None:
    """Return the device of a record and when it was captured; None where it names none."""
    device = record.get("device")
    if not isinstance(device, str) or not 0 < len(device) <= DEVICE_MAX:
        return None
    try:
        return device, seconds_of(str(record.get("captured_at")))
    except (ValueError, OverflowError):
        return device, None


def day_of(name: str) -> float | None:
    """Return the beginning of a day from its name `yyyy-mm-dd`; None for any other name."""
    if not _DAY.fullmatch(name):
        return None
    try:
        return datetime.fromisoformat(name).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _note(found: dict[str, float | None], record: Mapping[str, Any]) -> None:
    named = named_by(record)
    if named is not None:
        device, at = named
        known = found.get(device)
        found[device] = at if known is None else max(known, at or known)


def _record(disk: Disk, path: Path) -> Mapping[str, Any]:
    try:
        data, size = disk.beginning(path, RECORD_MAX)
        record = json.loads(data) if size == len(data) else None
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _is_foreign(name: str) -> bool:
    return not name.endswith((ENDING, ENDING + TEMPORARY_SUFFIX))


def _state(file: FileEntry) -> tuple[int, float]:
    return file.size, file.changed
