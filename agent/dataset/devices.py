"""The statuses of devices in a dataset folder: `devices/NAME.json`, one file for each device."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

from agent.files import Disk
from agent.record.device_names import DEVICES, status_file
from agent.record.device_status import (
    READ_MAX,
    checked_status,
    is_older,
    with_receipt,
    without_receipt,
)

_LOCKS = 64  # statuses of devices with the same lock wait for each other


class DeviceFolder:
    """The statuses in the dataset folder `directory`. Several threads may use it at once."""

    def __init__(self, directory: Path, disk: Disk) -> None:
        self._folder = directory.absolute() / DEVICES
        self._disk = disk
        self._locks = tuple(Lock() for _ in range(_LOCKS))

    def receive(self, device: str, data: bytes, *, received_at: str, received_from: str) -> bool:
        """Store a status that came over the network, durably; return whether the device is new.

        One that is older than the stored one, of the same boot of the device, changes nothing.
        Raises `ValueError` if it is no status of this device, `OSError` if the disk refuses.
        """
        status = checked_status(data)
        if status["device"] != device:
            raise ValueError(f"its address names {device}, and it is of {status['device']}")
        stored = with_receipt(
            without_receipt(status), received_at=received_at, received_from=received_from
        )
        path = self._folder / status_file(device)
        with self._locks[hash(device) % _LOCKS]:
            before = self._read(path)
            with contextlib.suppress(ValueError):  # one that is damaged is replaced
                if before is not None and is_older(status, checked_status(before)):
                    return False
            self._write(path, stored)
        return before is None

    def put(self, device: str, data: bytes) -> None:
        """Store a status as it is, durably, in place of the former one. Raises `OSError`."""
        self._write(self._folder / status_file(device), data)

    def statuses(self) -> Iterator[tuple[str, bytes | None]]:
        """Yield the name of each file and its bytes, in order of the names.

        The bytes are None where the file is too long to be a status or cannot be read: who reads
        says that it is damaged. None at all where the folder is missing. Raises `OSError`.
        """
        names = [each.name for each in self._disk.files(self._folder)]
        for name in sorted(name for name in names if name.endswith(".json")):
            try:
                yield name, self._read(self._folder / name)
            except OSError:
                yield name, None

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
