"""Budgets below one credit a day, over a fleet: 100 labels a day for 300 devices."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.domain import Lane
from agent.factories.selection import ledger_of
from agent.selection.budget.ledger import ClockReading, Ledger
from agent.settings.load import without_environment
from tests.selection.device_over_weeks import HOSTILE, DeviceOverWeeks, Events, most_in_excess
from tests.selection.ledger_model import DAY, NOON_2026, SHARE

HOUR = 3600.0


class FleetDevice:
    """A device on which captures of these lanes always wait, those of the first are sent first."""

    def __init__(
        self, name: str, per_day: float, wanted: Sequence[Lane] = (Lane.RANDOM, Lane.SCORE)
    ) -> None:
        self.wanted = wanted
        self.ledger = Ledger.of_device(per_day, SHARE, name)
        self.spent: list[tuple[float, Lane]] = []  # when, in seconds of running
        self.ran = 0.0
        self._boot, self._mono, self._ahead = 0, 5.0, 0.0
        self._accrue()
        self._stored = self.ledger.text

    def run(self, seconds: float) -> None:
        self.ran += seconds
        self._mono += seconds
        self._accrue()
        for lane in self.wanted:
            while self.ledger.may_buy(lane):
                self.ledger.buy(str(len(self.spent)), lane)
                self.ledger.finished(str(len(self.spent)))
                self.spent.append((self.ran, lane))
                self._stored = self.ledger.text

    def restart(self, kind: str = "restart") -> None:
        """Restart the process; with a reboot before, or a power cut after the last purchase."""
        before = self.ledger
        if kind != "cut":
            self._stored = before.text
        if kind != "restart":
            self._boot, self._mono = self._boot + 1, 5.0
        self.ledger = Ledger.from_text(
            self._stored, per_day=before.per_day, random_share=before.random_share
        )
        self._accrue()

    def step_clock(self, seconds: float) -> None:
        self._ahead += seconds
        self._accrue()

    def _accrue(self) -> None:
        wall = max(0.0, NOON_2026 + self.ran + self._ahead)
        self.ledger.accrue(ClockReading(self._mono, wall, f"boot {self._boot}"))


def fleet_over_a_month(count: int, events: Events, step_s: float) -> list[DeviceOverWeeks]:
    devices = [
        DeviceOverWeeks(f"device-{number}", 1 / 3, events, step_s) for number in range(count)
    ]
    for device in devices:
        device.run(30 * DAY)
    return devices


@pytest.mark.parametrize(
    ("count", "events", "step_s"),
    [
        (5, replace(HOSTILE, restart_s=8 * HOUR), 2 * HOUR),
        pytest.param(60, HOSTILE, HOUR / 3, marks=pytest.mark.slow),
    ],
)
def test_a_fleet_uses_its_budget_over_restarts_reboots_and_clock_steps(
    count: int, events: Events, step_s: float
) -> None:
    """Of 10 credits in 30 days each device uses 9 or 10, and the random lane gets its fifth."""
    devices = fleet_over_a_month(count, events, step_s)
    used = [len(device.uploads) for device in devices]
    of_random = sum(device.spent[Lane.RANDOM] for device in devices)
    drawn = sum(weight for device in devices for _, weight in device.drawn)
    watched = sum(device.watched for device in devices)

    assert set(used) <= {9, 10}
    assert sum(used) >= 0.97 * 10 * count
    assert of_random / sum(used) == pytest.approx(SHARE, abs=0.03)
    assert drawn == pytest.approx(watched, rel=0.15)
    for device in devices:
        assert most_in_excess([at for at, _ in device.uploads], 1 / 3) < 1.01


@pytest.mark.parametrize("per_day", [0.3, 2])
def test_what_is_asked_for_each_day_takes_a_tenth_and_leaves_the_random_lane_its_share(
    per_day: float,
) -> None:
    """A program that asks each day would else use up the whole budget, for ever."""
    events = Events(restart_s=5 * DAY, reboot_s=20 * DAY, asks_s=DAY)
    device = DeviceOverWeeks("gate-07", per_day, events, 6 * HOUR)
    device.run(100 * DAY)

    earned = 100 * per_day
    assert device.spent[Lane.RANDOM] == pytest.approx(SHARE * earned, abs=1 + 0.1 * earned)
    for lane in (Lane.REQUESTED, Lane.VERDICT):
        assert 0.08 * earned <= device.spent[lane] <= 0.1 * earned + 1
    assert per_day >= 1 or most_in_excess([at for at, _ in device.uploads], per_day) <= 1.001


def test_after_an_outage_the_uploads_are_no_closer_than_the_budget_allows() -> None:
    device = DeviceOverWeeks("gate-07", 1 / 3, Events(outage_s=10 * DAY), HOUR)
    device.run(60 * DAY)

    assert most_in_excess([at for at, _ in device.uploads], 1 / 3) < 1.02
    assert len(device.uploads) > 12


def test_a_device_whose_clock_is_never_set_uses_its_budget() -> None:
    """Each boot is on the first of January 1970."""
    ledger, spent = Ledger(2, SHARE), 0
    for day in range(40):
        for hour in range(24):
            ledger.accrue(ClockReading(hour * HOUR, hour * HOUR, f"boot {day}"))
            while ledger.may_buy(Lane.SCORE):
                ledger.buy(str(spent), Lane.SCORE)
                ledger.finished(str(spent))
                spent += 1

    assert 70 <= spent <= 80


def test_a_fleet_buys_on_each_day_from_the_first_one_on() -> None:
    """Not all devices on every third day, nor all of them in the same hour."""
    per_day = Counter[int]()
    for number in range(300):
        device = FleetDevice(f"device-{number}", 1 / 3)
        for _ in range(9):
            device.run(DAY / 3)
        per_day.update(int((at - 1) // DAY) for at, _ in device.spent)
    assert sum(per_day.values()) == 300
    assert all(70 <= per_day[day] <= 130 for day in range(3))


@pytest.mark.parametrize("per_day", [0.01, 0.1, 0.5, 0.9])
def test_a_lone_device_waits_for_its_first_credit_no_longer_than_one_takes(per_day: float) -> None:
    device = FleetDevice("gate-07", per_day)
    steps = math.ceil(1 / per_day) * 4 + 1
    for _ in range(steps):
        device.run(DAY / 4)
    assert 1 <= len(device.spent) <= 2


def test_the_random_lane_gets_its_share_of_a_small_budget_in_the_long_run() -> None:
    device = FleetDevice("gate-07", 0.5)
    for _ in range(400):
        device.run(DAY)
        device.restart()
    of_random = sum(lane is Lane.RANDOM for _, lane in device.spent)
    assert len(device.spent) == pytest.approx(200, abs=1)
    assert of_random == pytest.approx(40, abs=1)


@given(
    per_day=st.floats(0.001, 0.999),
    name=st.text(max_size=20),
    wanted=st.permutations([Lane.RANDOM, Lane.SCORE, Lane.REQUESTED, Lane.VERDICT]),
    actions=st.lists(
        st.one_of(
            st.tuples(st.just("run"), st.floats(0.0, 40 * DAY)),
            st.tuples(st.sampled_from(["restart", "reboot", "cut"]), st.just(0.0)),
            st.tuples(st.just("step"), st.sampled_from([HOUR, -HOUR, DAY, -DAY, 1e9, -2e9])),
        ),
        max_size=40,
    ),
)
@settings(max_examples=60)
def test_no_time_has_more_uploads_than_its_budget_and_one(
    per_day: float, name: str, wanted: list[Lane], actions: list[tuple[str, float]]
) -> None:
    device = FleetDevice(name, per_day, wanted)
    for kind, amount in actions:
        if kind == "run":
            device.run(amount)
        elif kind == "step":
            device.step_clock(amount)
            device.run(0.0)
        else:
            device.restart(kind)
            device.run(0.0)
    assert most_in_excess([at for at, _ in device.spent], per_day) <= 1.001


def test_the_first_part_of_a_credit_is_given_once_and_to_small_budgets_alone() -> None:
    chosen = without_environment(budget_per_day=0.5, device_id="gate-07", cameras="/dev/video0")
    first, again = ledger_of(chosen), ledger_of(chosen)
    assert first is not None
    assert again is not None
    for ledger in (first, again):
        ledger.accrue(ClockReading(5.0, NOON_2026, "boot"))
    assert 0 < first.left < 1
    assert first.left == again.left
    stored = ledger_of(chosen, first.text)
    damaged = ledger_of(chosen, "no ledger")
    assert stored is not None
    assert damaged is not None
    for ledger in (stored, damaged):
        ledger.accrue(ClockReading(6.0, NOON_2026 + 1, "boot"))
    assert stored.left == pytest.approx(first.left, abs=1e-4)
    assert damaged.left == pytest.approx(0.0, abs=1e-4)
    large = Ledger.of_device(1.0, SHARE, "gate-07")
    large.accrue(ClockReading(5.0, NOON_2026, "boot"))
    assert large.left == 0.0
