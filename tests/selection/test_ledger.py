"""The ledger keeps its limits through restarts, clock steps and bursts of purchases."""

import json
import math
import time
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.domain import Lane
from agent.selection.budget.ledger import ClockReading, Ledger, latest, unobjected_per_day
from tests.search import examples
from tests.selection.ledger_model import DAY, NOON_2026, SHARE, Action, broken_rules, random_actions

MIDNIGHT_2026 = NOON_2026 - DAY / 2

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


BUDGETS = [0.3, 0.5, 1, 2.5, 10, 100, 10_000]


@given(actions=ACTIONS, per_day=st.sampled_from(BUDGETS), for_auto=st.booleans())
@settings(max_examples=examples(60))
def test_no_sequence_of_actions_breaks_a_limit_of_the_budget(
    actions: list[Action], per_day: float, *, for_auto: bool
) -> None:
    assert broken_rules(actions, per_day=per_day, for_auto=for_auto) == set()


@pytest.mark.parametrize("per_day", BUDGETS)
def test_many_random_actions_with_large_clock_steps_break_no_limit(per_day: float) -> None:
    seeds = range(40 if per_day < 1000 else 8)  # of many credits each purchase takes long
    broken = set().union(*(broken_rules(random_actions(seed), per_day=per_day) for seed in seeds))
    assert broken == set()


def test_the_ledger_of_auto_labels_keeps_the_same_limits() -> None:
    runs = [
        broken_rules(random_actions(seed), per_day=per_day, for_auto=True)
        for seed in range(20)
        for per_day in (0.5, 3, 20)
    ]
    assert set().union(*runs) == set()


class SellsToAnyLane(Ledger):
    def may_buy(self, lane: Lane, *, is_unobjected: bool = False) -> bool:
        del lane
        return super().may_buy(Lane.SCORE, is_unobjected=is_unobjected)


class ForgetsDates(Ledger):
    def may_buy(self, lane: Lane, *, is_unobjected: bool = False) -> bool:
        self._by_date.clear()
        return super().may_buy(lane, is_unobjected=is_unobjected)


class EarnsTheDayAtOnce(Ledger):
    def _earn(self, seconds: float) -> None:
        super()._earn(seconds)
        self._earned = self._carried + self.per_day


class GivesTheFirstCredit(Ledger):
    def _earn(self, seconds: float) -> None:
        super()._earn(seconds)
        self._earned += 1


class GivesACreditAtRestart(Ledger):
    @classmethod
    def from_text(cls, text: str, **budget: Any) -> Ledger:
        ledger = super().from_text(text, **budget)
        ledger._carried += 1
        ledger._earn(0.0)
        return ledger


class CountsTimeWithoutPower(Ledger):
    def accrue(self, now: ClockReading) -> None:
        if self._last is not None and self._last.boot != now.boot:
            self._last = ClockReading(now.monotonic - 20_000.0, self._last.wall, now.boot)
        super().accrue(now)


class KeepsUnspentCredits(Ledger):
    def _begin_day(self, date: int, *, before_end: float, seconds_into_it: float) -> None:
        left = self._earned - self._spent.total()
        super()._begin_day(date, before_end=before_end, seconds_into_it=seconds_into_it)
        self._carried = max(self._carried, left)
        self._earn(0.0)


class ForgetsPaidCaptures(Ledger):
    def _begin_day(self, date: int, *, before_end: float, seconds_into_it: float) -> None:
        super()._begin_day(date, before_end=before_end, seconds_into_it=seconds_into_it)
        self._spent.clear()


class ForgetsSpendingAtRestart(Ledger):
    @classmethod
    def from_text(cls, text: str, **budget: Any) -> Ledger:
        ledger = super().from_text(text, **budget)
        ledger._spent.clear()
        return ledger


class IgnoresTheLimitsOfLanes(Ledger):
    def may_buy(self, lane: Lane, *, is_unobjected: bool = False) -> bool:
        del is_unobjected
        return super().may_buy(lane) or super().may_buy(Lane.SCORE)


class TakesAffirmationsForFailures(Ledger):
    def may_buy(self, lane: Lane, *, is_unobjected: bool = False) -> bool:
        del is_unobjected
        return super().may_buy(lane)


class ForgetsVerdictsAtRestart(Ledger):
    @classmethod
    def from_text(cls, text: str, **budget: Any) -> Ledger:
        state = json.loads(text)
        return super().from_text(json.dumps(state | {"spent_on_verdicts": {}}), **budget)


