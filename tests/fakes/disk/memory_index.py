"""An index in memory with the contract of `agent.spool.index.Index`, on a `PowerCutDisk`.

A commit is durable or lost as a whole; `tests/spool/test_index.py` runs one suite on both.
"""

import copy
import errno
import os
from collections import Counter
from dataclasses import dataclass, field

from agent.spool.index import Index, IndexChange
from agent.spool.index_reading import IndexContents, InDoubtError
from tests.fakes.disk.power_cut import PowerCutDisk

COMMIT_BYTES = 8192


@dataclass(slots=True)
class Medium:
    """The content that survives kills and power cuts."""

    contents: IndexContents = field(default_factory=IndexContents)
    doubtful: list[IndexChange] = field(default_factory=list)
    """Commits that failed since the last successful one."""

    doubts: int = 0  # resolved so far

    def resolve(self) -> None:
        """Commit one of the doubtful changes, or none; each call chooses the next possibility."""
        if self.doubtful:
            self.doubts += 1
            found = [*self.doubtful, None][self.doubts % (len(self.doubtful) + 1)]
            self.doubtful.clear()
            if found is not None:
                self.apply(found)

    def apply(self, change: IndexChange) -> None:
        """Make a change durable."""
        contents = self.contents
        contents.records |= {file.name: file.size for file in change.added}
        for name in (*change.removed, *change.unlisted):
            contents.records.pop(name, None)
        contents.tombstones |= set(change.removed)
        contents.tombstones -= set(change.cleared)
        counts = Counter(contents.counts)
        counts.update(change.counts)
        contents.counts = {name: count for name, count in counts.items() if count}
        for name, text in change.notes.items():
            if text is None:
                contents.notes.pop(name, None)
            else:
                contents.notes[name] = text


class MemoryIndex(Index):
    """The index of one process. A failing step makes a commit fail."""

    def __init__(self, disk: PowerCutDisk, medium: Medium) -> None:
        self.disk = disk
        self.medium = medium

    def load(self) -> IndexContents:
        self.medium.resolve()
        return copy.deepcopy(self.medium.contents)

    def commit(self, change: IndexChange) -> None:
        if self.disk.free_bytes(self.disk.base) < COMMIT_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        try:
            self.disk.step()  # a power cut here: the commit is lost
        except OSError as error:
            self.medium.doubtful.append(change)
            try:
                self.discard_failed()
            except OSError:
                raise InDoubtError(error.errno, error.strerror) from error
            raise
        self.medium.doubtful.clear()
        self.apply(change)
        if self.disk.fault and self.disk.fault.error is None:
            self.disk.step()  # a power cut here: it is durable, but `commit` never returns

    def discard_failed(self) -> None:
        if self.medium.doubtful:
            self.disk.step()
            self.medium.doubtful.clear()

    def apply(self, change: IndexChange) -> None:
        """Make a change durable."""
        self.medium.apply(change)

    def close(self) -> None:
        """Do nothing: no file is open."""
