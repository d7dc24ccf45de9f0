"""The spool: unconfirmed captures on disk, safe through power cuts and full disks.

A capture exists if its record file does; the index says which deletions are finished. A put:

1. writes and syncs the record files, and syncs their folder once;
2. commits one transaction: rows, evictions, counters, tombstones;
3. unlinks the evicted files, and only then returns.

An acknowledgement commits one transaction that replaces the row by a tombstone, then unlinks the
file and syncs the folder, so that the capture stays deleted even if the index is lost. If a power
cut comes before that and restores the file, its tombstone identifies it. A tombstone is deleted
with the first put after the folder was synced. `recovery.py` lists what a start may find.

A failed commit is in doubt until another one succeeds (`index.py`): a start before that may find it
committed. So an in-doubt put keeps its files, and the next put first overwrites the failed commit.
"""

import contextlib
import errno
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence

from agent.domain import LANES, EvictionClass, SpoolEntry, StoredCapture
from agent.errors import DamagedRecord, SpoolUnavailable
from agent.files import Disk
from agent.logs import Log
from agent.ports import Clock, SendDecision, SendOrder
from agent.record import file_format as record
from agent.record.file_format import file_name, occupied_bytes
from agent.selection.budget.send_order import ValueOrder
from agent.spool.admission import admit
from agent.spool.disk_budget import DiskBudget, Shortage
from agent.spool.eviction import INCLUSION_NOTE, EvictionQueue, InclusionProbabilities
from agent.spool.index import Index, IndexChange, RecordFile
from agent.spool.index_notes import IndexNotes
from agent.spool.index_reading import InDoubtError
from agent.spool.layout import SpoolPaths
from agent.spool.ledger_file import LedgerFile
from agent.spool.record_files import RecordFiles
from agent.spool.types import (
    EncodedCapture,
    EvictionReason,
    MoveReason,
    NewCapture,
    PutResult,
    RecoveredState,
    SpoolLimits,
)

_SAVED = "kept/"  # prefix of saved notes; the name on disk
_MAX_TOMBSTONES = 512  # unlinks before the record folder is synced without a put
_UNREADABLE = frozenset({errno.ENOENT, errno.EIO, errno.ELOOP})
"""The file is missing, on a bad block, or no regular file."""