@pytest.mark.parametrize(
    ("bug", "rule"),
    [
        (SellsToAnyLane, "lanes"),
        (ForgetsDates, "a date"),
        (EarnsTheDayAtOnce, "accrual"),
        (GivesTheFirstCredit, "accrual"),
        (GivesACreditAtRestart, "accrual"),
        (CountsTimeWithoutPower, "accrual"),
        (KeepsUnspentCredits, "accrual"),
        (ForgetsPaidCaptures, "accrual"),
        (ForgetsSpendingAtRestart, "accrual"),
        (IgnoresTheLimitsOfLanes, "random share"),
        (IgnoresTheLimitsOfLanes, "requested"),
        (IgnoresTheLimitsOfLanes, "verdicts"),
        (TakesAffirmationsForFailures, "unobjected"),
        (ForgetsVerdictsAtRestart, "verdicts"),
    ],
)
def test_planted_bug_in_the_ledger_is_caught(bug: type[Ledger], rule: str) -> None:
    assert any(
        rule in broken_rules(random_actions(seed), per_day=per_day, make=bug)
        for seed in range(1000)
        for per_day in (3, 10, 100)
    )


def spent_over(days: int, per_day: float) -> list[tuple[float, Lane]]:
    """Return when credits were spent, and on which lane, while captures of both always wait."""
    ledger = Ledger(per_day, SHARE)
    midnight = NOON_2026 - NOON_2026 % DAY
    spent: list[tuple[float, Lane]] = []
    steps = max(24 * 12, int(2 * per_day))  # a day
    for step in range(days * steps + 1):
        at = step * DAY / steps
        ledger.accrue(ClockReading(at, midnight + at, "boot"))
        for lane in (Lane.RANDOM, Lane.SCORE):
            while ledger.may_buy(lane):
                ledger.buy(str(len(spent)), lane)
                ledger.finished(str(len(spent)))
                spent.append((at, lane))
    return spent


@pytest.mark.parametrize(
    ("per_day", "days"), [(0.5, 40), (1, 20), (2, 10), (3, 7), (10, 2), (100, 1), (10_000, 1)]
)
def test_credits_are_spent_evenly_and_the_random_lane_gets_its_share(
    per_day: float, days: int
) -> None:
    spent = spent_over(days, per_day)
    of_random = sum(lane is Lane.RANDOM for _, lane in spent)

    assert len(spent) == pytest.approx(per_day * days, abs=1)
    assert of_random == pytest.approx(SHARE * per_day * days, abs=1)
    for number, (at, _) in enumerate(spent, start=1):
        assert number <= at / DAY * per_day + 0.001


@pytest.mark.parametrize("per_day", [0.5, 1, 100, 10_000])
def test_no_credit_is_given_up_front(per_day: float) -> None:
    ledger = Ledger(per_day, SHARE)
    ledger.accrue(ClockReading(0.0, NOON_2026, "boot"))
    waits = ledger.seconds_until_credit()
    ledger.accrue(ClockReading(waits / 2, NOON_2026 + waits / 2, "boot"))

    assert waits == pytest.approx(DAY / per_day)
    assert ledger.left == pytest.approx(0.5)
    assert not any(ledger.may_buy(lane) for lane in Lane)


def test_unspent_credits_lapse_at_midnight_but_for_one() -> None:
    ledger = Ledger(100, SHARE)
    ledger.accrue(ClockReading(0.0, NOON_2026, "boot"))
    ledger.accrue(ClockReading(DAY / 2 - 60, NOON_2026 + DAY / 2 - 60, "boot"))
    late = ledger.left
    ledger.accrue(ClockReading(DAY / 2 + 60, NOON_2026 + DAY / 2 + 60, "boot"))

    assert late == pytest.approx(50, abs=0.1)
    assert ledger.left == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(("per_day", "most"), [(0.3, 1), (1, 1), (2.5, 3), (10, 10)])
def test_under_one_date_at_most_the_budget_rounded_up_is_spent(per_day: float, most: int) -> None:
    """Although the wall clock stands still while the device runs for ten days."""
    ledger = Ledger(per_day, SHARE)
    spent = 0
    for hour in range(240):
        ledger.accrue(ClockReading(hour * 3600.0, NOON_2026, "boot"))
        while ledger.may_buy(Lane.SCORE):
            ledger.buy(str(spent), Lane.SCORE)
            ledger.finished(str(spent))
            spent += 1

    assert 1 <= spent <= most


