"""Credits over power cuts and kills: none is spent twice, and hardly any is lost."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.domain import SpoolEntry
from agent.selection.budget.ledger import DAY_S
from agent.selection.budget.purchase import BudgetedOrder
from tests.selection.budgeted_spool import (
    MIDNIGHT,
    capture_id,
    clock_at_midnight,
    new_capture,
    send_all,
    spool_at,
)

PER_DAY = 6
PASSING = {"hour": 3600.0, "hours": 8 * 3600.0, "day": DAY_S}
ENDS = ("kill", "cut", "night")
ACTIONS = (*PASSING, *ENDS, "put", "put", "claim", "claim", "claim", "send", "release", "keep")


class Life:
    """A device that does as it is told; what left for the endpoint, and when."""

    def __init__(self, path: Path, make: type[BudgetedOrder] = BudgetedOrder) -> None:
        self.clock = clock_at_midnight()
        self.requested: dict[str, tuple[float, float]] = {}  # wall and running time of the first
        self._path = path
        self._make = make
        self._number = 0
        self._midnights = [0.0]  # running time at the begin of each day

    def live(self, actions: Sequence[str]) -> None:
        todo = iter([*actions, "kill"])
        end: str | None = "kill"
        while end is not None:
            end = self._run(todo)
            if end in {"cut", "night"}:
                self._lose_power(60.0 if end == "cut" else 10 * 3600.0)

    def _run(self, todo: Iterator[str]) -> str | None:
        """One process, from its start to its end; answers what ended it."""
        in_hand: list[str] = []
        with spool_at(self._path, self.clock, PER_DAY, self._make) as spool:
            for action in todo:
                if action in ENDS:
                    return action
                if action == "put":
                    self._number += 5
                    spool.put(
                        [new_capture(n, n % 7 / 10) for n in range(self._number, self._number + 5)]
                    )
                elif action == "claim" and (capture := spool.claim()) is not None:
                    now = self.clock.wall() - MIDNIGHT, self.clock.powered
                    self.requested.setdefault(capture.id, now)
                    in_hand.append(capture.id)
                elif action == "send" and in_hand:
                    spool.acknowledge(in_hand.pop())
                elif action == "release" and in_hand:
                    spool.release(in_hand.pop())
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
        """Whether on no day more was sent than had accrued while it ran, and one."""
        days: dict[int, list[float]] = defaultdict(list)
        for wall, ran in self.requested.values():
            days[int(wall // DAY_S)].append(ran)
        return all(
            count <= min(PER_DAY, (at - self._midnights[day]) / DAY_S * PER_DAY + 1 + 1e-4)
            for day, times in days.items()
            for count, at in enumerate(sorted(times), start=1)
        )


@given(st.lists(st.sampled_from(ACTIONS), max_size=40))
@settings(max_examples=25)
def test_no_kill_and_no_power_cut_overspends(
    tmp_path_factory: pytest.TempPathFactory, actions: list[str]
) -> None:
    life = Life(tmp_path_factory.mktemp("spool"))
    life.live(actions)

    assert life.is_within_budget


class KeepsTheAccountOfItsStart(BudgetedOrder):
    """Writes what it read when it was started: purchases since then are taken back."""

    def restore(self, notes: Mapping[str, str], waiting: Iterable[tuple[SpoolEntry, str]]) -> None:
        super().restore(notes, waiting)
        self._first = super().account()

    def account(self) -> Mapping[str, str]:
        return self._first


@pytest.mark.parametrize(
    ("make", "holds"), [(BudgetedOrder, True), (KeepsTheAccountOfItsStart, False)]
)
@pytest.mark.parametrize("end", ENDS)
def test_an_account_that_takes_purchases_back_is_caught(
    tmp_path: Path, make: type[BudgetedOrder], end: str, *, holds: bool
) -> None:
    life = Life(tmp_path, make)
    life.live(["put", "claim", "send", "put", end, "claim", "claim"])

    assert life.is_within_budget is holds


@pytest.mark.parametrize("keeps", ["put", "notes", "delivery"])
def test_what_accrued_before_a_power_cut_is_there_afterwards(tmp_path: Path, keeps: str) -> None:
    """Ten hours without network, then a power cut: eight credits of rules, and the first one."""
    clock = clock_at_midnight()
    with spool_at(tmp_path, clock, 24) as spool:
        spool.put([new_capture(n, n / 100) for n in range(40)])
        capture = spool.claim() if keeps == "delivery" else None
        clock.now += 10 * 3600.0 + 1
        if keeps == "put":
            spool.put([new_capture(50, 0.1)])
        elif keeps == "notes":
            spool.keep_notes({"learnt": "much"})
        elif capture is not None:
            spool.acknowledge(capture.id)
        clock.now += 1800.0  # nothing is durable of this half hour
    clock.lose_power(3 * 3600.0)
    with spool_at(tmp_path, clock, 24) as spool:
        clock.now += 60.0
        sent = len(send_all(spool))

    assert sent + (capture is not None) == 9


def test_time_without_power_earns_nothing(tmp_path: Path) -> None:
    clock = clock_at_midnight()
    with spool_at(tmp_path, clock, 24) as spool:
        spool.put([new_capture(n, n / 100) for n in range(40)])
    clock.lose_power(10 * 3600.0)
    with spool_at(tmp_path, clock, 24) as spool:
        assert send_all(spool) == [capture_id(39)]


def test_another_day_begins_with_nothing(tmp_path: Path) -> None:
    clock = clock_at_midnight()
    clock.now = 10 * 3600.0
    with spool_at(tmp_path, clock, 24) as spool:
        spool.put([new_capture(n, n / 100) for n in range(40)])
        clock.now += 10 * 3600.0
        spool.keep_notes({})
    clock.lose_power(5 * 3600.0)
    with spool_at(tmp_path, clock, 24) as spool:
        assert send_all(spool) == [capture_id(39)]
