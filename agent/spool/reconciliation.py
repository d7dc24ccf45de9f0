"""Rows and record files made to agree at start: the table in `recovery.py` says how."""

import errno
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from agent.domain import SpoolEntry
from agent.files import TEMPORARY_SUFFIX, Disk
from agent.logs import Log
from agent.record.file_format import HEADER_BYTES, has_whole_length, parse_name
from agent.spool.index import Index, IndexChange, RecordFile
from agent.spool.index_reading import IndexContents
from agent.spool.layout import SpoolPaths, missing_kind, prune
from agent.spool.types import MoveReason, RecoveredState, SpoolLimits

Progress = Callable[[int, int], None]
"""Hears how many files of how many were read that the index did not know."""

GROUP = 5000
"""Files without a row that are read between two signs of life, and adopted in one transaction."""


class Finding(StrEnum):
    """What a start repaired; the values are fields of the event `spool recovered`."""

    ADOPTED = "adopted"
    """A whole record file without a row."""

    UNFINISHED_PUT = "unfinished_puts"
    """A temporary file."""

    UNFINISHED_DELETE = "unfinished_deletes"
    """A record file whose name is in the tombstones."""

    UNFINISHED_REJECT = "unfinished_rejects"
    """A row whose file was already moved to `rejected/`."""

    REPEATED = "repeated"
    """A second file of one capture."""

    DAMAGED = "damaged"
    """A record file that is cut short."""

    MISSING = "missing"
    """A row without a file."""

    FOREIGN = "foreign"
    """A file that is no record file."""


@dataclass(slots=True)
class Reconciliation:
    """Makes rows and files agree, in as many transactions as bound the journal."""

    paths: SpoolPaths
    limits: SpoolLimits
    disk: Disk
    index: Index
    log: Log
    progress: Progress
    entries: dict[str, SpoolEntry] = field(default_factory=dict)
    adopted: list[RecordFile] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    found: Counter[Finding] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)

    def run(self, contents: IndexContents) -> RecoveredState:
        """Account for every row and every file. Raises `OSError`; the next start goes on then."""
        names = set(self.disk.file_names(self.paths.records))
        # Those with a row first: of two files of one capture the one that `put` returned for stays.
        for name, size in contents.records.items():
            if name in names:
                self._continue(name, size)
            else:
                self._missing(name)
        unknown = sorted(names - contents.records.keys())
        for number, name in enumerate(unknown):
            if number % GROUP == GROUP - 1:
                self._tell(number + 1, len(unknown))
            self._judge(name, contents)
        self.disk.sync_directory(self.paths.records)
        for begin in range(0, len(self.adopted), GROUP):
            group = self.adopted[begin : begin + GROUP]
            self.index.commit(IndexChange(added=tuple(group), counts={"stored": len(group)}))
        self.index.commit(
            IndexChange(
                gone=tuple(self.gone),
                forgotten=tuple(contents.done),
                counts=self.counts,
            )
        )
        aside = {
            folder: prune(self.disk, folder, self.limits.aside)
            for folder in (self.paths.rejected, self.paths.damaged)
        }
        if self.found:
            # An index that has never counted anything is new, and these files are older.
            found = {finding.value: count for finding, count in self.found.items()}
            self.log.warning("spool recovered", index_rebuilt=not contents.counts, **found)
        counts = Counter(contents.counts)
        counts.update(self.counts)
        counts["stored"] += len(self.adopted)
        return RecoveredState(self.entries, counts, contents.notes, aside)

    def _continue(self, name: str, size: int) -> None:
        """A row and its file; whether that is as it was is found when it is sent."""
        entry = parse_name(name, size)
        if entry is None:
            self._put_aside(name, Finding.FOREIGN)
            self.gone.append(name)
        else:
            self.entries[entry.id] = entry

    def _judge(self, name: str, contents: IndexContents) -> None:
        """A file without a row."""
        header, size = self._header(name)
        entry = parse_name(name, size)
        if name.endswith(TEMPORARY_SUFFIX):
            self._remove(name, Finding.UNFINISHED_PUT)
        elif entry is None:
            self._put_aside(name, Finding.FOREIGN)
        elif name in contents.done:
            self._remove(name, Finding.UNFINISHED_DELETE)
        elif entry.id in self.entries:
            self._remove(name, Finding.REPEATED)
        elif header is not None and not has_whole_length(header, size):
            self._put_aside(name, Finding.DAMAGED)
            self.counts["stored"] += 1
            self.counts[MoveReason.DAMAGED] += 1
        else:
            self.entries[entry.id] = entry
            self.adopted.append(RecordFile(name, size))
            self.found[Finding.ADOPTED] += 1

    def _header(self, name: str) -> tuple[bytes | None, int]:
        """The header and the size of a file; no header on a bad block, which is no failed start.

        What is wrong with such a file is found when it is sent.
        """
        file = self.paths.records / name
        try:
            return self.disk.beginning(file, HEADER_BYTES)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return None, self.disk.size(file)

    def _tell(self, read: int, of: int) -> None:
        """Reading so many files takes minutes on a card, and somebody may wait."""
        self.log.info("spool rebuilding", read=read, files=of)
        self.progress(read, of)

    def _missing(self, name: str) -> None:
        """A row whose file is not in the record folder."""
        kind = missing_kind(self.disk, self.paths, name)
        self.gone.append(name)
        self.counts[kind] += 1
        is_lost = kind is MoveReason.DAMAGED
        self.found[Finding.MISSING if is_lost else Finding.UNFINISHED_REJECT] += 1

    def _remove(self, name: str, what: Finding) -> None:
        self.disk.remove(self.paths.records / name)
        self.found[what] += 1

    def _put_aside(self, name: str, what: Finding) -> None:
        self.disk.move(self.paths.records / name, self.paths.damaged / name)
        self.found[what] += 1
