"""The statuses of devices in a dataset folder: `devices/NAME.json`, one file for each device."""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Lock
from typing import Any

from agent.files import Disk
from agent.record.device_names import DEVICES, status_file
from agent.record.device_status import (
    READ_MAX,
    checked_status,
    is_older,
    with_receipt,
    without_receipt,
)
from agent.record.other_boots import other_boots, with_other_boots
from agent.record.timestamp import seconds_of

_LOCKS = 64  # statuses of devices with the same lock wait for each other


class DeviceFolder:
    """The statuses in the dataset folder `directory`. Several threads may use it at once."""

    def __init__(self, directory: Path, disk: Disk) -> None:
        self._folder = directory.absolute() / DEVICES
        self._disk = disk
        self._locks = tuple(Lock() for _ in range(_LOCKS))

    def receive(
        self,
        device: str,
        data: bytes,
        *,
        received_at: str,
        received_from: str,
        admitted: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
    ) -> bool:
        """Store a status that came over the network, durably; return whether the device is new.

        One that is older than the stored one, of the same boot of the device, changes nothing.
        The first one of a device is stored within `admitted`, which may raise.
        Raises `ValueError` if it is no status of this device, `OSError` if the disk refuses.
        """
        status = checked_status(data)
        if status["device"] != device:
            raise ValueError(f"its address names {device}, and it is of {status['device']}")
        sent = without_receipt(status)
        path = self._folder / status_file(device)
        with self._locks[hash(device) % _LOCKS]:
            before, at = self._read(path), _written(path)
            others: Sequence[Mapping[str, Any]] = ()
            with contextlib.suppress(ValueError):  # one that is damaged is replaced
                if before is not None:
                    former = checked_status(before)
                    if is_older(status, former):
                        return False
                    if former["received_at"] is not None:
                        at = seconds_of(former["received_at"])
                    others = other_boots(status, former, at or 0.0)
            stored = with_receipt(
                sent, received_at=received_at, received_from=received_from, other_boots=others
            )
            with admitted() if at is None else contextlib.nullcontext():
                self._write(path, stored)
        return at is None

    def put(self, device: str, data: bytes) -> None:
        """Store a status as its device sends it, durably, in place of the former one.

        What else sends as this device is noted in it. Raises `OSError`.
        """
        path = self._folder / status_file(device)
        with contextlib.suppress(OSError):  # the disk that does not give it may take a new one
            data = with_other_boots(data, self._read(path), _written(path) or 0.0)
        self._write(path, data)

    def statuses(self) -> Iterator[tuple[str, bytes | None]]:
        """Yield the name of each file and its bytes, in order of the names.

        The bytes are None where the file is too long to be a status or cannot be read: who reads
        says that it is damaged. None at all where the folder is missing. Raises `OSError`.
        """
        for name in sorted(self._names()):
            try:
                yield name, self._read(self._folder / name)
            except OSError:
                yield name, None

    def count(self) -> int:
        """Return the number of devices with a status, without reading any. Raises `OSError`."""
        with contextlib.suppress(FileNotFoundError):
            return sum(name.endswith(".json") for name in self._disk.file_names(self._folder))
        return 0

    def _names(self) -> list[str]:
        names = [each.name for each in self._disk.files(self._folder)]
        return [name for name in names if name.endswith(".json")]

    def _read(self, path: Path) -> bytes | None:
        """Return a file of at most `READ_MAX` bytes; None if there is none, or a longer one."""
        try:
            data, size = self._disk.beginning(path, READ_MAX)
        except FileNotFoundError:
            return None
        return data if size == len(data) else None

    def _write(self, path: Path, data: bytes) -> None:
        self._disk.make_directory(self._folder)
        self._disk.write_durably(path, data)


def _written(path: Path) -> float | None:
    """Return when a file was written, in seconds since 1970 UTC; None if there is none."""
    with contextlib.suppress(FileNotFoundError):
        return os.lstat(path).st_mtime
    return None
