"""A simple model of the labelling budget, and random actions to compare a ledger with it."""

import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.domain import EARLIEST_PLAUSIBLE, Lane
from agent.selection.budget.ledger import UNOBJECTED, ClockReading, Ledger

DAY = 86_400.0
NOON_2026 = 1_784_548_800.0
SHARE = 0.2  # of the credits, for the random lane
PAID_FROM_RANDOM = {Lane.RANDOM, Lane.INTERVAL}
CYCLE = (
    Lane.SCORE,
    Lane.RANDOM,
    Lane.REQUESTED,
    Lane.VERDICT,
    Lane.INTERVAL,
    UNOBJECTED,
    Lane.AUTO,
)
"""What is purchased in turn: lanes, and verdicts that affirm the model."""

Action = tuple[str, float]


State = tuple[float, float, int | None, float, Counter[str]]


@dataclass
class LedgerModel:
    """Checks each purchase against the limits of the budget; computed from the times alone."""

    per_day: float
    for_auto: bool = False  # of the lane `auto` alone, else of all others
    ran: float = 0.0  # seconds of running time
    began: float = 0.0  # value of `ran` at the start of this budget day
    date: int | None = None
    carried: float = 0.0  # credits left over from the day before, at most one, and of paid captures
    purchased: int = 0
    from_random: int = 0  # of all days
    asked: Counter[str] = field(default_factory=Counter)  # of all days, by lane or `UNOBJECTED`
    lowest: float = math.inf  # of what was purchased less what had accrued, before each purchase
    today: Counter[str] = field(default_factory=Counter)  # by lane, or `UNOBJECTED`
    by_date: Counter[int] = field(default_factory=Counter)
    paid: dict[str, str] = field(default_factory=dict)  # paid and not delivered
    broken: set[str] = field(default_factory=set)

    def pass_time(self, seconds: float, wall: float) -> None:
        self.ran += seconds
        date = int(wall // DAY)
        self.date = date if self.date is None else self.date
        if date > self.date:
            self._new_day(date, self.ran - min(seconds, wall - date * DAY))
        elif self.ran - self.began >= DAY:
            self._new_day(date, self.ran - (self.ran - self.began) % DAY)

    def buy(self, capture: str, lane: str, wall: float) -> None:
        self.lowest = min(self.lowest, self.purchased - self.ran / DAY * self.per_day)
        self.purchased += 1
        self.today[lane] += 1
        self.from_random += lane in PAID_FROM_RANDOM
        self.asked[lane] += 1
        if wall >= EARLIEST_PLAUSIBLE:
            self.by_date[int(wall // DAY)] += 1
        self.paid[capture] = lane
        self._check(lane)

    @property
    def state(self) -> State:
        """The state that is durable with the ledger's text; purchases are always durable."""
        return self.ran, self.began, self.date, self.carried, self.today.copy()

    def resume(self, state: State, seconds: float, wall: float) -> None:
        """Continue `seconds` after a stored state; the time between is lost."""
        self.ran, self.began, self.date, self.carried, today = state
        self.today = today.copy()
        self.pass_time(seconds, wall)

    def _accrued(self, ran: float) -> float:
        """Return what this budget day has earned when the device has run for `ran` seconds."""
        return self.carried + (ran - self.began) / DAY * self.per_day

    def _new_day(self, date: int, began: float) -> None:
        left = min(1.0, max(0.0, self._accrued(began) - self.today.total()))
        self.carried = left + len(self.paid)
        self.date, self.began = date, began
        self.today = Counter(self.paid.values())

    def _check(self, lane: str) -> None:
        """Record which limits a purchase broke."""
        accrued, spent = self._accrued(self.ran) + 0.001, self.today.total()
        in_all = self.ran / DAY * self.per_day + 0.001
        verdicts = self.today[Lane.VERDICT] + self.today[UNOBJECTED]
        rules = {
            "lanes": (lane == Lane.AUTO) is self.for_auto,
            "a date": max(self.by_date.values(), default=0) <= math.ceil(self.per_day),
            "any window": self.per_day >= 1 or self.purchased - in_all - self.lowest <= 1,
            "a budget day": spent <= math.ceil(self.per_day),
            "accrual": spent <= accrued,
            "random share": self.from_random <= SHARE * in_all + 0.5,
            "unobjected": lane != UNOBJECTED or self.today[lane] <= 0.05 * self.per_day,
            "verdicts": lane not in {Lane.VERDICT, UNOBJECTED}
            or self._is_within_a_tenth(verdicts, self.asked[Lane.VERDICT], in_all),
            "requested": lane != Lane.REQUESTED
            or self._is_within_a_tenth(self.today[lane], self.asked[lane], in_all),
        }
        self.broken |= {name for name, holds in rules.items() if not holds}

    def _is_within_a_tenth(self, today: int, ever: int, in_all: float) -> bool:
        """Whether a lane keeps its limit: of each day, and of less than one a day over all days."""
        return today <= 0.1 * self.per_day if self.per_day >= 10 else ever <= 0.1 * in_all + 1


def broken_rules(  # noqa: C901 (one branch per kind of action)
    actions: Sequence[Action],
    *,
    per_day: float,
    make: type[Ledger] = Ledger,
    for_auto: bool = False,
) -> set[str]:
    """Return the names of the limits that the ledger broke in this run of actions."""
    ledger, model = make(per_day, SHARE, for_auto=for_auto), LedgerModel(per_day, for_auto)
    clock, wall, boots = 1000.0, NOON_2026, 0
    ledger.accrue(ClockReading(clock, wall, "0"))
    model.pass_time(0.0, wall)
    kept = ledger.text, model.state, (boots, clock)
    for number, (kind, amount) in enumerate(actions):
        if kind == "run":
            clock, wall = clock + amount, wall + amount
            model.pass_time(amount, wall)
        elif kind == "step":
            wall = max(0.0, wall + amount)
            model.pass_time(0.0, wall)
        elif kind == "reboot":  # time without power earns nothing
            boots, clock, wall = boots + 1, 5.0, wall + amount
            ledger = _restarted(make, model, kept[0])
            model.resume(kept[1], 0.0, wall)
        elif kind == "restart":
            ledger = _restarted(make, model, kept[0])
            boot, at = kept[2]
            model.resume(kept[1], clock - at if boot == boots else 0.0, wall)
        elif kind == "keep":
            kept = ledger.text, model.state, (boots, clock)
        elif kind == "deliver":
            for capture in list(ledger.paid)[: int(amount)]:
                ledger.finished(capture)
                model.paid.pop(capture, None)
        ledger.accrue(ClockReading(clock, wall, str(boots)))
        if kind == "buy":
            for one in range(int(amount)):
                lane = CYCLE[(number + (one if amount % 1 else 0)) % len(CYCLE)]
                affirms = lane == UNOBJECTED
                paid_as = Lane.VERDICT if affirms else Lane(lane)
                if ledger.may_buy(paid_as, is_unobjected=affirms):
                    ledger.buy(f"{number}/{one}", paid_as, is_unobjected=affirms)
                    model.buy(f"{number}/{one}", lane, wall)
                    kept = ledger.text, model.state, (boots, clock)
    return model.broken


def _restarted(make: type[Ledger], model: LedgerModel, text: str) -> Ledger:
    """Return the ledger after a restart, without the captures that were delivered meanwhile."""
    ledger = make.from_text(
        text, per_day=model.per_day, random_share=SHARE, for_auto=model.for_auto
    )
    for capture in set(ledger.paid) - model.paid.keys():
        ledger.finished(capture)
    return ledger


def random_actions(seed: int) -> list[Action]:
    """Return purchases, idle hours, clock steps to 1970 and 2076, restarts and reboots."""
    draw = random.Random(seed)
    steps = (-NOON_2026, NOON_2026, 50 * 365 * DAY, -50 * 365 * DAY, -3600.0, 3600.0, DAY, -DAY)
    kinds = {
        "run": lambda: draw.choice([1.0, 600.0, 7200.0, 30_000.0, 2.5 * DAY]),
        "step": lambda: draw.choice(steps),
        "reboot": lambda: draw.choice([10.0, 40_000.0, 3 * DAY]),
        "restart": lambda: 0.0,
        "keep": lambda: 0.0,
        "buy": lambda: draw.choice([1.0, 5.5, 100.0]),
        "deliver": lambda: draw.choice([1.0, 100.0]),
    }
    chosen = draw.choices(list(kinds), [8, 2, 1, 2, 3, 10, 6], k=80)
    return [(kind, kinds[kind]()) for kind in chosen]