class Spool:
    """Captures on disk that no endpoint has confirmed yet.

    A capture exists exactly when its record file is whole. `put` returns once it would survive a
    power cut; `acknowledge` returns once it would not come back after one. All methods are
    thread-safe. On a disk error, methods that write raise `SpoolUnavailable` and change nothing.
    If the process restarts before the next successful write, a failed put or deletion may turn out
    to have been committed.
    """

    def __init__(
        self,
        paths: SpoolPaths,
        limits: SpoolLimits,
        *,
        disk: Disk,
        index: Index,
        state: RecoveredState,
        clock: Clock,
        log: Log,
        ledger_files: Sequence[LedgerFile],
        order: SendOrder | None = None,
    ) -> None:
        """Continue from the recovered state.

        `order` decides what is sent next; the default sends everything, highest value first.
        """
        self._files = RecordFiles(disk, paths)
        self._ledger_files = ledger_files
        self._disk_budget = DiskBudget(paths, limits, disk, state.moved_bytes, log)
        self._index_notes = IndexNotes(index, self._disk_budget, state)
        self._facts = self._index_notes.facts
        self._clock = clock
        self._log = log
        self._lock = threading.RLock()
        self._entries = state.entries
        self._claimed: dict[str, SpoolEntry] = {}
        self._half_moved: set[str] = set()  # ids of rejections that failed; may be in `rejected/`
        waiting = state.entries.values()
        self._eviction_queue = EvictionQueue(waiting, attempted=self._index_notes.attempted())
        self._order = order or ValueOrder()
        self._order.restore(state.notes, [(one, self._index_notes.hint(one)) for one in waiting])
        self._inclusion = InclusionProbabilities.from_text(state.notes.get(INCLUSION_NOTE, "[]"))
        self._sequence = max(
            [int(state.notes.get("sequence", "0")), *(entry.sequence for entry in waiting)]
        )
        self._used = sum(occupied_bytes(entry) for entry in waiting)
        self.arrived = threading.Condition(self._lock)
        """Notified when a capture becomes claimable."""

    # State

    def waiting(self) -> int:
        """Return the number of captures that are not delivered, including those in flight."""
        with self._lock:
            return len(self._entries)

    def in_flight(self) -> int:
        """Return the number of claimed captures that are not finished."""
        with self._lock:
            return len(self._claimed)

    def waits(self, capture_id: str) -> SpoolEntry | None:
        """Return the entry of a capture that is not delivered; never waits for the disk."""
        return self._entries.get(capture_id)  # without the lock, which is held during syncs

    def read(self, capture_id: str) -> StoredCapture | None:
        """Read a capture that waits, or is in flight; None if there is none that can be read."""
        entry = self._entries.get(capture_id)
        if entry is None:
            return None
        try:
            return record.decode_as(entry, self._files.read(entry))
        except (DamagedRecord, OSError):  # the claim of it says what is wrong
            return None

    def hint(self, capture_id: str) -> str:
        """Return the hint for the send order of a capture that waits; empty if it has none."""
        with self._lock:
            entry = self._entries.get(capture_id)
            return "" if entry is None else self._index_notes.hint(entry)

    def counts(self) -> dict[str, int]:
        """Return totals since the spool was created.

        Keys: stored, delivered, rejected, damaged, evicted/REASON.
        """
        with self._lock:
            return dict(self._index_notes.counts)

    @property
    def is_disk_short(self) -> bool:
        """Whether the file system had no room for the latest captures."""
        return self._disk_budget.is_short

    def occupied(self) -> int:
        """Return the bytes on disk that count against the budget."""
        with self._lock:
            return self._used + self._disk_budget.overhead()

    # Life of a capture

    def put(self, captures: Sequence[NewCapture]) -> PutResult:
        """Store captures; return once those kept would survive a power cut.

        Over budget, the least valuable captures are evicted and counted; new captures may be among
        them.
        """
        with self._lock:
            batch = self._encode(captures)
            size = sum(occupied_bytes(capture.entry) for capture in batch)
            try:
                short = self._disk_budget.shortage(size)
                try:
                    stored = self._put(batch, short)
                except OSError as error:
                    if not self._disk_budget.is_full(error):
                        raise
                    self._disk_budget.free_reserve()
                    short = Shortage(size, EvictionReason.DISK_FULL)
                    stored = self._put(batch, short)
            except OSError as error:
                raise SpoolUnavailable(f"cannot store a capture: {error}") from error
            self._disk_budget.after_put(short.reason, waiting=self.waiting())
            return stored

    def claim(
        self, *, last: Sequence[str] = (), unlike: Sequence[str] = ()
    ) -> StoredCapture | None:
        """Claim the capture to send next; return None when none may be sent.

        Captures with an id in `last` are claimed only when there is no other, in that order. With
        `unlike`, ids of claimed captures, claim one that is as unlike these as possible. Finish
        each claim with one of `acknowledge`, `release` and `reject`; a restart releases all.
        """
        while True:
            with self._lock:
                refused = [self._claimed[one] for one in unlike if one in self._claimed]
                choice = self._order.choose_unlike(refused, last) if refused else None
                choice = choice or self._choose(last)
                if choice is None:
                    return None
                entry = choice.entry
                inclusion = 1.0
                if LANES[entry.lane].eviction is EvictionClass.BY_TAG:
                    inclusion = self._index_notes.fix_inclusion(
                        entry, self._inclusion.probability_of(entry.sequence)
                    )
                is_purchase = any(copies.note in choice.notes for copies in self._ledger_files)
                facts = self._facts.attach(entry.id, is_purchase=is_purchase)
                notes = {**choice.notes, **facts}
                try:
                    if notes or self._index_notes.must_commit(entry):
                        self._copy_ledgers(choice.notes)
                        self._commit(IndexChange(notes=notes))
                except OSError as error:
                    self._index_notes.release_inclusion(entry)
                    raise SpoolUnavailable(f"cannot record a send attempt: {error}") from error
                self._order.take(choice)
                self._eviction_queue.remove(entry)
                self._claimed[entry.id] = entry
                self._facts.sent(entry.id)
                carried = self._facts.carried_by(entry.id)
            try:
                capture = record.decode_as(entry, self._files.read(entry))
            except (DamagedRecord, OSError) as error:
                self._move_unreadable(entry, error)
            else:
                return record.with_verdicts(record.reweighted(capture, inclusion), carried)

    def _choose(self, last: Sequence[str]) -> SendDecision | None:
        """Return the next in order that is not in `last`, or the first of those that are."""
        choice = self._order.choose()
        passed: list[SendDecision] = []
        # Do not skip one that needs a new credit: it was never sent before.
        while choice is not None and choice.entry.id in last and not choice.notes:
            self._order.take(choice)
            passed.append(choice)
            choice = self._order.choose()
        for one in passed:
            self._order.give_back(one.entry)
        return choice or min(passed, key=lambda one: last.index(one.entry.id), default=None)

    def acknowledge(self, *capture_ids: str) -> None:
        """Delete captures that the endpoint confirmed, all in one transaction or none.

        Returns once they would not come back after a power cut.
        """
        with self._lock:
            entries = [self._claimed[capture_id] for capture_id in capture_ids]
            notes: dict[str, str | None] = {"last_delivered": f"{self._clock.wall():.3f}"}
            for entry in entries:
                notes |= self._index_notes.deletions(entry, is_delivered=True)
            change = IndexChange(
                removed=tuple(file_name(entry) for entry in entries),
                counts={"delivered": len(entries)},
                notes=notes,
            )
            try:
                self._undo_moves(entries)
                self._commit(change)
            except OSError as error:
                raise SpoolUnavailable(f"cannot delete delivered captures: {error}") from error
            for entry in entries:
                self._drop(entry)
        # Outside of the lock: unlinking takes milliseconds on some disks and must not block claims.
        self._files.unlink_durably(entries)
        with self._lock:
            if self._files.unsynced_unlinks >= _MAX_TOMBSTONES:
                self._clear_tombstones()

    def release(self, capture_id: str) -> None:
        """Return a claimed capture to the waiting ones. Writes nothing."""
        with self._lock:
            entry = self._claimed.pop(capture_id)
            self._eviction_queue.add(entry, is_attempted=True)
            self._order.give_back(entry)
            self.arrived.notify()

    def reject(self, capture_id: str) -> None:
        """Move a capture that the endpoint refused for good to `rejected/`; no retry."""
        self._move_away(self._claimed[capture_id], MoveReason.REJECTED)

    def requeue(self, entry: SpoolEntry) -> None:
        """Move a rejected capture back to the waiting ones.

        After a power cut it is in `rejected/` or waits. Raises `ValueError` when it waits already.
        """
        if entry.id in self._entries:
            raise ValueError(f"cannot requeue {entry.id}: it waits already")
        with self._lock:
            # After the index was rebuilt, what is in `rejected/` is counted nowhere.
            is_counted = self._index_notes.counts[MoveReason.REJECTED] > 0
            counts = {str(MoveReason.REJECTED): -1} if is_counted else {"stored": 1}
            file = RecordFile(file_name(entry), entry.size)
            try:
                # The row first: until the file is moved, a start finds an unfinished rejection.
                self._commit(
                    IndexChange(added=(file,), counts=counts, notes=self._facts.requeued(entry.id))
                )
                self._move_back(entry, counts)
            except OSError as error:
                raise SpoolUnavailable(f"cannot requeue a rejected capture: {error}") from error
            self._entries[entry.id] = entry
            self._eviction_queue.add(entry)
            self._order.arrive(entry, "")
            self._used += occupied_bytes(entry)
            self._disk_budget.after_requeue(entry.size)
            self.arrived.notify()

    def _move_back(self, entry: SpoolEntry, counts: Mapping[str, int]) -> None:
        """Move a file back, or undo the commit before it and raise `OSError`.

        If that cannot be undone either, the capture waits, as the index says: a claim or the next
        start finds where its file is.
        """
        try:
            self._files.move_back(entry)
        except OSError:
            undone = {name: -count for name, count in counts.items()}
            try:
                self._files.move_away(entry, MoveReason.REJECTED)
                notes = self._facts.delivered(entry.id)
                self._commit(IndexChange(unlisted=(file_name(entry),), counts=undone, notes=notes))
            except OSError:
                return
            raise

    def wait_reason(self) -> str | None:
        """Return why waiting captures may not be sent now; None when one may be sent."""
        with self._lock:
            if self._claimed or not self._entries or self._order.choose() is not None:
                return None
            return self._order.reason()

    def report(self) -> Mapping[str, float]:
        """Return figures of the send order, such as the remaining credits."""
        with self._lock:
            return dict(self._order.report())

    def note(self, name: str) -> str | None:
        """Return the text that `keep_notes` stored under this name, None when there is none."""
        with self._lock:
            return self._index_notes.note(_SAVED + name)

    def keep_notes(self, notes: Mapping[str, str]) -> None:
        """Store small texts for the next start. Raises `SpoolUnavailable`."""
        with self._lock:
            saved = {_SAVED + name: text for name, text in notes.items()}
            try:
                self._commit(IndexChange(notes=saved))
            except OSError as error:
                raise SpoolUnavailable(f"cannot save notes for the next start: {error}") from error

    def keep_facts(self, lines: Sequence[str]) -> int:
        """Store verdicts, each a line as `line_text` returns it, to be sent with later captures.

        Returns once they would survive a power cut. If too many wait, the oldest are dropped and
        counted; returns how many. Raises `SpoolUnavailable`.
        """
        with self._lock:
            before = self._facts.dropped
            try:
                self._commit(IndexChange(notes=self._facts.keep(lines)))
            except OSError as error:
                raise SpoolUnavailable(f"cannot store a verdict: {error}") from error
            return self._facts.dropped - before

    def free_facts(self) -> list[str]:
        """Return the verdicts that no capture carries, for an export."""
        with self._lock:
            return self._facts.free()

    def acknowledge_facts(self, lines: Collection[str]) -> None:
        """Delete verdicts that `free_facts` returned. Raises `SpoolUnavailable`."""
        with self._lock:
            try:
                self._commit(IndexChange(notes=self._facts.handed_over(lines)))
            except OSError as error:
                raise SpoolUnavailable(f"cannot delete delivered verdicts: {error}") from error

    def facts_waiting(self) -> int:
        """Return the number of verdicts that were stored by `keep_facts` and not delivered."""
        with self._lock:
            return self._facts.count

    # Storing

    def _encode(self, captures: Sequence[NewCapture]) -> list[EncodedCapture]:
        batch = []
        for sequence, new in enumerate(captures, start=self._sequence + 1):
            data = record.encode({**new.record, "sequence": sequence}, new.image, new.clip)
            entry = SpoolEntry(new.id, new.lane, round(new.value, 3), sequence, len(data))
            if record.parse_name(file_name(entry), entry.size) != entry:
                raise ValueError(
                    f"cannot store {file_name(entry)}: the next start could not read this file name"
                )
            batch.append(EncodedCapture(entry, data, new.hint, new.replaces))
        return batch

    def _put(self, batch: Sequence[EncodedCapture], short: Shortage) -> PutResult:
        """Store what the budget and the file system, with the shortage `short`, allow."""
        used = self._used + sum(occupied_bytes(capture.entry) for capture in batch)
        plan = admit(
            batch,
            self._eviction_queue,
            self._entries,
            in_flight=self._claimed,
            inclusion=self._inclusion,
            shortage=self._disk_budget.over_budget(used, short),
            random_quota=self._disk_budget.random_quota,
            last=self._sequence,
        )
        self._index_notes.discard_failed()  # before `write` removes the files of a put in doubt
        unlinked = self._files.write(plan.kept)
        leaving = plan.leaving
        notes: dict[str, str | None] = {"sequence": str(plan.last)}
        if plan.inclusion is not self._inclusion:
            notes[INCLUSION_NOTE] = plan.inclusion.text
        for entry in leaving:
            notes |= self._index_notes.deletions(entry)
        for capture in plan.kept:
            notes |= self._index_notes.hint_to_note(capture.entry, capture.hint)
        change = IndexChange(
            added=tuple(RecordFile(file_name(n.entry), n.entry.size) for n in plan.kept),
            removed=tuple(file_name(entry) for entry in leaving),
            cleared=tuple(unlinked),
            counts=plan.counts,
            notes=notes,
        )
        try:
            self._commit(change)
        except InDoubtError:  # the next start may find the rows
            self._files.keep_in_doubt(plan.kept)
            raise
        except OSError:
            self._files.remove_failed(plan.kept)
            raise
        self._files.forget_unlinked(unlinked)
        self._sequence = plan.last
        self._inclusion = plan.inclusion
        for entry in leaving:
            self._drop(entry)
        self._files.unlink(leaving)
        self._arrive(plan.kept)
        return plan.stored

    def _arrive(self, batch: Sequence[EncodedCapture]) -> None:
        for capture in batch:
            entry = capture.entry
            self._entries[entry.id] = entry
            self._eviction_queue.add(entry)
            self._order.arrive(entry, capture.hint)
            self._facts.stored(entry.id)
            self._used += occupied_bytes(entry)
        self.arrived.notify(len(batch))

    # Deleting and moving

    def _drop(self, entry: SpoolEntry) -> None:
        del self._entries[entry.id]
        if self._claimed.pop(entry.id, None) is None:
            self._eviction_queue.remove(entry)
        self._order.leave(entry)
        self._facts.sent(entry.id)
        self._used -= occupied_bytes(entry)

    def _clear_tombstones(self) -> None:
        """Sync the record folder, then delete the tombstones that are not needed any more."""
        with contextlib.suppress(OSError):  # many tombstones only cost disk space
            unlinked = self._files.sync()
            self._commit(IndexChange(cleared=tuple(unlinked)))
            self._files.forget_unlinked(unlinked)

    def _move_unreadable(self, entry: SpoolEntry, error: DamagedRecord | OSError) -> None:
        """Move a claimed capture that cannot be read, so that it does not block the others."""
        if isinstance(error, OSError) and error.errno not in _UNREADABLE:
            self.release(entry.id)
            raise SpoolUnavailable(f"cannot read a capture: {error}") from error
        try:
            self._move_away(entry, self._files.move_reason(entry))
        except SpoolUnavailable:
            self.release(entry.id)
            raise
        self._log.error("capture damaged", capture=entry.id, error=str(error))

    def _move_away(self, entry: SpoolEntry, why: MoveReason) -> None:
        """Move a claimed capture to the folder of the reason `why`.

        After a power cut it is there, or waits.
        """
        with self._lock:
            try:
                self._files.move_away(entry, why)
                self._commit(
                    IndexChange(
                        unlisted=(file_name(entry),),
                        counts={why: 1},
                        notes=self._index_notes.deletions(entry),
                    )
                )
            except OSError as error:
                self._half_moved.add(entry.id)
                raise SpoolUnavailable(f"cannot move a capture to {why}/: {error}") from error
            self._half_moved.discard(entry.id)
            self._drop(entry)
            self._disk_budget.after_move(why, file_name(entry))

    def _undo_moves(self, entries: Iterable[SpoolEntry]) -> None:
        """Move back files whose rejection failed halfway, since they were delivered after all.

        Otherwise `rejected/` would hold a capture that is counted as delivered. Raises `OSError`.
        """
        for entry in entries:
            if entry.id in self._half_moved:
                with contextlib.suppress(FileNotFoundError):  # it was not moved
                    self._files.move_back(entry)
                self._half_moved.discard(entry.id)

    def _copy_ledgers(self, notes: Mapping[str, str | None]) -> None:
        """Write each ledger of these notes to its own files too. Raises `OSError`."""
        for copies in self._ledger_files:
            text = notes.get(copies.note)
            if text is None:
                continue
            try:
                copies.write(text)
            except OSError as error:
                if not self._disk_budget.is_full(error):
                    raise
                self._disk_budget.free_reserve()
                copies.write(text)

    def _commit(self, change: IndexChange) -> None:
        """Commit a change together with the notes of the send order. Raises `OSError`."""
        self._index_notes.commit(change, self._order.account())
