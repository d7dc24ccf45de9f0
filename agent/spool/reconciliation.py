"""Makes index rows and record files consistent at start; the table in `recovery.py` says how."""

import errno
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from agent.domain import LANES, EvictionClass, SpoolEntry
from agent.files import TEMPORARY_SUFFIX, Disk
from agent.logs import Log
from agent.record.file_format import HEADER_BYTES, file_name, has_whole_length, parse_name
from agent.spool.disk_budget import log_pruned
from agent.spool.eviction import INCLUSION_NOTE, InclusionProbabilities
from agent.spool.facts import Facts, Notes
from agent.spool.index import Index, IndexChange, RecordFile
from agent.spool.index_reading import IndexContents
from agent.spool.layout import SpoolPaths, move_reason, prune
from agent.spool.types import EvictionReason, MoveReason, RecoveredState, SpoolLimits

Progress = Callable[[int, int], None]
"""Called with the number of unindexed files that were read, and their total."""

GROUP = 5000
"""Unindexed files per progress report, and per transaction that adopts them."""


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
    """A file that is not a record file."""

    COUNTERS = "damaged_counters"
    """Counters that could not be read; `stored` was computed from the others."""

    EVICTED = "evicted"
    """A capture that made room for the index on a full disk."""


@dataclass(slots=True)
class Reconciliation:
    """Makes rows and files consistent, in several transactions so that the journal stays small."""

    paths: SpoolPaths
    limits: SpoolLimits
    disk: Disk
    index: Index
    log: Log
    progress: Progress
    evicted: Sequence[SpoolEntry] = ()
    """Captures whose files were removed before the index could be opened, on a full disk."""

    entries: dict[str, SpoolEntry] = field(default_factory=dict)
    adopted: list[RecordFile] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)
    found: Counter[Finding] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)

    def run(self, contents: IndexContents) -> RecoveredState:
        """Handle every row and every file. Raises `OSError`; the next start then continues."""
        notes: Notes = {**self._count_evicted(contents)}
        names = set(self.disk.file_names(self.paths.records))
        names -= self._keep_one_of_two(names, contents)
        # Files with a row first: of two files of one capture, keep the one that `put` returned for.
        for name, size in contents.records.items():
            if name in names:
                self._keep_row(name, size)
            else:
                self._handle_missing(name)
        unknown = sorted(names - contents.records.keys())
        for number, name in enumerate(unknown):
            if number % GROUP == GROUP - 1:
                self._report_progress(number + 1, len(unknown))
            self._handle_unindexed(name, contents)
        # The folder that a file was moved to first, so that it is always in one of the two.
        for folder in (self.paths.rejected, self.paths.damaged, self.paths.records):
            self.disk.sync_directory(folder)
        notes |= Facts(contents.notes).orphaned(self.entries)
        for begin in range(0, len(self.adopted), GROUP):
            group = self.adopted[begin : begin + GROUP]
            self.index.commit(IndexChange(added=tuple(group), counts={"stored": len(group)}))
        self.index.commit(
            IndexChange(
                unlisted=tuple(self.unlisted),
                cleared=tuple(contents.tombstones),
                counts=self.counts,
                notes=notes,
            )
        )
        moved_bytes = {
            folder: self._prune(folder) for folder in (self.paths.rejected, self.paths.damaged)
        }
        counts = Counter(contents.counts)
        counts.update(self.counts)
        counts["stored"] += len(self.adopted)
        if contents.invalid_counts:
            self._restore_law(counts)
        if self.found:
            # An index without counters is new, so it was rebuilt from these files.
            found = {finding.value: count for finding, count in self.found.items()}
            self.log.warning("spool recovered", index_rebuilt=not contents.counts, **found)
        notes = {"sequence": str(self._last_moved()), **contents.notes, **notes}
        present = {name: text for name, text in notes.items() if text is not None}
        return RecoveredState(self.entries, counts, present, moved_bytes)

    def _last_moved(self) -> int:
        """Return the highest sequence of a file that was moved away; 0 if there is none.

        Where the index was lost, no new capture may have the sequence of one that can come back.
        """
        return max(
            (
                entry.sequence
                for folder in (self.paths.rejected, self.paths.damaged)
                for file in self.disk.files(folder)
                if (entry := parse_name(file.name, file.size)) is not None
            ),
            default=0,
        )

    def _keep_one_of_two(self, names: set[str], contents: IndexContents) -> set[str]:
        """Handle files that are in `rejected/` too; return those removed from the record folder.

        A move that did not finish may leave both. Without its row, the rejection had finished.
        """
        twice = {file.name for file in self.disk.files(self.paths.rejected)} & names
        for name in twice & contents.records.keys():
            self.disk.remove(self.paths.rejected / name)
            self.found[Finding.REPEATED] += 1
        finished = twice - contents.records.keys()
        for name in finished:
            self._remove(name, Finding.REPEATED)
        return finished

    def _prune(self, folder: Path) -> int:
        """Prune a folder to its limit; return the bytes that are left."""
        limit = self.limits.max_moved_bytes
        pruned = prune(self.disk, folder, limit)
        log_pruned(self.log, folder, pruned, limit)
        return pruned.bytes_left

    def _restore_law(self, counts: Counter[str]) -> None:
        """After a damaged counter, let `stored` be what the others add up to."""
        others = sum(count for name, count in counts.items() if name != "stored")
        missing = others + len(self.entries) - counts["stored"]
        invalid = dict.fromkeys(counts, 0)  # replaces the texts that could not be read
        self.index.commit(IndexChange(counts=invalid | {"stored": missing}))
        counts["stored"] += missing
        self.found[Finding.COUNTERS] += 1

    def _count_evicted(self, contents: IndexContents) -> dict[str, str]:
        """Count captures that had to make room; return the changed note of random ones."""
        inclusion = InclusionProbabilities.from_text(contents.notes.get(INCLUSION_NOTE, "[]"))
        notes = {}
        for entry in self.evicted:
            name = file_name(entry)
            if name in contents.tombstones:
                continue
            if contents.records.pop(name, None) is None:  # it would have been adopted
                self.counts["stored"] += 1
            self.unlisted.append(name)
            self.counts[EvictionReason.DISK_FULL.counter] += 1
            self.found[Finding.EVICTED] += 1
            if LANES[entry.lane].eviction is EvictionClass.BY_TAG:
                last = max(int(contents.notes.get("sequence", "0")), entry.sequence)
                inclusion = inclusion.after_eviction(entry.random_tag, last + 1)
                notes[INCLUSION_NOTE] = inclusion.text
        return notes

    def _keep_row(self, name: str, size: int) -> None:
        """Handle a row with a file; damage inside the file is found when it is claimed."""
        entry = parse_name(name, size)
        if entry is None:
            self._move_to_damaged(name, Finding.FOREIGN)
            self.unlisted.append(name)
        else:
            self.entries[entry.id] = entry

    def _handle_unindexed(self, name: str, contents: IndexContents) -> None:
        """Handle a file without a row."""
        header, size = self._header(name)
        entry = parse_name(name, size)
        if name.endswith(TEMPORARY_SUFFIX):
            self._remove(name, Finding.UNFINISHED_PUT)
        elif entry is None:
            self._move_to_damaged(name, Finding.FOREIGN)
        elif name in contents.tombstones:
            self._remove(name, Finding.UNFINISHED_DELETE)
        elif entry.id in self.entries:
            self._remove(name, Finding.REPEATED)
        elif header is not None and not has_whole_length(header, size):
            self._move_to_damaged(name, Finding.DAMAGED)
            self.counts["stored"] += 1
            self.counts[MoveReason.DAMAGED] += 1
        else:
            self.entries[entry.id] = entry
            self.adopted.append(RecordFile(name, size))
            self.found[Finding.ADOPTED] += 1

    def _header(self, name: str) -> tuple[bytes | None, int]:
        """Return the header and the size of a file; no header if it is on a bad block.

        A bad block must not prevent the start; the damage is found when the capture is claimed.
        """
        file = self.paths.records / name
        try:
            return self.disk.beginning(file, HEADER_BYTES)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return None, self.disk.size(file)

    def _report_progress(self, read: int, of: int) -> None:
        """Report progress: reading many files takes minutes on an SD card."""
        self.log.info("spool rebuilding", read=read, files=of)
        self.progress(read, of)

    def _handle_missing(self, name: str) -> None:
        """Handle a row whose file is not in the record folder."""
        why = move_reason(self.disk, self.paths, name)
        self.unlisted.append(name)
        self.counts[why] += 1
        is_lost = why is MoveReason.DAMAGED
        self.found[Finding.MISSING if is_lost else Finding.UNFINISHED_REJECT] += 1

    def _remove(self, name: str, what: Finding) -> None:
        self.disk.remove(self.paths.records / name)
        self.found[what] += 1

    def _move_to_damaged(self, name: str, what: Finding) -> None:
        self.disk.move(self.paths.records / name, self.paths.damaged / name)
        self.found[what] += 1
