"""The ledger keeps its limits through restarts, clock steps and bursts of purchases."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.domain import BudgetPart, Lane
from agent.selection.budget.ledger import ClockReading, Ledger
from tests.selection.ledger_model import DAY, NOON_2026, SHARE, Action, broken_rules, random_actions

ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("run"), st.floats(0.0, 3 * DAY)),
        st.tuples(st.just("step"), st.sampled_from([-NOON_2026, NOON_2026, 1.6e9, -1.6e9])),
        st.tuples(st.just("step"), st.floats(-2 * DAY, 2 * DAY)),
        st.tuples(st.just("reboot"), st.floats(0.0, 5 * DAY)),
        st.tuples(st.sampled_from(["restart", "keep"]), st.just(0.0)),
        st.tuples(st.just("buy"), st.sampled_from([1.0, 3.5, 60.0])),
        st.tuples(st.just("deliver"), st.sampled_from([1.0, 60.0])),
    ),
    max_size=60,
)


@given(ACTIONS, st.sampled_from([1, 3, 10, 100]))
@settings(max_examples=60)
def test_no_sequence_of_actions_breaks_a_limit_of_the_budget(
    actions: list[Action], per_day: int
) -> None:
    assert broken_rules(actions, per_day=per_day) == set()


@pytest.mark.parametrize("per_day", [1, 3, 10, 100])
def test_many_random_actions_with_large_clock_steps_break_no_limit(per_day: int) -> None:
    assert (
        set().union(*(broken_rules(random_actions(seed), per_day=per_day) for seed in range(40)))
        == set()
    )


class ForgetsDates(Ledger):
    def may_buy(self, lane: Lane) -> bool:
        self._by_date.clear()
        return super().may_buy(lane)


class EarnsTheDayAtOnce(Ledger):
    def _earn(self, seconds: float) -> None:
        super()._earn(seconds)
        self._earned = {
            BudgetPart.RANDOM: self.per_day * SHARE,
            BudgetPart.SCORE: self.per_day * (1 - SHARE),
        }


class CountsTimeWithoutPower(Ledger):
    def accrue(self, now: ClockReading) -> None:
        if self._last is not None and self._last.boot != now.boot:
            self._last = ClockReading(now.monotonic - 20_000.0, self._last.wall, now.boot)
        super().accrue(now)


class KeepsUnspentCredits(Ledger):
    def _begin_day(self, date: int, seconds_into_it: float) -> None:
        ran = self._running
        super()._begin_day(date, seconds_into_it)
        self._earn(ran)


class ForgetsPaidCaptures(Ledger):
    def _begin_day(self, date: int, seconds_into_it: float) -> None:
        super()._begin_day(date, seconds_into_it)
        self._spent.clear()


class ForgetsSpendingAtRestart(Ledger):
    @classmethod
    def from_text(cls, text: str, **budget: Any) -> Ledger:
        ledger = super().from_text(text, **budget)
        ledger._spent.clear()
        return ledger


class BeginsADayWhenTheClockStepsBack(Ledger):
    def accrue(self, now: ClockReading) -> None:
        if self._date is not None and now.wall // DAY < self._date:
            self._begin_day(int(now.wall // DAY), 0.0)
        super().accrue(now)


class IgnoresTheLimitsOfLanes(Ledger):
    def may_buy(self, lane: Lane) -> bool:
        return super().may_buy(lane) or super().may_buy(Lane.SCORE)


@pytest.mark.parametrize(
    ("bug", "rule"),
    [
        (ForgetsDates, "a date"),
        (EarnsTheDayAtOnce, "accrual"),
        (CountsTimeWithoutPower, "accrual"),
        (KeepsUnspentCredits, "accrual"),
        (ForgetsPaidCaptures, "a budget day"),
        (ForgetsSpendingAtRestart, "accrual"),
        (BeginsADayWhenTheClockStepsBack, "accrual"),
        (IgnoresTheLimitsOfLanes, "random share"),
        (IgnoresTheLimitsOfLanes, "requested"),
    ],
)
def test_planted_bug_in_the_ledger_is_caught(bug: type[Ledger], rule: str) -> None:
    assert any(
        rule in broken_rules(random_actions(seed), per_day=per_day, make=bug)
        for seed in range(150)
        for per_day in (3, 10, 100)
    )


def spent_of_a_day(per_day: int, lane_of: Callable[[int], Lane]) -> list[float]:
    """Return when credits were spent on a day in which a capture always waits."""
    ledger = Ledger(per_day, SHARE)
    midnight = NOON_2026 - NOON_2026 % DAY
    spent_at: list[float] = []
    for minute in range(24 * 60):
        at = minute * 60.0
        ledger.accrue(ClockReading(at, midnight + at, "boot"))
        for _ in range(2):
            while ledger.may_buy(lane := lane_of(len(spent_at))):
                ledger.buy(str(len(spent_at)), lane)
                ledger.finished(str(len(spent_at)))
                spent_at.append(at)
    return spent_at


@pytest.mark.parametrize("per_day", [1, 3, 10, 100, 1000])
def test_a_day_with_enough_captures_uses_its_budget_evenly(per_day: int) -> None:
    def mixed(number: int) -> Lane:
        return Lane.RANDOM if number % 5 == 4 else Lane.SCORE

    spent = spent_of_a_day(per_day, mixed)

    assert 0.97 * per_day <= len(spent) <= per_day
    for number, at in enumerate(spent, start=1):
        assert number <= at / DAY * per_day + 1 + 1e-5


def test_unspent_credits_lapse_at_midnight() -> None:
    ledger = Ledger(100, SHARE)
    ledger.accrue(ClockReading(0.0, NOON_2026, "boot"))
    ledger.accrue(ClockReading(DAY / 2 - 60, NOON_2026 + DAY / 2 - 60, "boot"))
    late = ledger.left
    ledger.accrue(ClockReading(DAY / 2 + 60, NOON_2026 + DAY / 2 + 60, "boot"))

    assert late == pytest.approx(51, abs=0.1)
    assert ledger.left == pytest.approx(1, abs=0.1)


def test_local_time_and_daylight_saving_have_no_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = set()
    for zone in ("UTC", "Europe/Berlin", "Pacific/Kiritimati"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        ledger = Ledger(100, SHARE)
        for hour in range(72):  # includes an hour that local time repeats
            ledger.accrue(ClockReading(hour * 3600.0, 1_792_800_000.0 + hour * 3600.0, "boot"))
            if ledger.may_buy(Lane.SCORE):
                ledger.buy(str(hour), Lane.SCORE)
        texts.add(ledger.text)
    monkeypatch.undo()
    time.tzset()

    assert len(texts) == 1


def test_random_captures_do_not_use_the_share_of_degraded_frames() -> None:
    ledger = Ledger(100, SHARE)
    ledger.accrue(ClockReading(0.0, NOON_2026, "boot"))
    ledger.buy("drawn", Lane.RANDOM, is_degraded=True)
    ledger.buy("chosen", Lane.SCORE, is_degraded=True)

    assert ledger.degraded_spent == 1
