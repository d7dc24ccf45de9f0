"""A device over weeks: the real random lane, send order and ledger, with all that can happen to it.

What is durable is a mapping of notes and the captures that wait, written when the daemon writes:
with each capture that is stored, claimed or delivered, each quarter of an hour, and at a clean end.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from random import Random

import numpy as np

from agent.domain import Lane, SpoolEntry, Thresholds
from agent.runtime.housekeeping import MEMORY_S
from agent.selection.budget.ledger import DAY_S, Ledger
from agent.selection.budget.purchase import BudgetedOrder
from agent.selection.plan import SelectionPlan
from agent.selection.random_lane import RandomLane
from tests.fakes.captures import capture_id, frame
from tests.fakes.clock import ManualClock
from tests.selection.budgeted_spool import MIDNIGHT
from tests.selection.ledger_model import SHARE

HOUR = 3600.0
RESTART_S = 20.0  # without a process
BOOT_S = 120.0  # from the power to the process, and as long until the clock is set
STEPS = (-HOUR, HOUR, -DAY_S, DAY_S, -400 * DAY_S, 400 * DAY_S)
_LANE = "random"  # name of the note of the random lane
_PIXELS = np.zeros((4, 6, 3), np.uint8)


@dataclass(frozen=True, slots=True)
class Events:
    """What happens to a device, each at random times."""

    restart_s: float = 0.0  # mean time between restarts of the process; 0 = none
    reboot_s: float = 0.0  # the same of reboots, half of them by a power cut
    step_s: float = 0.0  # the same of steps of the wall clock, which is set right an hour later
    outage_s: float = 0.0  # the same of outages of the network, of three days each
    asks_s: float = 0.0  # between two frames that a program asks for, each with a verdict; 0 = none
    boots_in_1970: bool = False  # until a network time server answers, `BOOT_S` later


HOSTILE = Events(restart_s=HOUR, reboot_s=DAY_S, step_s=2 * DAY_S, boots_in_1970=True)


@dataclass(slots=True)
class DeviceOverWeeks:
    """One device. `run` it, then look at what it uploaded."""

    name: str
    per_day: float
    events: Events = HOSTILE
    step_s: float = 1200.0  # between two frames, and two looks of the uploader
    clock: ManualClock = field(init=False)
    watched: float = 0.0  # seconds between two frames of one process
    drawn: list[tuple[float, float]] = field(default_factory=list)  # time and weight
    uploads: list[tuple[float, Lane]] = field(default_factory=list)  # true time and lane
    writes: int = 0  # commits
    true: float = 0.0  # seconds since the first start
    _notes: dict[str, str] = field(default_factory=dict)
    _waiting: dict[str, tuple[SpoolEntry, str]] = field(default_factory=dict)
    _interval: float | None = None
    _draw: Random = field(init=False)
    _began: float = field(init=False)  # wall time
    _number: int = 0
    _ahead: float = 0.0  # of the wall clock
    _offline_until: float = -1.0
    _asked: int = 0

    def __post_init__(self) -> None:
        plan = SelectionPlan(
            (), Thresholds(0.5), self.name, None, per_day=self.per_day, random_share=SHARE
        )
        self._interval = plan.interval_for(cameras=1)
        self._draw = Random(self.name)
        start = MIDNIGHT + self._draw.random() * DAY_S
        self._began = start - BOOT_S
        self.clock = ManualClock(BOOT_S, wall=start)

    @property
    def spent(self) -> dict[Lane, int]:
        return {lane: sum(one is lane for _, one in self.uploads) for lane in Lane}

    def run(self, seconds: float) -> None:
        """Let it run, over all that happens to it."""
        end = self.true + seconds
        while self.true < end - 1:
            restart, reboot = self._next(self.events.restart_s), self._next(self.events.reboot_s)
            is_reboot = reboot <= restart
            is_clean = self._draw.random() < 0.5
            self._run_process(min(restart, reboot, end - self.true), is_clean=is_clean)
            if self.true < end - 1:
                self._pass(RESTART_S)
                if is_reboot:
                    self._reboot()

    def _next(self, mean: float) -> float:
        return self._draw.expovariate(1 / mean) if mean else float("inf")

    def _reboot(self) -> None:
        self.clock.lose_power(BOOT_S)
        self.clock.now = BOOT_S
        self.clock.wall_offset -= BOOT_S
        self.true += 2 * BOOT_S
        self._ahead = 0.0
        self._set_clock()
        if self.events.boots_in_1970:
            self._ahead = -self.clock.wall()
            self._set_clock()

    def _set_clock(self) -> None:
        self.clock.wall_offset = max(self._began + self.true + self._ahead, 0.0) - self.clock.now

    def _pass(self, seconds: float) -> None:
        self.clock.now += seconds
        self.true += seconds

    def _run_process(self, seconds: float, *, is_clean: bool) -> None:
        order = BudgetedOrder(Ledger.of_device(self.per_day, SHARE, self.name), self.clock.reading)
        order.restore(self._notes, list(self._waiting.values()))
        lane = RandomLane(self._interval, self.name)
        boot = f"boot {self.clock.boots}"
        lane.resume(self._notes.get(_LANE), boot)
        keep = self.clock.now + MEMORY_S
        previous = self.clock.now
        for step in self._steps(seconds):
            self._pass(step)
            sampling = lane.draw(frame(self.clock.now, stream=boot, pixels=_PIXELS))
            self.watched += self.clock.now - previous
            previous = self.clock.now
            if sampling is not None:
                self.drawn.append((self.true, sampling.weight))
                self._put(order, Lane.RANDOM)
            if not any(entry.lane is Lane.SCORE for entry, _ in self._waiting.values()):
                self._put(order, Lane.SCORE)
            if self.events.asks_s and self.true >= self._asked * self.events.asks_s:
                self._asked += 1
                self._put(order, Lane.REQUESTED)
                self._put(order, Lane.VERDICT)
            self._send(order)
            if self.clock.now >= keep:
                self._keep(order, lane)
                keep = self.clock.now + MEMORY_S
        if is_clean:
            self._keep(order, lane)

    def _steps(self, seconds: float) -> Iterator[float]:
        """Yield the time until each next frame, and change the clock and the network on time."""
        yield 0.0
        while seconds > 0:
            if self._ahead:  # a clock that is wrong is set right
                wait = min(seconds, BOOT_S if self._ahead < -1e9 else HOUR)
                seconds -= wait
                yield wait
                self._ahead = 0.0
                self._set_clock()
                continue
            if self.events.step_s and self._draw.random() < self.step_s / self.events.step_s:
                self._ahead = self._draw.choice(STEPS)
                self._set_clock()
            if self.events.outage_s and self._draw.random() < self.step_s / self.events.outage_s:
                self._offline_until = self.true + 3 * DAY_S
            wait = min(seconds, self.step_s)
            seconds -= wait
            yield wait

    def _put(self, order: BudgetedOrder, lane: Lane) -> None:
        self._number += 1
        entry = SpoolEntry(capture_id(self._number), lane, 0.5, self._number, 1)
        order.arrive(entry, "")
        self._waiting[entry.id] = entry, ""
        self._store(order)

    def _send(self, order: BudgetedOrder) -> None:
        while (choice := order.choose()) is not None:
            self._notes |= {name: text for name, text in choice.notes.items() if text is not None}
            for name, text in choice.notes.items():
                if text is None:
                    del self._notes[name]
            self.writes += bool(choice.notes)
            order.take(choice)
            if self.true < self._offline_until:
                order.give_back(choice.entry)
                return
            self.uploads.append((self.true, choice.entry.lane))
            del self._waiting[choice.entry.id]
            order.leave(choice.entry)
            self._store(order)

    def _keep(self, order: BudgetedOrder, lane: RandomLane) -> None:
        self._notes[_LANE] = lane.memory()
        self._store(order)

    def _store(self, order: BudgetedOrder) -> None:
        self._notes |= order.account()
        self.writes += 1


def most_in_excess(times: Collection[float], per_day: float) -> float:
    """Return by how much the uploads of any window exceed the budget of that window."""
    worst, lowest = 0.0, float("inf")
    for number, at in enumerate(sorted(times)):
        lowest = min(lowest, number - at / DAY_S * per_day)
        worst = max(worst, number + 1 - at / DAY_S * per_day - lowest)
    return worst