@pytest.mark.parametrize("dates", [69, 300])
def test_a_clock_that_steps_through_many_dates_gets_no_date_forgotten(dates: int) -> None:
    ledger = Ledger(10, 0.0)
    spent: Counter[int] = Counter()
    for number in range(900):  # 90 days of running
        at = number * 0.1 * DAY
        date = number * 7 % dates
        ledger.accrue(ClockReading(at, NOON_2026 + date * DAY, "boot"))
        ledger = Ledger.from_text(ledger.text, per_day=10, random_share=0.0)
        while ledger.may_buy(Lane.SCORE):
            ledger.buy(str(number), Lane.SCORE)
            ledger.finished(str(number))
            spent[date] += 1
    # The date that is due most often, seen by a clock that comes back to it.
    for number in range(900, 1000):
        ledger.accrue(ClockReading(number * 0.1 * DAY, NOON_2026, "boot"))
        while ledger.may_buy(Lane.SCORE):
            ledger.buy(str(number), Lane.SCORE)
            ledger.finished(str(number))
            spent[0] += 1

    assert spent.total() > 2 * dates
    assert max(spent.values()) == 10


def test_a_date_is_forgotten_after_a_hundred_days_of_running() -> None:
    ledger = Ledger(1, 0.0)
    for day in range(300):
        ledger.accrue(ClockReading(day * DAY, NOON_2026 + day * DAY, "boot"))
        if ledger.may_buy(Lane.SCORE):
            ledger.buy("a", Lane.SCORE)
            ledger.finished("a")

    assert len(json.loads(ledger.text)["by_date"]) == pytest.approx(101, abs=1)


def test_a_clock_that_never_rests_buys_less_and_keeps_the_ledger_small() -> None:
    ledger = Ledger(1000, 0.0)
    for number in range(3000):
        at = number * DAY / 1000
        ledger.accrue(ClockReading(at, NOON_2026 + number * DAY, "boot"))
        if ledger.may_buy(Lane.SCORE):
            ledger.buy("a", Lane.SCORE)
            ledger.finished("a")

    assert len(json.loads(ledger.text)["by_date"]) == 1000


def test_the_dates_of_an_older_version_are_read() -> None:
    ledger = Ledger(1, 0.0)
    ledger.accrue(ClockReading(0.0, NOON_2026, "boot"))
    ledger.accrue(ClockReading(2 * DAY, NOON_2026, "boot"))
    ledger.buy("a", Lane.SCORE)
    state = json.loads(ledger.text)
    state["by_date"] = [[date, count] for date, count, _ in state["by_date"]]

    again = Ledger.from_text(json.dumps(state), per_day=1, random_share=0.0)
    again.finished("a")
    again.accrue(ClockReading(5 * DAY, NOON_2026, "boot"))

    assert not again.may_buy(Lane.SCORE)


def test_the_latest_ledger_is_the_one_that_ran_longest() -> None:
    ledger = Ledger(1, 0.0)
    ledger.accrue(ClockReading(0.0, NOON_2026, "boot"))
    first = ledger.text
    ledger.accrue(ClockReading(DAY, NOON_2026, "boot"))
    before = ledger.text
    ledger.buy("a", Lane.SCORE)
    paid = ledger.text

    assert latest([]) is None
    assert latest(["", "{}", "[" * 100_000, '{"elapsed": 1e999}']) is None
    assert latest([before, first, "damaged"]) == before
    assert latest([before, paid]) == paid


@pytest.mark.parametrize("per_day", [0.5, 100])
def test_a_restart_keeps_the_ledger_and_gives_no_credit(per_day: float) -> None:
    ledger = Ledger(per_day, SHARE)
    at = 0.0
    for _ in range(50):
        now = ClockReading(at, NOON_2026 + at, "boot")
        ledger.accrue(now)
        if ledger.may_buy(Lane.SCORE):
            ledger.buy(str(at), Lane.SCORE)
        left = ledger.left
        ledger = Ledger.from_text(ledger.text, per_day=per_day, random_share=SHARE)
        ledger.accrue(now)
        assert ledger.left == pytest.approx(left, abs=0.001)
        at += 7200.0


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
    ledger.accrue(ClockReading(0.0, MIDNIGHT_2026, "boot"))
    ledger.accrue(ClockReading(DAY / 4, MIDNIGHT_2026 + DAY / 4, "boot"))
    ledger.buy("drawn", Lane.RANDOM, is_degraded=True)

    assert ledger.may_buy_degraded
    ledger.buy("chosen", Lane.SCORE, is_degraded=True)
    assert not ledger.may_buy_degraded


