"""The record files of an open spool, and which files on disk are not captures.

Two kinds of file name are remembered. An unlinked file may reappear after a power cut until the
folder is synced; until then its name is a tombstone in the index. The file of a failed put may
still exist; the next write removes it first, because the next start would adopt it, perhaps after
the capture was delivered under another name or counted as evicted.
"""

import contextlib
import threading
from collections.abc import Iterable, Sequence

from agent.domain import SpoolEntry
from agent.files import Disk
from agent.record.file_format import LARGEST_BYTES, file_name
from agent.spool.layout import SpoolPaths, move_reason
from agent.spool.types import EncodedCapture, MoveReason


class RecordFiles:
    """Writes, reads, moves and unlinks record files. Does not use the index."""

    def __init__(self, disk: Disk, paths: SpoolPaths) -> None:
        self._disk = disk
        self._paths = paths
        self._lock = threading.Lock()
        self._unsynced_unlinks: set[str] = set()  # unlinked; the folder is not synced yet
        self._to_remove: set[str] = set()  # of failed puts; the files may exist

    @property
    def unsynced_unlinks(self) -> int:
        """How many unlinked files may reappear after a power cut."""
        return len(self._unsynced_unlinks)

    def write(self, batch: Sequence[EncodedCapture]) -> set[str]:
        """Make record files durable, all or none; return names whose unlink is now durable.

        Raises `OSError`.
        """
        if not batch and not self._to_remove:
            return set()
        try:
            for name in self._to_remove:
                self._disk.remove(self._paths.records / name)
            for capture in batch:
                self._disk.write(self._paths.records / file_name(capture.entry), capture.data)
            unlinked = self.sync()
        except OSError:
            self.remove_failed(batch)
            raise
        self._to_remove.clear()
        return unlinked

    def remove_failed(self, batch: Iterable[EncodedCapture]) -> None:
        """Remove the files of a failed put; the next write removes those that remain."""
        self.keep_in_doubt(batch)
        for capture in batch:
            with contextlib.suppress(OSError):
                self._disk.remove(self._paths.records / file_name(capture.entry))

    def keep_in_doubt(self, batch: Iterable[EncodedCapture]) -> None:
        """Keep the files of a put that may have failed; the next write removes them."""
        self._to_remove |= {file_name(capture.entry) for capture in batch}

    def unlink(self, entries: Iterable[SpoolEntry]) -> None:
        """Remove files whose deletion is committed. May run while another thread writes.

        The name of a file that cannot be unlinked stays a tombstone; the next start removes it.
        """
        for entry in entries:
            with contextlib.suppress(OSError):
                self._disk.remove(self._paths.records / file_name(entry))
                with self._lock:
                    self._unsynced_unlinks.add(file_name(entry))

    def unlink_durably(self, entries: Iterable[SpoolEntry]) -> None:
        """`unlink`, and sync the folder if the disk allows it."""
        self.unlink(entries)
        with contextlib.suppress(OSError):
            self.sync()

    def sync(self) -> set[str]:
        """Sync the folder; return the names whose unlink is now durable."""
        with self._lock:
            unlinked = set(self._unsynced_unlinks)
        self._disk.sync_directory(self._paths.records)
        return unlinked

    def forget_unlinked(self, unlinked: set[str]) -> None:
        """Forget names whose tombstones were deleted."""
        with self._lock:
            self._unsynced_unlinks -= unlinked

    def read(self, entry: SpoolEntry) -> bytes:
        """Return all bytes of a file; the beginning of one that is too long for a record."""
        data, _ = self._disk.beginning(self._paths.records / file_name(entry), LARGEST_BYTES + 1)
        return data

    def move_away(self, entry: SpoolEntry, why: MoveReason) -> None:
        """Move a file to the folder of this reason. After a power cut it is in one of the two."""
        self._disk.move(
            self._paths.records / file_name(entry), self._paths.root / why / file_name(entry)
        )

    def move_back(self, entry: SpoolEntry) -> None:
        """Move a rejected file to the record folder. After a power cut it is in one of the two."""
        self._disk.move(
            self._paths.rejected / file_name(entry), self._paths.records / file_name(entry)
        )

    def move_reason(self, entry: SpoolEntry) -> MoveReason:
        """Return why a file that cannot be read has to be moved."""
        return move_reason(self._disk, self._paths, file_name(entry))
