"""An index in memory with the contract of `agent.spool.index.Index`, on a forgetful disk.

A commit is durable as a whole or lost as a whole; `test_index.py` runs one suite on both.
"""

import copy
import errno
import os
from collections import Counter

from forgetful_disk import ForgetfulDisk

from agent.spool.index import Change, Index
from agent.spool.index_reading import Contents

COMMIT_BYTES = 8192


class MemoryIndex(Index):
    """`durable` outlives the process and the power."""

    def __init__(self, disk: ForgetfulDisk, durable: Contents) -> None:
        self.disk = disk
        self.durable = durable

    def load(self) -> Contents:
        return copy.deepcopy(self.durable)

    def commit(self, change: Change) -> None:
        self.disk.step()  # a power cut here: the commit is lost
        if self.disk.free_bytes(self.disk.base) < COMMIT_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.apply(change)
        if self.disk.fault and self.disk.fault.error is None:
            self.disk.step()  # a power cut here: it is durable, and nobody was told

    def apply(self, change: Change) -> None:
        """Make a change durable."""
        durable = self.durable
        durable.records |= {file.name: file.size for file in change.added}
        for name in (*change.removed, *change.gone):
            durable.records.pop(name, None)
        durable.done |= set(change.removed)
        durable.done -= set(change.forgotten)
        counts = Counter(durable.counts)
        counts.update(change.counts)
        durable.counts = {name: count for name, count in counts.items() if count}
        for name, text in change.notes.items():
            if text is None:
                durable.notes.pop(name, None)
            else:
                durable.notes[name] = text

    def close(self) -> None:
        """Nothing is open."""