@pytest.mark.parametrize("per_day", [0.5, 1, 3, 10, 100])
def test_degraded_frames_get_a_twentieth_over_the_days_of_any_budget(per_day: float) -> None:
    ledger = Ledger(per_day, 0.0)
    purchased = 0
    days = 400
    for hour in range(24 * days):
        ledger.accrue(ClockReading(hour * 3600.0, MIDNIGHT_2026 + hour * 3600.0, "boot"))
        while ledger.may_buy(Lane.SCORE) and ledger.may_buy_degraded:
            ledger.buy(f"{hour}-{purchased}", Lane.SCORE, is_degraded=True)
            ledger.finished(f"{hour}-{purchased}")
            purchased += 1

    assert purchased == pytest.approx(0.05 * per_day * days, abs=1.1)


def test_a_credit_that_no_random_capture_can_use_does_not_stop_the_others() -> None:
    ledger = Ledger(1, SHARE)
    purchased = 0
    for hour in range(24 * 100):
        ledger.accrue(ClockReading(hour * 3600.0, MIDNIGHT_2026 + hour * 3600.0, "boot"))
        while ledger.may_buy(Lane.SCORE):
            ledger.buy(str(hour), Lane.SCORE)
            ledger.finished(str(hour))
            purchased += 1

    assert 75 <= purchased <= 100


@pytest.mark.parametrize(
    ("per_day", "unobjected"), [(0, math.inf), (100, 5), (25, 1), (20, 1), (19, 0), (0.5, 0)]
)
def test_affirmations_get_at_most_half_of_the_credits_of_verdicts(
    per_day: float, unobjected: float
) -> None:
    assert unobjected_per_day(per_day) == unobjected


def test_a_failure_that_a_person_saw_finds_a_credit_after_all_affirmations() -> None:
    ledger = Ledger(100, SHARE)
    ledger.accrue(ClockReading(0.0, MIDNIGHT_2026, "boot"))
    ledger.accrue(ClockReading(0.9 * DAY, MIDNIGHT_2026 + 0.9 * DAY, "boot"))
    purchased: Counter[bool] = Counter()
    for is_unobjected in [True] * 20 + [False] * 20:
        if ledger.may_buy(Lane.VERDICT, is_unobjected=is_unobjected):
            ledger.buy(str(purchased.total()), Lane.VERDICT, is_unobjected=is_unobjected)
            purchased[is_unobjected] += 1

    assert purchased == {True: 5, False: 5}


def test_the_former_version_reads_verdicts_as_requested_captures() -> None:
    """It knows no other lanes, and would begin again without a credit."""
    ledger = Ledger(100, SHARE)
    ledger.accrue(ClockReading(0.0, MIDNIGHT_2026, "boot"))
    ledger.accrue(ClockReading(0.5 * DAY, MIDNIGHT_2026 + 0.5 * DAY, "boot"))
    ledger.buy("a", Lane.VERDICT)
    ledger.buy("b", Lane.VERDICT, is_unobjected=True)
    ledger.buy("c", Lane.REQUESTED)

    state = json.loads(ledger.text)

    assert state["spent"] == {"requested": 3}
    assert state["paid"] == {"a": "requested", "b": "requested", "c": "requested"}
    read = Ledger.from_text(ledger.text, per_day=100, random_share=SHARE)
    assert json.loads(read.text) == state
    assert set(read.paid) == {"a", "b", "c"}


@pytest.mark.parametrize(
    "damaged",
    ["", "garbage", "{}", "[]", "1", "[" * 100_000, '{"date": 1}'],
)
def test_a_text_that_is_no_ledger_is_refused(damaged: str) -> None:
    with pytest.raises(ValueError, match="not a ledger"):
        Ledger.from_text(damaged, per_day=100, random_share=SHARE)


@pytest.mark.parametrize("name", ["elapsed", "running", "carried", "wall", "random_owed"])
def test_a_ledger_with_a_number_that_is_not_finite_is_refused(name: str) -> None:
    ledger = Ledger(100, SHARE)
    ledger.accrue(ClockReading(0.0, MIDNIGHT_2026, "boot"))
    state = json.loads(ledger.text) | {name: float("nan")}

    with pytest.raises(ValueError, match="not a ledger"):
        Ledger.from_text(json.dumps(state), per_day=100, random_share=SHARE)
