"""The record files while the spool is open: which of them the folder may have that do not count.

Two kinds of name need remembering. One that was unlinked may come back with a power cut until the
folder is synced; till then it is in the index's tombstones. One of a put that failed may be there
still; the next write removes it first, because it would come back at the next start, maybe after
the capture was delivered under another name, or counted as evicted.
"""

import contextlib
import threading
from collections.abc import Iterable, Sequence

from agent.domain import SpoolEntry
from agent.files import Disk
from agent.record.file_format import file_name
from agent.spool.layout import SpoolPaths, missing_kind
from agent.spool.types import EncodedCapture, MoveReason


class RecordFiles:
    """Writes, reads, moves and unlinks record files. Knows nothing of rows."""

    def __init__(self, disk: Disk, paths: SpoolPaths) -> None:
        self._disk = disk
        self._paths = paths
        self._lock = threading.Lock()
        self._unsynced: set[str] = set()  # unlinked, folder not synced
        self._unwritten: set[str] = set()  # of puts that failed; the files may be there

    @property
    def unsynced(self) -> int:
        """How many names may come back with a power cut."""
        return len(self._unsynced)

    def write(self, batch: Sequence[EncodedCapture]) -> set[str]:
        """Make record files durable, all or none; answers with the unlinked names that now are so.

        Raises `OSError`.
        """
        if not batch and not self._unwritten:
            return set()
        try:
            for name in self._unwritten:
                self._disk.remove(self._paths.records / name)
            for newcomer in batch:
                self._disk.write(self._paths.records / file_name(newcomer.entry), newcomer.data)
            unlinked = self.sync()
        except OSError:
            self.unwrite(batch)
            raise
        self._unwritten.clear()
        return unlinked

    def unwrite(self, batch: Iterable[EncodedCapture]) -> None:
        """The put failed: its files go, those that cannot with the next write."""
        self.leave(batch)
        for newcomer in batch:
            with contextlib.suppress(OSError):
                self._disk.remove(self._paths.records / file_name(newcomer.entry))

    def leave(self, batch: Iterable[EncodedCapture]) -> None:
        """The put may have failed: its files stay until the next write."""
        self._unwritten |= {file_name(newcomer.entry) for newcomer in batch}

    def unlink(self, entries: Iterable[SpoolEntry]) -> None:
        """Remove files whose deletion is committed. May be called while others write.

        One that cannot be unlinked now stays in the tombstones, and goes at the next start.
        """
        for entry in entries:
            with contextlib.suppress(OSError):
                self._disk.remove(self._paths.records / file_name(entry))
                with self._lock:
                    self._unsynced.add(file_name(entry))

    def sync(self) -> set[str]:
        """Make the folder durable; answers with the unlinked names that now are so."""
        with self._lock:
            unlinked = set(self._unsynced)
        self._disk.sync_directory(self._paths.records)
        return unlinked

    def forget(self, unlinked: set[str]) -> None:
        """These left the tombstones."""
        with self._lock:
            self._unsynced -= unlinked

    def read(self, entry: SpoolEntry) -> bytes:
        """All bytes of a file."""
        return self._disk.read(self._paths.records / file_name(entry))

    def set_aside(self, entry: SpoolEntry, kind: MoveReason) -> None:
        """Move a file to the folder of this name. After a power cut it is there or here."""
        self._disk.move(
            self._paths.records / file_name(entry), self._paths.root / kind / file_name(entry)
        )

    def take_back(self, entry: SpoolEntry) -> None:
        """Move a rejected file among the others. After a power cut it is there or here."""
        self._disk.move(
            self._paths.rejected / file_name(entry), self._paths.records / file_name(entry)
        )

    def missing_kind(self, entry: SpoolEntry) -> MoveReason:
        """Where a file belongs that cannot be read."""
        return missing_kind(self._disk, self._paths, file_name(entry))
