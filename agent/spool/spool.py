"""The spool: captures that no endpoint has confirmed yet, through power cuts and full disks.

The record file is the truth, the index says which deletions are finished. Order of a put:

1. write and sync the record files, sync their folder once;
2. one transaction: rows, evictions, counters, the done ring;
3. unlink the evicted; only now return.

Of an acknowledgement: one transaction that removes the row and enters the name in the done ring,
then unlink. A file that a power cut brings back is recognised by the ring, whose names leave it
with the first put after the folder was synced. What start does with what it finds is in
`recovery.py`.

A commit that fails is in doubt until another one succeeds (`index.py`): a start before that may
find it done. So a put that is in doubt leaves its files, and the next put begins by making sure.
"""

import contextlib
import errno
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from agent.domain import Lane, StoredCapture
from agent.errors import DamagedRecord, SpoolUnavailable
from agent.logs import Log
from agent.ports import Clock
from agent.spool import record
from agent.spool.disk import Disk, is_disk_full
from agent.spool.drafts import Draft, Limits, Newcomer, State, Stored
from agent.spool.eviction import Catalogue, Thinning
from agent.spool.index import Change, Index, RecordFile
from agent.spool.index_errors import InDoubtError
from agent.spool.index_reading import DATABASE
from agent.spool.layout import RESERVE_BYTES, SpoolPaths, missing_kind, prune, restore_reserve
from agent.spool.lock import Publish
from agent.spool.order import ByValue, Choice, SendingOrder
from agent.spool.record import Entry

RANDOM_SHARE = 0.2
"""Share of the disk that random captures keep when rules fill the rest."""

_HINT, _KEPT, _KEPT_WITH = "hint/", "kept/", "kept_with/"
_RING_LIMIT = 512  # unlinks between two syncs of the record folder
_LOST = frozenset({errno.ENOENT, errno.EIO})  # the file is not there, or on a bad block
_GROWTH_BYTES = 65_536  # of the index, by the transactions between two checkpoints
_JOURNAL_BYTES = 1_500_000  # SQLite's journal and shared memory at their bounds


