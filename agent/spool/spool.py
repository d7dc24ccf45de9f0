"""The spool: captures that no endpoint has confirmed yet, through power cuts and full disks.

The record file is the truth, the index says which deletions are finished. Order of a put:

1. write and sync the record files, sync their folder once;
2. one transaction: rows, evictions, counters, the tombstones;
3. unlink the evicted; only now return.

Of an acknowledgement: one transaction that removes the row and enters the name in the tombstones,
then unlink. A file that a power cut brings back is recognised by the ring, whose names leave it
with the first put after the folder was synced. What start does with what it finds is in
`recovery.py`.

A commit that fails is in doubt until another one succeeds (`index.py`): a start before that may
find it done. So a put that is in doubt leaves its files, and the next put begins by making sure.
"""

import contextlib
import errno
import threading
from collections.abc import Mapping, Sequence

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
from agent.spool.eviction import EvictionQueue, InclusionProbabilities
from agent.spool.index import Index, IndexChange, RecordFile
from agent.spool.index_notes import IndexNotes
from agent.spool.index_reading import InDoubtError
from agent.spool.layout import SpoolPaths
from agent.spool.lock import Publish
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

_KEPT = "kept/"
_RING_LIMIT = 512  # unlinks between two syncs of the record folder
_LOST = frozenset({errno.ENOENT, errno.EIO})  # the file is not there, or on a bad block


