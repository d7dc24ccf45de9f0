"""Credits over power cuts and kills: none is spent twice, and few are lost."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.domain import Lane, SpoolEntry
from agent.ports import SendDecision
from agent.selection.budget.auto_order import AutoOrder
from agent.selection.budget.ledger import AUTO_LEDGER_NOTE, DAY_S
from agent.selection.budget.purchase import BudgetedOrder
from agent.spool.ledger_file import LedgerFile
from tests.fakes.captures import capture_id
from tests.search import examples
from tests.selection.budgeted_spool import (
    MIDNIGHT,
    capture_of_scene,
    clock_at_midnight,
    send_all,
    spool_at,
)

PER_DAY = 6
PASSING = {"hour": 3600.0, "hours": 8 * 3600.0, "day": DAY_S}
ENDS = ("kill", "cut", "night")
ACTIONS = (*PASSING, *ENDS, "put", "put", "claim", "claim", "claim", "send", "release", "keep")


class SimulatedDevice:
    """A device that runs actions, and records when each capture was first claimed."""

    def __init__(
        self,
        path: Path,
        make: type[BudgetedOrder] = BudgetedOrder,
        *,
        make_auto: type[AutoOrder] = AutoOrder,
        per_day: float = PER_DAY,
        auto_per_day: float = 0,
    ) -> None:
        self.clock = clock_at_midnight()
        # Wall and running time of the first claim, by id.
        self.requested: dict[str, tuple[float, float]] = {}
        self.auto: dict[str, tuple[float, float]] = {}  # the same of the lane `auto`
        self._path = path
        self._make = make
        self._make_auto = make_auto
        self._per_day = per_day
        self._auto_per_day = auto_per_day
        self._number = 0
        self._midnights = [0.0]  # running time at the start of each day

    def run_all(self, actions: Sequence[str]) -> None:
        todo = iter([*actions, "kill"])
        end: str | None = "kill"
        while end is not None:
            end = self._run(todo)
            if end in {"cut", "night"}:
                self._lose_power(60.0 if end == "cut" else 10 * 3600.0)

    def _run(self, todo: Iterator[str]) -> str | None:
        """Run one process from its start to its end; return what ended it."""
        claimed: list[str] = []
        with spool_at(
            self._path,
            self.clock,
            self._per_day,
            self._make,
            auto_per_day=self._auto_per_day,
            make_auto=self._make_auto,
        ) as spool:
            for action in todo:
                if action in ENDS:
                    return action
                if action == "put":
                    self._number += 5
                    new = range(self._number, self._number + 5)
                    lanes = {
                        n: Lane.AUTO if self._auto_per_day and n % 2 else Lane.SCORE for n in new
                    }
                    spool.put([capture_of_scene(n, n % 7 / 10, lane=lanes[n]) for n in new])
                elif action == "claim" and (capture := spool.claim()) is not None:
                    now = self.clock.wall() - MIDNIGHT, self.clock.powered
                    is_auto = capture.record["lane"] == Lane.AUTO
                    (self.auto if is_auto else self.requested).setdefault(capture.id, now)
                    claimed.append(capture.id)
                elif action == "send" and claimed:
                    spool.acknowledge(claimed.pop())
                elif action == "release" and claimed:
                    spool.release(claimed.pop())
                elif action == "keep":
                    spool.keep_notes({})
                elif action in PASSING:
                    self._pass(PASSING[action])
        return None

    def _pass(self, seconds: float) -> None:
        wall, ran = self.clock.wall() - MIDNIGHT, self.clock.powered
        while len(self._midnights) * DAY_S <= wall + seconds:
            self._midnights.append(ran + len(self._midnights) * DAY_S - wall)
        self.clock.now += seconds

    def _lose_power(self, seconds: float) -> None:
        self.clock.lose_power(seconds)
        while len(self._midnights) * DAY_S <= self.clock.wall() - MIDNIGHT:
            self._midnights.append(self.clock.powered)

    @property
    def is_within_budget(self) -> bool:
        """Whether each day's claims were within the credits accrued while it ran.

        One credit may be left over from the day before.
        """
        return not self._per_day or self._is_within(self.requested, self._per_day)

    @property
    def is_auto_within_budget(self) -> bool:
        """The same of the lane `auto`."""
        return self._is_within(self.auto, self._auto_per_day)

    def _is_within(self, claims: Mapping[str, tuple[float, float]], per_day: float) -> bool:
        days: dict[int, list[float]] = defaultdict(list)
        for wall, ran in claims.values():
            days[int(wall // DAY_S)].append(ran)
        return all(
            count <= min(per_day, (at - self._midnights[day]) / DAY_S * per_day + bool(day) + 1e-4)
            for day, times in days.items()
            for count, at in enumerate(sorted(times), start=1)
        )


@given(st.lists(st.sampled_from(ACTIONS), max_size=40))
@settings(max_examples=examples(25))
def test_kills_and_power_cuts_never_overspend(
    tmp_path_factory: pytest.TempPathFactory, actions: list[str]
) -> None:
    device = SimulatedDevice(tmp_path_factory.mktemp("spool"))
    device.run_all(actions)

    assert device.is_within_budget


@given(st.lists(st.sampled_from(ACTIONS), max_size=40), st.sampled_from([0, PER_DAY]))
@settings(max_examples=20)
def test_auto_labels_never_exceed_their_own_budget_nor_use_that_of_labels(
    tmp_path_factory: pytest.TempPathFactory, actions: list[str], per_day: float
) -> None:
    path = tmp_path_factory.mktemp("spool")
    device = SimulatedDevice(path, per_day=per_day, auto_per_day=4)
    device.run_all(actions)

    assert device.is_within_budget
    assert device.is_auto_within_budget


class StoresLedgerOfItsStart(BudgetedOrder):
    """Bug: stores the ledger of its start, so that later purchases are forgotten."""

    def restore(self, notes: Mapping[str, str], waiting: Iterable[tuple[SpoolEntry, str]]) -> None:
        super().restore(notes, waiting)
        self._of_start = super().account()

    def account(self) -> Mapping[str, str]:
        return self._of_start


@pytest.mark.parametrize(
    ("make", "holds"), [(BudgetedOrder, True), (StoresLedgerOfItsStart, False)]
)
@pytest.mark.parametrize("end", ENDS)
def test_a_ledger_that_forgets_purchases_is_caught(
    tmp_path: Path,
    make: type[BudgetedOrder],
    end: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    holds: bool,
) -> None:
    monkeypatch.setattr(LedgerFile, "read", lambda _: [])  # it would hide the bug
    device = SimulatedDevice(tmp_path, make)
    spends_two = ["claim", "claim", "send", "send"]
    device.run_all(["put", "hours", "kill", *spends_two, "put", end, "claim", "claim"])

    assert device.is_within_budget is holds


class ForgetsAutoLabels(AutoOrder):
    """Bug: stores the ledger of its start, so that later auto labels are forgotten."""

    def _buy(self, entry: SpoolEntry) -> SendDecision:
        choice = super()._buy(entry)
        return SendDecision(entry, {**choice.notes, AUTO_LEDGER_NOTE: self.ledger.text})

    def account(self) -> Mapping[str, str]:
        notes = super().account()
        return {name: text for name, text in notes.items() if name != AUTO_LEDGER_NOTE}


class SpendsLabellingCredits(AutoOrder):
    """Bug: auto labels have no budget of their own."""

    def _buy(self, entry: SpoolEntry) -> SendDecision:
        return SendDecision(entry)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(
    ("make", "holds"),
    [(AutoOrder, True), (ForgetsAutoLabels, False), (SpendsLabellingCredits, False)],
)
def test_auto_labels_that_are_forgotten_are_caught(
    tmp_path: Path, make: type[AutoOrder], end: str, *, holds: bool
) -> None:
    device = SimulatedDevice(tmp_path, make_auto=make, auto_per_day=4)
    sends_all = ["claim"] * 5 + ["send"] * 5
    device.run_all(["put", "put", "hours", *sends_all, "put", end, *sends_all])

    assert device.is_auto_within_budget is holds
    assert device.is_within_budget


@pytest.mark.parametrize("keeps", ["put", "notes", "delivery"])
def test_credits_accrued_before_a_power_cut_are_kept(tmp_path: Path, keeps: str) -> None:
    """After ten hours without network and a power cut; no random capture waits for its share."""
    clock = clock_at_midnight()
    with spool_at(tmp_path, clock, 24) as spool:
        spool.put([capture_of_scene(n, n / 100) for n in range(40)])
        clock.now += 3600.0 + 1
        capture = spool.claim() if keeps == "delivery" else None
        clock.now += 9 * 3600.0
        if keeps == "put":
            spool.put([capture_of_scene(50, 0.1)])
        elif keeps == "notes":
            spool.keep_notes({"name": "value"})
        elif capture is not None:
            spool.acknowledge(capture.id)
        clock.now += 1800.0  # nothing of this half hour is durable
    clock.lose_power(3 * 3600.0)
    with spool_at(tmp_path, clock, 24) as spool:
        clock.now += 60.0
        sent = len(send_all(spool))

    assert sent + (capture is not None) == 10


def test_a_part_of_a_credit_goes_on_growing_over_daily_power_cuts(tmp_path: Path) -> None:
    clock, sent = clock_at_midnight(), 0
    for day in range(16):
        with spool_at(tmp_path, clock, 0.5) as spool:
            spool.put([capture_of_scene(day, 0.5)])
            for _ in range(8):
                clock.now += (DAY_S - 360.0) / 8
                sent += len(send_all(spool))
            spool.keep_notes({})  # as the daemon does each quarter of an hour
        clock.lose_power(360.0)

    assert sent == 7  # of 8 credits the last one is not whole: the device was off at times


def test_time_without_power_earns_nothing(tmp_path: Path) -> None:
    clock = clock_at_midnight()
    with spool_at(tmp_path, clock, 24) as spool:
        spool.put([capture_of_scene(n, n / 100) for n in range(40)])
    clock.lose_power(10 * 3600.0)
    with spool_at(tmp_path, clock, 24) as spool:
        assert send_all(spool) == []
        clock.now += 3600.0 + 1
        assert send_all(spool) == [capture_id(39)]


def test_a_new_day_starts_with_one_credit_of_the_day_before(tmp_path: Path) -> None:
    clock = clock_at_midnight()
    clock.now = 10 * 3600.0
    with spool_at(tmp_path, clock, 24) as spool:
        spool.put([capture_of_scene(n, n / 100) for n in range(40)])
        clock.now += 9 * 3600.0
        spool.keep_notes({})
    clock.lose_power(5 * 3600.0)
    with spool_at(tmp_path, clock, 24) as spool:
        assert send_all(spool) == [capture_id(39)]