class Spool:
    """Captures on disk that no endpoint has confirmed yet.

    A capture exists exactly when its record file is whole. `put` returns once it would survive a
    power cut; `acknowledge` returns once it would not come back after one. All methods may be
    called from several threads. Those that write raise `SpoolUnavailable` when the disk refuses,
    with nothing changed.
    """

    def __init__(
        self,
        paths: SpoolPaths,
        limits: Limits,
        *,
        disk: Disk,
        index: Index,
        state: State,
        clock: Clock,
        log: Log,
        order: SendingOrder | None = None,
        publish: Publish = lambda _facts: None,
    ) -> None:
        """`order` decides what is sent next; by default everything is, the best first.

        `publish` tells other processes what this one is doing.
        """
        self._publish = publish
        self._published: Mapping[str, object] = {}
        self._paths = paths
        self._limits = limits
        self._disk = disk
        self._index = index
        self._clock = clock
        self._log = log
        self._lock = threading.RLock()
        self._entries = state.entries
        self._claimed: dict[str, Entry] = {}
        self._catalogue = Catalogue(
            state.entries.values(),
            tried={n.removeprefix(_KEPT_WITH) for n in state.notes if n.startswith(_KEPT_WITH)},
        )
        self._order = order or ByValue()
        self._order.restore(
            state.notes,
            [(each, state.notes.get(_HINT + each.id, "")) for each in state.entries.values()],
        )
        self._notes = state.notes
        self._due: dict[str, str] = {}  # notes that go with the next commit
        self._counts = state.counts
        self._aside = state.aside
        self._unsynced: set[str] = set()  # names in the done ring: unlinked, folder not synced
        self._unwritten: set[str] = set()  # names of puts that failed; the files may be there
        self._thinning = Thinning.from_text(state.notes.get("thinning", "[]"))
        self._sequence = max(
            [int(state.notes.get("sequence", "0")), *(e.sequence for e in state.entries.values())]
        )
        self._used = sum(entry.occupied for entry in state.entries.values())
        self._full = False
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
            return dict(self._counts)

    def occupied(self) -> int:
        """Bytes on disk that count against the budget."""
        with self._lock:
            return self._used + self._overhead()

    # The way through

    def put(self, drafts: Sequence[Draft]) -> Stored:
        """Store captures; returns once those kept would survive a power cut.

        Over budget the least valuable captures leave, newcomers among them; each is counted.
        """
        with self._lock:
            batch = self._encode(drafts)
            size = sum(newcomer.entry.occupied for newcomer in batch)
            try:
                room = self._disk.free_bytes(self._paths.root) - size
                short = max(self._limits.min_free, RESERVE_BYTES) - room
                limit = "disk_full" if room < RESERVE_BYTES else "min_free"
                reason = limit if short > 0 else "budget"
                try:
                    stored = self._put(batch, reason, free=max(0, min(size, short)))
                except OSError as error:
                    if not self._is_full(error):
                        raise
                    # Others took the room: what is stored now is written into the reserve's.
                    reason = "disk_full"
                    self._disk.remove(self._paths.reserve)
                    stored = self._put(batch, reason, free=size)
            except OSError as error:
                raise SpoolUnavailable(f"cannot store a capture: {error}") from error
            self._note_room(reason)
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
                kept_with = self._freeze(entry)
                try:
                    if choice.notes or (kept_with < 1 and _KEPT_WITH + entry.id in self._due):
                        self._commit(Change(notes=choice.notes))
                except OSError as error:
                    self._due.pop(_KEPT_WITH + entry.id, None)
                    raise SpoolUnavailable(f"cannot spend a credit: {error}") from error
                self._order.take(choice)
                self._catalogue.remove(entry)
                self._claimed[entry.id] = entry
            try:
                capture = record.decode(self._disk.read(self._paths.records / entry.name))
            except (DamagedRecord, OSError) as error:
                self._give_up(entry, error)
            else:
                return record.reweighted(capture, kept_with)

    def _freeze(self, entry: Entry) -> float:
        """With which probability a capture was kept until it was first sent.

        Each attempt sends the same record, so evictions after the first do not count, and those
        that were tried leave last. Where all were kept, the note of it waits for the next commit:
        attempts are not written to flash, and the first eviction is a commit.
        """
        if entry.lane is not Lane.RANDOM:
            return 1.0
        name = _KEPT_WITH + entry.id
        if name not in self._notes and name not in self._due:
            self._due[name] = str(self._thinning.kept_with_probability(entry.sequence))
        return float(self._notes.get(name) or self._due[name])

    def _choose(self, last: Sequence[str]) -> Choice | None:
        """The next in order that is not in `last`, or the first of those that are."""
        choice = self._order.choose()
        passed: list[Choice] = []
        # What would spend a credit is not passed over: it was never tried.
        while choice is not None and choice.entry.id in last and not choice.notes:
            self._order.take(choice)
            passed.append(choice)
            choice = self._order.choose()
        for one in passed:
            self._order.give_back(one.entry)
        return choice or min(passed, key=lambda one: last.index(one.entry.id), default=None)

    def acknowledge(self, *capture_ids: str) -> None:
        """The far side has them: delete, all in one transaction or none.

        Returns once they would not come back after a power cut.
        """
        with self._lock:
            entries = [self._claimed[capture_id] for capture_id in capture_ids]
            notes: dict[str, str | None] = {"last_delivered": f"{self._clock.wall():.3f}"}
            for entry in entries:
                notes |= self._no_notes(entry)
            change = Change(
                removed=tuple(entry.name for entry in entries),
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
        unlinked = self._unlink(entries)
        with self._lock:
            self._unsynced |= unlinked
            if len(self._unsynced) >= _RING_LIMIT:
                self._shorten_ring()

    def release(self, capture_id: str) -> None:
        """Not delivered: it waits on. Nothing is written."""
        with self._lock:
            entry = self._claimed.pop(capture_id)
            self._catalogue.add(entry, is_tried=True)
            self._order.give_back(entry)
            self.arrived.notify()

    def reject(self, capture_id: str) -> None:
        """The far side will never take it: move it to `rejected/`, where nothing is sent from."""
        self._set_aside(self._claimed[capture_id], "rejected")

    def take_back(self, entry: Entry) -> None:
        """Let a rejected capture wait again. After a power cut it is there or here."""
        if entry.id in self._entries:
            raise ValueError(f"{entry.id} waits already")
        with self._lock:
            try:
                self._disk.move(self._paths.rejected / entry.name, self._paths.records / entry.name)
                file = RecordFile(entry.name, entry.size)
                self._commit(Change(added=(file,), counts={"rejected": -1}))
            except OSError as error:
                raise SpoolUnavailable(f"cannot take a capture back: {error}") from error
            self._entries[entry.id] = entry
            self._catalogue.add(entry)
            self._order.arrive(entry, "")
            self._used += entry.occupied
            self._aside[self._paths.rejected] -= entry.size
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
            return self._notes.get(_KEPT + name)

    def keep_notes(self, notes: Mapping[str, str]) -> None:
        """Keep small texts for the next start. Raises `SpoolUnavailable`."""
        with self._lock:
            kept = {_KEPT + name: text for name, text in notes.items()}
            try:
                self._commit(Change(notes=kept))
            except OSError as error:
                raise SpoolUnavailable(f"cannot keep what was learnt: {error}") from error

    # Putting

    def _encode(self, drafts: Sequence[Draft]) -> list[Newcomer]:
        batch = []
        for sequence, draft in enumerate(drafts, start=self._sequence + 1):
            data = record.encode({**draft.record, "sequence": sequence}, draft.image)
            entry = Entry(draft.id, draft.lane, round(draft.value, 3), sequence, len(data))
            if record.parse_name(entry.name, entry.size) != entry:
                raise ValueError(f"the next start could not read the file name {entry.name}")
            batch.append(Newcomer(entry, data, draft.hint, draft.replaces))
        return batch

    def _put(self, batch: Sequence[Newcomer], reason: str, *, free: int) -> Stored:
        """Store what the budget allows; at least `free` bytes leave for `reason`."""
        new = [newcomer.entry for newcomer in batch]
        over = (
            sum(e.occupied for e in new) + self.occupied() + _GROWTH_BYTES - self._limits.max_bytes
        )
        reason = "budget" if over >= free else reason
        quota = int(RANDOM_SHARE * self._limits.max_bytes)
        victims = self._catalogue.plan(new, excess=max(over, free), random_quota=quota)
        kept = [newcomer for newcomer in batch if newcomer.entry not in victims]
        replaced = self._replaced(kept, victims)
        kept = [newcomer for newcomer in kept if newcomer.entry not in replaced]
        leaving = [entry for entry in (*victims, *replaced) if entry not in new]
        synced = self._write(kept)
        last = self._sequence + len(new)
        thinning = self._thinning
        for entry in victims:
            if entry.lane is Lane.RANDOM:
                thinning = thinning.evicted(entry.random_tag, last + 1)
        notes: dict[str, str | None] = {"sequence": str(last)}
        if thinning is not self._thinning:
            notes["thinning"] = thinning.text
        for entry in leaving:
            notes |= self._no_notes(entry)
        notes |= {_HINT + n.entry.id: n.hint for n in kept if n.hint}
        change = Change(
            added=tuple(RecordFile(n.entry.name, n.entry.size) for n in kept),
            removed=tuple(entry.name for entry in leaving),
            forgotten=tuple(synced),
            counts={
                "stored": len(new),
                f"evicted/{reason}": len(victims),
                "evicted/duplicate": len(replaced),
            },
            notes=notes,
        )
        try:
            self._commit(change)
        except InDoubtError:  # the next start may find the rows, so the files stay until it is sure
            self._unwritten |= {n.entry.name for n in kept}
            raise
        except OSError:
            self._unwrite(kept)
            raise
        self._sequence = last
        self._thinning = thinning
        self._unsynced -= synced
        self._leave(leaving)
        self._arrive(kept)
        entries = tuple(newcomer.entry for newcomer in kept)
        return Stored(entries, tuple(victims), reason, tuple(replaced))

    def _replaced(self, kept: Sequence[Newcomer], victims: Sequence[Entry]) -> list[Entry]:
        """Captures that a better one of the same scene makes needless: waiting or just come."""
        names = {newcomer.replaces or "" for newcomer in kept} - self._claimed.keys()
        worse = [self._entries[name] for name in names & self._entries.keys()]
        worse += [newcomer.entry for newcomer in kept if newcomer.entry.id in names]
        return [entry for entry in worse if entry not in victims]

    def _no_notes(self, entry: Entry) -> dict[str, None]:
        """The notes to delete with a capture, if it has some."""
        names = (_HINT + entry.id, _KEPT_WITH + entry.id)
        return {name: None for name in names if name in self._notes or name in self._due}

    def _write(self, batch: Sequence[Newcomer]) -> set[str]:
        """Make record files durable; answers with the unlinked names that now are so too."""
        if not batch and not self._unwritten:
            return set()
        unlinked = set(self._unsynced)
        try:
            # One that stayed would come back at the next start, maybe after it was delivered
            # under another name, or counted as evicted.
            self._index.settle()
            for name in self._unwritten:
                self._disk.remove(self._paths.records / name)
            for newcomer in batch:
                self._disk.write(self._paths.records / newcomer.entry.name, newcomer.data)
            self._disk.sync_directory(self._paths.records)
        except OSError:
            self._unwrite(batch)
            raise
        self._unwritten.clear()
        return unlinked

    def _unwrite(self, batch: Sequence[Newcomer]) -> None:
        for newcomer in batch:
            self._unwritten.add(newcomer.entry.name)
            with contextlib.suppress(OSError):
                self._disk.remove(self._paths.records / newcomer.entry.name)

    def _arrive(self, batch: Sequence[Newcomer]) -> None:
        for newcomer in batch:
            entry = newcomer.entry
            self._entries[entry.id] = entry
            self._catalogue.add(entry)
            self._order.arrive(entry, newcomer.hint)
            self._used += entry.occupied
        self.arrived.notify(len(batch))

    # Leaving

    def _leave(self, entries: Sequence[Entry]) -> None:
        """Forget captures whose deletion is committed, and unlink their files."""
        for entry in entries:
            self._drop(entry)
        self._unsynced |= self._unlink(entries)

    def _unlink(self, entries: Sequence[Entry]) -> set[str]:
        """Unlink files; answers with the names of those that are gone."""
        gone = set()
        for entry in entries:
            # A file that cannot be unlinked now stays in the ring, and goes at the next start.
            with contextlib.suppress(OSError):
                self._disk.remove(self._paths.records / entry.name)
                gone.add(entry.name)
        return gone

    def _drop(self, entry: Entry) -> None:
        del self._entries[entry.id]
        if self._claimed.pop(entry.id, None) is None:
            self._catalogue.remove(entry)
        self._order.leave(entry)
        self._used -= entry.occupied

    def _shorten_ring(self) -> None:
        """Sync the record folder so that the names in the ring may be forgotten."""
        with contextlib.suppress(OSError):  # a long ring costs room, nothing else
            self._disk.sync_directory(self._paths.records)
            self._commit(Change(forgotten=tuple(self._unsynced)))
            self._unsynced.clear()

    def _give_up(self, entry: Entry, error: DamagedRecord | OSError) -> None:
        """Set aside a claimed capture that cannot be read; others must not wait behind it."""
        if isinstance(error, OSError) and error.errno not in _LOST:
            self.release(entry.id)
            raise SpoolUnavailable(f"cannot read a capture: {error}") from error
        try:
            self._set_aside(entry, missing_kind(self._disk, self._paths, entry.name))
        except SpoolUnavailable:
            self.release(entry.id)
            raise
        self._log.error("capture damaged", capture=entry.id, error=str(error))

    def _set_aside(self, entry: Entry, kind: str) -> None:
        """Move a claimed capture out of the way. After a power cut it is there or here."""
        folder = self._paths.root / kind
        with self._lock:
            try:
                self._disk.move(self._paths.records / entry.name, folder / entry.name)
                self._commit(
                    Change(gone=(entry.name,), counts={kind: 1}, notes=self._no_notes(entry))
                )
            except OSError as error:
                raise SpoolUnavailable(f"cannot set a capture aside: {error}") from error
            self._drop(entry)
            with contextlib.suppress(OSError):
                self._aside[folder] = prune(self._disk, folder, self._limits.aside)

    # The disk

    def _commit(self, change: Change) -> None:
        """Commit, with what else is due; on a full disk once more with the reserve freed.

        Raises `OSError`.
        """
        change = replace(change, notes={**self._order.account(), **self._due, **change.notes})
        try:
            self._index.commit(change)
        except OSError as error:
            if not self._is_full(error):
                raise
            self._disk.remove(self._paths.reserve)
            self._index.commit(change)
        self._due.clear()
        self._counts += Counter(change.counts)  # which leaves out what is still 0
        for name, text in change.notes.items():
            if text is None:
                self._notes.pop(name, None)
            else:
                self._notes[name] = text

    def _is_full(self, error: OSError) -> bool:
        """SQLite reports a full disk in several ways, so the file system is asked too."""
        return is_disk_full(error) or self._disk.free_bytes(self._paths.root) < _GROWTH_BYTES

    def _note_room(self, reason: str) -> None:
        """After a put: say once when the room ends or is there again, and keep a reserve."""
        if reason != "budget":
            if not self._full:
                self._log.warning("disk full", reason=reason, waiting=self.waiting())
            self._full = True
            return
        with contextlib.suppress(OSError):
            restore_reserve(self._disk, self._paths)
            # At the brink every other put fits; room is there when several more would.
            room = self._disk.free_bytes(self._paths.root) - self._limits.min_free
            if self._full and room > 2 * RESERVE_BYTES:
                self._log.info("spool available", waiting=self.waiting())
                self._full = False

    def _overhead(self) -> int:
        """Bytes of the spool that are not waiting captures."""
        database = self._disk.size(self._paths.cache / DATABASE)
        return RESERVE_BYTES + database + _JOURNAL_BYTES + sum(self._aside.values())