class Spool:
    """Captures on disk that no endpoint has confirmed yet.

    A capture exists exactly when its record file is whole. `put` returns once it would survive a
    power cut; `acknowledge` returns once it would not come back after one. All methods may be
    called from several threads. Those that write raise `SpoolUnavailable` when the disk refuses,
    with nothing changed; only a start that comes before anything else could be written may find
    that a put is there, or that what was to leave has left.
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
        order: SendOrder | None = None,
        publish: Publish = lambda _facts: None,
    ) -> None:
        """`order` decides what is sent next; by default everything is, the best first.

        `publish` tells other processes what this one is doing.
        """
        self._publish = publish
        self._published: Mapping[str, object] = {}
        self._files = RecordFiles(disk, paths)
        self._room = DiskBudget(paths, limits, disk, state.aside, log)
        self._account = IndexNotes(index, self._room, state)
        self._clock = clock
        self._log = log
        self._lock = threading.RLock()
        self._entries = state.entries
        self._claimed: dict[str, SpoolEntry] = {}
        waiting = state.entries.values()
        self._catalogue = EvictionQueue(waiting, tried=self._account.tried())
        self._order = order or ValueOrder()
        self._order.restore(state.notes, [(one, self._account.hint(one)) for one in waiting])
        self._thinning = InclusionProbabilities.from_text(state.notes.get("thinning", "[]"))
        self._sequence = max(
            [int(state.notes.get("sequence", "0")), *(entry.sequence for entry in waiting)]
        )
        self._used = sum(occupied_bytes(entry) for entry in waiting)
        self.arrived = threading.Condition(self._lock)
        """Notified when a capture becomes claimable."""

    # What is there

    def waiting(self) -> int:
        """Captures on disk that are not delivered, those in flight included."""
        with self._lock:
            return len(self._entries)

    def in_flight(self) -> int:
        """Captures that somebody claimed and has not finished with."""
        with self._lock:
            return len(self._claimed)

    def counts(self) -> dict[str, int]:
        """Totals since the spool was made: stored, delivered, rejected, damaged, evicted/REASON."""
        with self._lock:
            return dict(self._account.counts)

    def occupied(self) -> int:
        """Bytes on disk that count against the budget."""
        with self._lock:
            return self._used + self._room.overhead()

    # The way through

    def put(self, drafts: Sequence[NewCapture]) -> PutResult:
        """Store captures; returns once those kept would survive a power cut.

        Over budget the least valuable captures leave, new captures among them; each is counted.
        """
        with self._lock:
            batch = self._encode(drafts)
            size = sum(occupied_bytes(newcomer.entry) for newcomer in batch)
            try:
                short = self._room.shortage(size)
                try:
                    stored = self._put(batch, short)
                except OSError as error:
                    if not self._room.is_full(error):
                        raise
                    self._room.free_reserve()
                    short = Shortage(size, EvictionReason.DISK_FULL)
                    stored = self._put(batch, short)
            except OSError as error:
                raise SpoolUnavailable(f"cannot store a capture: {error}") from error
            self._room.after_a_put(short.reason, waiting=self.waiting())
            return stored

    def claim(self, *, last: Sequence[str] = ()) -> StoredCapture | None:
        """Take the capture that is to be sent next, or None when none is free.

        Those with an id in `last` are taken, in that order, only when there is no other. Every
        claim ends with one of `acknowledge`, `release` and `reject`; a restart releases.
        """
        while True:
            with self._lock:
                choice = self._choose(last)
                if choice is None:
                    return None
                entry = choice.entry
                kept_with = 1.0
                if LANES[entry.lane].eviction is EvictionClass.BY_TAG:
                    kept_with = self._thinning.kept_with_probability(entry.sequence)
                    kept_with = self._account.freeze(entry, kept_with)
                try:
                    if choice.notes or self._account.must_commit(entry):
                        self._commit(IndexChange(notes=choice.notes))
                except OSError as error:
                    self._account.thaw(entry)
                    raise SpoolUnavailable(f"cannot note what is sent: {error}") from error
                self._order.take(choice)
                self._catalogue.remove(entry)
                self._claimed[entry.id] = entry
            try:
                capture = record.decode(self._files.read(entry))
            except (DamagedRecord, OSError) as error:
                self._give_up(entry, error)
            else:
                return record.reweighted(capture, kept_with)

    def _choose(self, last: Sequence[str]) -> SendDecision | None:
        """The next in order that is not in `last`, or the first of those that are."""
        choice = self._order.choose()
        passed: list[SendDecision] = []
        # What would spend a credit is not passed over: it was never tried.
        while choice is not None and choice.entry.id in last and not choice.notes:
            self._order.take(choice)
            passed.append(choice)
            choice = self._order.choose()
        for one in passed:
            self._order.give_back(one.entry)
        return choice or min(passed, key=lambda one: last.index(one.entry.id), default=None)

    def acknowledge(self, *capture_ids: str) -> None:
        """The endpoint has them: delete, all in one transaction or none.

        Returns once they would not come back after a power cut.
        """
        with self._lock:
            entries = [self._claimed[capture_id] for capture_id in capture_ids]
            notes: dict[str, str | None] = {"last_delivered": f"{self._clock.wall():.3f}"}
            for entry in entries:
                notes |= self._account.forgotten(entry)
            change = IndexChange(
                removed=tuple(file_name(entry) for entry in entries),
                counts={"delivered": len(entries)},
                notes=notes,
            )
            try:
                self._commit(change)
            except OSError as error:
                raise SpoolUnavailable(f"cannot delete delivered captures: {error}") from error
            for entry in entries:
                self._drop(entry)
        # Outside of the lock: it takes milliseconds on some disks, and others want to claim.
        self._files.unlink(entries)
        with self._lock:
            if self._files.unsynced >= _RING_LIMIT:
                self._shorten_ring()

    def release(self, capture_id: str) -> None:
        """Not delivered: it waits on. Nothing is written."""
        with self._lock:
            entry = self._claimed.pop(capture_id)
            self._catalogue.add(entry, is_tried=True)
            self._order.give_back(entry)
            self.arrived.notify()

    def reject(self, capture_id: str) -> None:
        """The endpoint will never take it: move it to `rejected/`, where nothing is sent from."""
        self._set_aside(self._claimed[capture_id], MoveReason.REJECTED)

    def take_back(self, entry: SpoolEntry) -> None:
        """Let a rejected capture wait again. After a power cut it is there or here."""
        if entry.id in self._entries:
            raise ValueError(f"{entry.id} waits already")
        with self._lock:
            try:
                self._files.take_back(entry)
                file = RecordFile(file_name(entry), entry.size)
                self._commit(IndexChange(added=(file,), counts={MoveReason.REJECTED: -1}))
            except OSError as error:
                raise SpoolUnavailable(f"cannot take a capture back: {error}") from error
            self._entries[entry.id] = entry
            self._catalogue.add(entry)
            self._order.arrive(entry, "")
            self._used += occupied_bytes(entry)
            self._room.after_taking_back(entry.size)
            self.arrived.notify()

    def why_not(self) -> str | None:
        """Why nothing more may be sent now though captures wait; None when something may."""
        with self._lock:
            if self._claimed or not self._entries or self._order.choose() is not None:
                return None
            return self._order.reason()

    def tell(self, facts: Mapping[str, object]) -> None:
        """Let `status` know what this process is doing, besides what is on disk."""
        facts = {**facts, "in_flight": self.in_flight()}
        if facts != self._published:
            self._published = facts
            self._publish(facts)

    def report(self) -> Mapping[str, float]:
        """Figures of the order of sending, such as the credits that are left."""
        with self._lock:
            return dict(self._order.report())

    def note(self, name: str) -> str | None:
        """What `keep_notes` kept under this name."""
        with self._lock:
            return self._account.note(_KEPT + name)

    def keep_notes(self, notes: Mapping[str, str]) -> None:
        """Keep small texts for the next start. Raises `SpoolUnavailable`."""
        with self._lock:
            kept = {_KEPT + name: text for name, text in notes.items()}
            try:
                self._commit(IndexChange(notes=kept))
            except OSError as error:
                raise SpoolUnavailable(f"cannot keep what was learnt: {error}") from error

    # Putting

    def _encode(self, drafts: Sequence[NewCapture]) -> list[EncodedCapture]:
        batch = []
        for sequence, draft in enumerate(drafts, start=self._sequence + 1):
            data = record.encode({**draft.record, "sequence": sequence}, draft.image)
            entry = SpoolEntry(draft.id, draft.lane, round(draft.value, 3), sequence, len(data))
            if record.parse_name(file_name(entry), entry.size) != entry:
                raise ValueError(f"the next start could not read the file name {file_name(entry)}")
            batch.append(EncodedCapture(entry, data, draft.hint, draft.replaces))
        return batch

    def _put(self, batch: Sequence[EncodedCapture], short: Shortage) -> PutResult:
        """Store what the budget allows, and a disk that is `short`."""
        used = self._used + sum(occupied_bytes(newcomer.entry) for newcomer in batch)
        plan = admit(
            batch,
            self._catalogue,
            self._entries,
            in_flight=self._claimed,
            thinning=self._thinning,
            shortage=self._room.over_budget(used, short),
            random_quota=self._room.random_quota,
            last=self._sequence,
        )
        self._account.settle()  # files of a put that is in doubt may not go before it is sure
        unlinked = self._files.write(plan.kept)
        leaving = plan.leaving
        notes: dict[str, str | None] = {"sequence": str(plan.last)}
        if plan.thinning is not self._thinning:
            notes["thinning"] = plan.thinning.text
        for entry in leaving:
            notes |= self._account.forgotten(entry)
        for newcomer in plan.kept:
            notes |= self._account.hint_to_note(newcomer.entry, newcomer.hint)
        change = IndexChange(
            added=tuple(RecordFile(file_name(n.entry), n.entry.size) for n in plan.kept),
            removed=tuple(file_name(entry) for entry in leaving),
            forgotten=tuple(unlinked),
            counts=plan.counts,
            notes=notes,
        )
        try:
            self._commit(change)
        except InDoubtError:  # the next start may find the rows
            self._files.leave(plan.kept)
            raise
        except OSError:
            self._files.unwrite(plan.kept)
            raise
        self._files.forget(unlinked)
        self._sequence = plan.last
        self._thinning = plan.thinning
        for entry in leaving:
            self._drop(entry)
        self._files.unlink(leaving)
        self._arrive(plan.kept)
        return plan.stored

    def _arrive(self, batch: Sequence[EncodedCapture]) -> None:
        for newcomer in batch:
            entry = newcomer.entry
            self._entries[entry.id] = entry
            self._catalogue.add(entry)
            self._order.arrive(entry, newcomer.hint)
            self._used += occupied_bytes(entry)
        self.arrived.notify(len(batch))

    # Leaving

    def _drop(self, entry: SpoolEntry) -> None:
        del self._entries[entry.id]
        if self._claimed.pop(entry.id, None) is None:
            self._catalogue.remove(entry)
        self._order.leave(entry)
        self._used -= occupied_bytes(entry)

    def _shorten_ring(self) -> None:
        """Sync the record folder so that the names in the ring may be forgotten."""
        with contextlib.suppress(OSError):  # a long ring costs room, nothing else
            unlinked = self._files.sync()
            self._commit(IndexChange(forgotten=tuple(unlinked)))
            self._files.forget(unlinked)

    def _give_up(self, entry: SpoolEntry, error: DamagedRecord | OSError) -> None:
        """Set aside a claimed capture that cannot be read; others must not wait behind it."""
        if isinstance(error, OSError) and error.errno not in _LOST:
            self.release(entry.id)
            raise SpoolUnavailable(f"cannot read a capture: {error}") from error
        try:
            self._set_aside(entry, self._files.missing_kind(entry))
        except SpoolUnavailable:
            self.release(entry.id)
            raise
        self._log.error("capture damaged", capture=entry.id, error=str(error))

    def _set_aside(self, entry: SpoolEntry, kind: MoveReason) -> None:
        """Move a claimed capture out of the way. After a power cut it is there or here."""
        with self._lock:
            try:
                self._files.set_aside(entry, kind)
                self._commit(
                    IndexChange(
                        gone=(file_name(entry),),
                        counts={kind: 1},
                        notes=self._account.forgotten(entry),
                    )
                )
            except OSError as error:
                raise SpoolUnavailable(f"cannot set a capture aside: {error}") from error
            self._drop(entry)
            self._room.after_setting_aside(kind)

    def _commit(self, change: IndexChange) -> None:
        """Commit, with the account of the order of sending. Raises `OSError`."""
        self._account.commit(change, self._order.account())
