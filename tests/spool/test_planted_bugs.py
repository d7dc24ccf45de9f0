"""Tests of the tests: a proof must detect each planted bug."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType

import pytest

from agent.domain import SpoolEntry
from agent.record.file_format import file_name
from agent.spool import eviction, index_notes, reconciliation, recovery, spool
from agent.spool.disk_budget import DiskBudget, Shortage
from agent.spool.facts import CARRIED_NOTE, Facts, Notes
from agent.spool.index import IndexChange
from agent.spool.index_reading import IndexContents
from agent.spool.ledger_file import LedgerFile
from agent.spool.reconciliation import Reconciliation
from agent.spool.record_files import RecordFiles
from agent.spool.spool import Spool
from agent.spool.types import EncodedCapture, PutResult, RecoveredState
from tests.fakes.disk.memory_index import Medium, MemoryIndex
from tests.fakes.disk.power_cut import Inode, NoFileSync, NoFolderSync, PowerCutDisk, TwoNamesDisk
from tests.spool.proofs import (
    MakeMachine,
    Proof,
    delivers_a_refused_put_once,
    delivers_each_fact_once,
    drains_a_full_disk,
    finishes_what_the_disk_refused,
    gives_up_a_refused_put_for_good,
    keeps_the_budget,
    requeues_or_leaves_rejected,
    sends_the_same_after_a_purchase,
    survives_a_lost_index,
    survives_failed_flushes,
    survives_kills_then_power_cuts,
    survives_power_cuts,
)


class RecordsNeverSynced(NoFolderSync):
    unsynced = frozenset({"records"})


class RenameBeforeSync(PowerCutDisk):
    def write(self, path: Path, data: bytes) -> None:
        inode = Inode()
        self._rename({path: inode})
        self._fill(inode, data)
        self.sync_file(inode)


class FoldersNeverSynced(PowerCutDisk):
    def make_directory(self, path: Path) -> None:
        if path not in self.names:
            self.make_directory(path.parent)
            self._rename({path: Inode(is_folder=True)})

    def sync_directory(self, path: Path) -> None:
        if path.name in {"records", "rejected", "damaged"}:
            super().sync_directory(path)


class MoveNotRepeatable(PowerCutDisk):
    def move(self, source: Path, destination: Path) -> None:
        if source in self.names:
            super().move(source, destination)


class NoTombstones(MemoryIndex):
    def apply(self, change: IndexChange) -> None:
        super().apply(change)
        self.medium.contents.tombstones.clear()


class DeletionsNotDurable(MemoryIndex):
    def __init__(self, disk: PowerCutDisk, medium: Medium) -> None:
        super().__init__(disk, medium)
        self.owed: list[IndexChange] = []

    def apply(self, change: IndexChange) -> None:
        if change.removed and not change.added:
            self.owed.append(change)
            return
        for owed in self.owed:
            super().apply(owed)
        self.owed.clear()
        super().apply(change)


class HalfACommit(MemoryIndex):
    def apply(self, change: IndexChange) -> None:
        super().apply(IndexChange(added=change.added, removed=change.removed))
        self.disk.step()
        super().apply(IndexChange(counts=change.counts, cleared=change.cleared, notes=change.notes))


class UnlinkBeforeCommit(Spool):
    def _commit(self, change: IndexChange) -> None:
        for name in change.removed:
            self._files._disk.remove(self._files._paths.records / name)
        super()._commit(change)


class TombstonesClearedTooEarly(Spool):
    def _put(self, batch: Sequence[EncodedCapture], short: Shortage) -> PutResult:
        stored = super()._put(batch, short)
        self._index_notes._index.commit(IndexChange(cleared=tuple(self._files._unsynced_unlinks)))
        return stored


class ClaimedMayBeEvicted(Spool):
    def _put(self, batch: Sequence[EncodedCapture], short: Shortage) -> PutResult:
        claimed = list(self._claimed.values())
        for entry in claimed:
            self._eviction_queue.add(entry)
        try:
            return super()._put(batch, short)
        finally:
            for entry in claimed:
                self._eviction_queue.remove(entry)


class ReserveNotFreed(DiskBudget):
    def is_full(self, error: OSError) -> bool:
        return False


class RowBeforeFile(RecordFiles):
    _owed: Sequence[EncodedCapture] = ()

    def write(self, batch: Sequence[EncodedCapture]) -> set[str]:
        self._owed = batch
        return set()

    def forget_unlinked(self, unlinked: set[str]) -> None:
        super().write(self._owed)
        super().forget_unlinked(unlinked)


class RefusedPutLeftBehind(RecordFiles):
    def remove_failed(self, batch: Iterable[EncodedCapture]) -> None:
        super().remove_failed(batch)
        self._to_remove.clear()


class GivenUpPutLeftBehind(RecordFiles):
    def write(self, batch: Sequence[EncodedCapture]) -> set[str]:
        return super().write(batch) if batch else set()


class DoubtfulPutRemoved(RecordFiles):
    def keep_in_doubt(self, batch: Iterable[EncodedCapture]) -> None:
        super().keep_in_doubt(batch)
        for capture in batch:
            self._disk.remove(self._paths.records / file_name(capture.entry))


class RequeueMovesFirst(Spool):
    def requeue(self, entry: SpoolEntry) -> None:
        self._files.move_back(entry)
        super().requeue(entry)


class FailedRequeueNotUndone(Spool):
    def _move_back(self, entry: SpoolEntry, counts: Mapping[str, int]) -> None:
        del counts
        self._files.move_back(entry)


class UnlinksNotSynced(RecordFiles):
    def unlink_durably(self, entries: Iterable[SpoolEntry]) -> None:
        self.unlink(entries)


class LedgerOnlyInTheIndex(Spool):
    def _copy_ledgers(self, notes: Mapping[str, str | None]) -> None:
        """Rely on the index."""


class LedgerAfterTheIndex(Spool):
    """It is written with the acknowledgement, not before the capture is sent."""

    _owed: Mapping[str, str | None] = MappingProxyType({})

    def _copy_ledgers(self, notes: Mapping[str, str | None]) -> None:
        self._owed = notes

    def acknowledge(self, *capture_ids: str) -> None:
        super()._copy_ledgers(self._owed)
        super().acknowledge(*capture_ids)


class OneCopyOfTheLedger(LedgerFile):
    def write(self, text: str) -> None:
        super().write(text)
        self._disk.remove(self._copies[1])


class FactsDeletedAtTheFirstAttempt(Facts):
    """They are deleted before the capture that carries them is acknowledged."""

    def attach(self, capture_id: str, *, is_purchase: bool) -> Notes:
        notes = super().attach(capture_id, is_purchase=is_purchase)
        return {name: text for name, text in notes.items() if not name.startswith(CARRIED_NOTE)}


class FactsAtEachAttempt(Facts):
    """A capture that was sent takes further facts."""

    def attach(self, capture_id: str, *, is_purchase: bool) -> Notes:
        del is_purchase
        carried = self._carried.pop(capture_id, ())
        notes = super().attach(capture_id, is_purchase=True)
        self._carried |= {capture_id: carried} if carried else {}
        return notes


class FactsLostWithTheirCarrier(Facts):
    """What a capture carried is forgotten when it is evicted, replaced or rejected."""

    def returned(self, capture_id: str) -> Notes:
        return self.delivered(capture_id)


class FactsComeBack(Facts):
    """What was delivered is sent again."""

    def delivered(self, capture_id: str) -> Notes:
        return {**self.returned(capture_id)} if capture_id in self._carried else {}

    def returned(self, capture_id: str) -> Notes:
        back = {f"fact/{fact.number}": fact.text for fact in self._carried.get(capture_id, ())}
        return {**back, CARRIED_NOTE + capture_id: None}


class FactsCarriedAndFree(Facts):
    """A fact is attached and stays free, so that two captures carry it."""

    def attach(self, capture_id: str, *, is_purchase: bool) -> Notes:
        notes = super().attach(capture_id, is_purchase=is_purchase)
        return {name: text for name, text in notes.items() if text is not None}


class FactsNotFixed(Facts):
    """What a capture carries is written with a later change, after the request."""

    _owed: Notes = {}  # noqa: RUF012

    def attach(self, capture_id: str, *, is_purchase: bool) -> Notes:
        self._owed = super().attach(capture_id, is_purchase=is_purchase)
        self.committed(self._owed)
        return {}

    def keep(self, lines: Sequence[str]) -> Notes:
        return self._owed | super().keep(lines)


class NeverOverwrites(MemoryIndex):
    def discard_failed(self) -> None:
        """Believe that a commit that raised changed nothing."""


def test_no_file_sync_is_seen(make_machine: MakeMachine) -> None:
    _is_seen(survives_power_cuts, make_machine, make_disk=NoFileSync)


def test_no_folder_sync_is_seen(make_machine: MakeMachine) -> None:
    _is_seen(survives_power_cuts, make_machine, make_disk=RecordsNeverSynced)


def test_renaming_before_the_sync_is_seen(make_machine: MakeMachine) -> None:
    _is_seen(survives_power_cuts, make_machine, make_disk=RenameBeforeSync)


def test_a_repeated_rejection_that_syncs_nothing_is_seen(make_machine: MakeMachine) -> None:
    _is_seen(finishes_what_the_disk_refused, make_machine, make_disk=MoveNotRepeatable)


def test_an_acknowledgement_without_a_durable_commit_is_seen(make_machine: MakeMachine) -> None:
    _is_seen(survives_power_cuts, make_machine, make_index=DeletionsNotDurable)


def test_missing_tombstones_are_seen(make_machine: MakeMachine) -> None:
    _is_seen(survives_power_cuts, make_machine, make_index=NoTombstones)


def test_a_transaction_in_two_halves_is_seen(make_machine: MakeMachine) -> None:
    _is_seen(survives_power_cuts, make_machine, make_index=HalfACommit)


def test_a_failed_commit_that_is_not_overwritten_is_seen(make_machine: MakeMachine) -> None:
    _is_seen(survives_failed_flushes, make_machine, make_index=NeverOverwrites)


@pytest.mark.parametrize(
    ("bug", "proof"),
    [
        (UnlinkBeforeCommit, survives_power_cuts),
        (RowBeforeFile, survives_power_cuts),
        (TombstonesClearedTooEarly, survives_power_cuts),
        (ClaimedMayBeEvicted, survives_power_cuts),
        (ReserveNotFreed, drains_a_full_disk),
        (RefusedPutLeftBehind, delivers_a_refused_put_once),
        (DoubtfulPutRemoved, survives_failed_flushes),
        (RefusedPutLeftBehind, gives_up_a_refused_put_for_good),
        (GivenUpPutLeftBehind, gives_up_a_refused_put_for_good),
        (RequeueMovesFirst, survives_power_cuts),
        (FailedRequeueNotUndone, requeues_or_leaves_rejected),
        (UnlinksNotSynced, survives_a_lost_index),
        (LedgerOnlyInTheIndex, keeps_the_budget),
        (LedgerAfterTheIndex, keeps_the_budget),
        (OneCopyOfTheLedger, keeps_the_budget),
    ],
)
def test_a_bug_in_the_spool_is_seen(
    bug: type[Spool | RecordFiles | DiskBudget | LedgerFile],
    proof: Proof,
    make_machine: MakeMachine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right = bug.__base__
    assert right is not None
    home = recovery if right in {Spool, LedgerFile} else spool
    monkeypatch.setattr(home, right.__name__, bug)

    _is_seen(proof, make_machine)


@pytest.mark.parametrize(
    ("bug", "proof"),
    [
        (FactsDeletedAtTheFirstAttempt, delivers_each_fact_once),
        (FactsAtEachAttempt, delivers_each_fact_once),
        (FactsLostWithTheirCarrier, delivers_each_fact_once),
        (FactsComeBack, delivers_each_fact_once),
        (FactsCarriedAndFree, delivers_each_fact_once),
        (FactsNotFixed, delivers_each_fact_once),
        (FactsAtEachAttempt, sends_the_same_after_a_purchase),
        (FactsNotFixed, sends_the_same_after_a_purchase),
    ],
)
def test_a_bug_in_the_facts_is_seen(
    bug: type[Facts], proof: Proof, make_machine: MakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (index_notes, reconciliation):
        monkeypatch.setattr(module, "Facts", bug)

    with pytest.raises(AssertionError, match="fact"):
        proof(make_machine)


def test_a_wrong_eviction_order_is_seen(
    make_machine: MakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eviction, "_by_value", lambda entry: (-entry.value, entry.sequence))

    _is_seen(survives_power_cuts, make_machine)


def test_adopting_files_without_a_folder_sync_is_seen(
    make_machine: MakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = Reconciliation.run

    def wrong(self: Reconciliation, contents: IndexContents) -> RecoveredState:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.disk, "sync_directory", lambda _: None)
            return right(self, contents)

    monkeypatch.setattr(Reconciliation, "run", wrong)

    _is_seen(survives_kills_then_power_cuts, make_machine)


def test_unsynced_folders_of_a_killed_start_are_seen(
    make_machine: MakeMachine,
) -> None:
    _is_seen(survives_kills_then_power_cuts, make_machine, make_disk=FoldersNeverSynced)


def test_files_left_in_both_folders_are_seen(
    make_machine: MakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Reconciliation, "_keep_one_of_two", lambda *_: set())

    _is_seen(survives_power_cuts, make_machine, make_disk=TwoNamesDisk)


def _is_seen(proof: Proof, make_machine: MakeMachine, **planted: object) -> None:
    with pytest.raises(AssertionError):
        proof(partial(make_machine, **planted))
