"""The labelling budget of a device: when a capture may be purchased, whatever the clock does.

The budget of the lane `auto` is a second ledger, with the same rules and its own credits: a capture
that the model labels itself costs no labelling credit, and no labelling credit buys one.

Credits accrue evenly over the day while the device is on and are spent before the request is made.
Three limits hold at once, so that no restart, retry or clock step spends more:

- spending is at most what has accrued so far: none is given up front, because the first credit
  would go to the first thing that comes. A device with less than a credit a day begins at its own
  place within the first one, see `Ledger.of_device`;
- a budget day ends with the UTC date, or after 24 h of running if the date does not change, and
  unspent credits then lapse but for one: the last credit of a day accrues at its end;
- no more than the budget, rounded up, is sent on one budget day, and spent under one UTC date of
  the wall clock, even when the clock steps back to it within 100 days of running. A date before
  2024 belongs to a clock that was not set: each boot of a device without a battery repeats it.

A budget below one credit a day is a part of a credit that goes on growing over the days. Of it no
more than one credit is kept at any time, and none accrues while a capture that was paid is not
delivered: so the uploads of any length of time are at most the budget of that time and one.

The random lane has its share of what accrues, and not credits of its own: it comes first for each
credit while it was given less than its share, and where no random capture waits, the credit buys
another one. The next random captures then get theirs.

The lanes `requested` and `verdict`, which are sent first, have at most a tenth of the credits each.
Where that is less than one a day it grows over the days, up to one, which a new ledger has: else
requests of each day would use up a small budget, and no random capture would ever be sent.

Time without power earns nothing: credits stand for time in which frames could be captured. Credits
that accrued before a reboot on the same date are kept as far as they were durable: the ledger is
stored with each change of the spool. Dates are UTC, because a local day may have 25 hours.
"""

import contextlib
import hashlib
import json
import math
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

from agent.domain import EARLIEST_PLAUSIBLE, LANES, BudgetPart, Lane

DAY_S = 86_400.0

DEGRADED_SHARE = 0.05
"""Share of the credits that dark, overexposed and blurred images may use in the score lane."""

UNOBJECTED = "unobjected"
"""What captures of the lane `verdict` count as that affirm the model: nobody objected to it."""

UNOBJECTED_SHARE = 0.5
"""Of the credits of the lane `verdict`, so that people who see a failure always find one."""

LEDGER_NOTE = "ledger"
"""Name of the note that has the ledger's text; the name on disk."""

AUTO_LEDGER_NOTE = "ledger_auto"
"""The same of the ledger of the lane `auto`."""

_DATES_KEPT_S = 100 * DAY_S
"""Running time after which a date that was spent on is forgotten. The number of dates does not
count: a clock that steps often must not make a date forgotten."""

_MOST_DATES = 1000
"""The most dates that are remembered. At this number the clock is known to be wrong, and no credit
is spent under a further date."""

_MOST_OWED = 2.0
"""Credits that the random lane may have got less than its share at the end of a day. More lapse, so
that many random captures after a long time without any do not use up all credits."""

_LIMITED = {
    lane: traits.budget_limit for lane, traits in LANES.items() if traits.budget_limit is not None
}

_ROUNDING = 1e-6  # credits; tolerance of sums
_VERDICTS = (Lane.VERDICT.value, UNOBJECTED)


@dataclass(frozen=True, slots=True)
class ClockReading:
    """The clocks that the ledger needs, read at one instant."""

    monotonic: float  # seconds
    wall: float  # seconds since 1970 UTC
    boot: str  # `monotonic` values of different boots cannot be compared


@dataclass(slots=True)
class Ledger:
    """The credits of one device. The caller stores `text` before each request."""

    per_day: float  # credits; above 0, fractions allowed
    random_share: float = 0.2  # share of the credits for the random lane, 0 to 1
    period_s: float = DAY_S  # length of a budget day; a recording is one day
    for_auto: bool = False  # its credits buy captures of the lane `auto`, and nothing else
    _earned: float = 0.0  # credits accrued today, with what was carried over
    _carried: float = 0.0  # credits left over from before, and those of captures still unsent
    _spent: Counter[str] = field(default_factory=Counter)  # by lane or `UNOBJECTED`, today
    _random_owed: float = 0.0  # credits of its share that the random lane has not got; or below 0
    _degraded: float = 0.0  # credits accrued for dark, overexposed and blurred images
    _granted: dict[Lane, float] = field(default_factory=lambda: dict.fromkeys(_LIMITED, 1.0))
    """Credits that a lane with a limit may spend, where it is less than one a day; at most 1."""
    _by_date: dict[int, tuple[int, float]] = field(
        default_factory=dict
    )  # credits spent, and `elapsed` at the last of them, by days since 1970
    _paid: dict[str, str] = field(
        default_factory=dict
    )  # the same, by id of captures paid and not finished
    elapsed: float = 0.0  # seconds of running time since the ledger was made
    is_closing: bool = False
    """The period is over: credits that one lane cannot use may pay for another lane."""
    _date: int | None = None
    _running: float = 0.0  # seconds of running time in this budget day
    _last: ClockReading | None = None

    @classmethod
    def of_device(cls, per_day: float, random_share: float, device: str) -> "Ledger":
        """Return the first ledger of a device, which is one of many with the same budget.

        With less than a credit a day, it begins with a part of one, of a size that depends on its
        name alone. So 300 devices with a third of a credit each buy 100 captures on every day, and
        not 300 on every third one.
        """
        ledger = cls(per_day, random_share)
        if per_day < 1:
            digest = hashlib.blake2b(
                device.encode("utf-8", "surrogatepass"), digest_size=8
            ).digest()
            part = (int.from_bytes(digest) >> 11) / 2**53
            ledger._carried = ledger._earned = part
            ledger._random_owed = part * random_share
        return ledger

    def accrue(self, now: ClockReading) -> None:
        """Bring the ledger up to `now`."""
        passed = 0.0
        if self._last is not None and self._last.boot == now.boot:
            passed = max(0.0, now.monotonic - self._last.monotonic)
        self._last = now
        self.elapsed += passed
        today = int(now.wall // self.period_s)
        if self._date is None:
            self._date = today
        if today > self._date:
            into_it = min(passed, now.wall - today * self.period_s)
            self._begin_day(today, before_end=passed - into_it, seconds_into_it=into_it)
        elif self._running + passed >= self.period_s:
            into_it = (self._running + passed) % self.period_s
            self._begin_day(today, before_end=passed - into_it, seconds_into_it=into_it)
        else:
            self._earn(passed)

    def may_buy(self, lane: Lane, *, is_unobjected: bool = False) -> bool:
        """Whether a credit may be spent on a capture of this lane now.

        `is_unobjected`: it affirms the model; of the lane `verdict` alone.
        """
        assert self._date is not None and self._last is not None, "accrue first"  # noqa: PT018, S101
        if self._spendable < 1 - self._rounding or self.for_auto != (lane is Lane.AUTO):
            return False
        limit = LANES[lane].budget_limit
        if is_unobjected and self._spent[UNOBJECTED] >= unobjected_per_day(self.per_day):
            return False
        if limit is not None:
            of_day = self.per_day * limit + self._rounding
            if of_day < 1:
                return self._granted[lane] >= 1 - self._rounding
            spent = self._spent[lane.value]
            spent += self._spent[UNOBJECTED] if lane is Lane.VERDICT else 0
            return spent + 1 <= of_day
        if LANES[lane].paid_from is BudgetPart.RANDOM:
            is_owed = self._random_owed >= 0.5 - self._rounding  # nearest to its share
            return is_owed or (self.is_closing and self.random_share > 0)
        return self.random_share < 1

    @property
    def may_buy_degraded(self) -> bool:
        """Whether the next capture of the score lane may be dark, overexposed or blurred."""
        return self._degraded >= 1 - self._rounding

    def buy(
        self,
        capture_id: str,
        lane: Lane,
        *,
        is_degraded: bool = False,
        is_unobjected: bool = False,
    ) -> None:
        """Spend a credit on a capture. It stays paid until `finished`, however often it is sent."""
        assert self._last is not None, "accrue first"  # noqa: S101
        spent_on = UNOBJECTED if is_unobjected else lane.value
        self._spent[spent_on] += 1
        # Image quality concerns the score lane only: random captures use no degraded share.
        self._degraded -= is_degraded and lane is Lane.SCORE
        self._random_owed -= LANES[lane].paid_from is BudgetPart.RANDOM
        if lane in self._granted:
            self._granted[lane] = max(0.0, self._granted[lane] - 1)
        self._spend_under_date(1)
        self._paid[capture_id] = spent_on

    @property
    def paid(self) -> Collection[str]:
        """Ids of the captures that are paid and not finished."""
        return self._paid.keys()

    def copy(self) -> "Ledger":
        """Return a copy that can be changed without changing this one."""
        return replace(
            self,
            _spent=self._spent.copy(),
            _granted=dict(self._granted),
            _by_date=dict(self._by_date),
            _paid=dict(self._paid),
        )

    def finished(self, capture_id: str) -> None:
        """Forget a paid capture that was delivered, rejected or lost: it will not be sent again."""
        self._paid.pop(capture_id, None)

    @property
    def left(self) -> float:
        """Credits that may be spent now, all lanes together."""
        if self._date is None or self._last is None:
            return 0.0
        return max(0.0, self._spendable)

    @property
    def spent_today(self) -> int:
        """Credits spent in this budget day."""
        return self._spent.total()

    def seconds_until_credit(self) -> float:
        """Return about how long it takes until a credit may be spent; 0 if one may be now."""
        assert self._last is not None, "accrue first"  # noqa: S101
        spent = self._spent.total()
        if self._spendable >= 1 - self._rounding:
            return 0.0
        wait = (1 - (self._earned - spent)) * self.period_s / self.per_day
        to_midnight = self.period_s - self._last.wall % self.period_s
        if self._left_under_date < 1:
            wait = max(wait, to_midnight)
        if math.ceil(self.per_day) - spent < 1:
            wait = max(wait, min(to_midnight, self.period_s - self._running))
        return wait

    @property
    def _spendable(self) -> float:
        spent = self._spent.total()
        return min(self._earned - spent, math.ceil(self.per_day) - spent, self._left_under_date)

    @property
    def _left_under_date(self) -> float:
        """Credits that may be spent under the date of the wall clock."""
        assert self._last is not None, "accrue first"  # noqa: S101
        if self._last.wall < EARLIEST_PLAUSIBLE:
            return math.inf
        date = int(self._last.wall // self.period_s)
        if date not in self._by_date and len(self._by_date) >= _MOST_DATES:
            return 0.0
        spent, _ = self._by_date.get(date, (0, 0.0))
        return math.ceil(self.per_day) - spent

    @property
    def _rounding(self) -> float:
        return _ROUNDING * max(1.0, self.per_day / 100)

    def _earn(self, seconds: float) -> None:
        self._running += seconds
        self._earned = self._carried + self._running / self.period_s * self.per_day
        accrued = seconds / self.period_s * self.per_day
        self._random_owed += accrued * self.random_share
        most = max(1.0, self.per_day * DEGRADED_SHARE)
        self._degraded = min(most, self._degraded + accrued * DEGRADED_SHARE)
        for lane, share in _LIMITED.items():
            self._granted[lane] = min(1.0, self._granted[lane] + accrued * share)
        if self.per_day < 1:
            self._keep_at_most_one()

    def _keep_at_most_one(self) -> None:
        """Let lapse what a small budget has beyond one credit; undelivered captures hold theirs."""
        most = 0.0 if self._paid else 1.0
        lapsed = self._earned - self._spent.total() - most
        if lapsed > 0:
            self._carried -= lapsed
            self._earned -= lapsed

    def _begin_day(self, date: int, *, before_end: float, seconds_into_it: float) -> None:
        """Let unspent credits lapse but for one; undelivered paid captures count for the new day.

        The old day has not earned its last part yet, up to the moment at which it ended.
        """
        self._earn(before_end)
        left = min(1.0, max(0.0, self._earned - self._spent.total()))
        self._random_owed = min(_MOST_OWED, self._random_owed)
        self._date = date
        self._running = 0.0
        # They were paid on an earlier day: of today they take uploads, and no credits.
        self._spent = Counter(self._paid.values())
        self._carried = left + len(self._paid)
        if self._paid:
            self._spend_under_date(len(self._paid))
        self._earn(seconds_into_it)

    def _spend_under_date(self, count: int) -> None:
        """Count credits under the date of the wall clock, and forget those of long ago."""
        assert self._last is not None, "accrue first"  # noqa: S101
        if self._last.wall < EARLIEST_PLAUSIBLE:
            return
        self._by_date = {
            one: (spent, at)
            for one, (spent, at) in self._by_date.items()
            if self.elapsed - at <= _DATES_KEPT_S
        }
        date = int(self._last.wall // self.period_s)
        before, _ = self._by_date.get(date, (0, 0.0))
        if before or len(self._by_date) < _MOST_DATES:
            self._by_date[date] = (before + count, self.elapsed)

    @property
    def text(self) -> str:
        """The ledger as text, for the spool's index.

        For versions without the lane `verdict`, its captures stand there as requested ones; which
        of them are verdicts is in fields that these versions ignore.
        """
        spent = Counter(self._spent)
        verdicts = {name: spent.pop(name) for name in _VERDICTS if name in spent}
        if verdicts:
            spent[Lane.REQUESTED.value] += sum(verdicts.values())
        paid_verdicts = {one: name for one, name in self._paid.items() if name in _VERDICTS}
        return json.dumps(
            {
                "elapsed": round(self.elapsed, 3),
                "running": round(self._running, 3),
                "carried": round(self._carried, 6),
                "degraded_credits": round(self._degraded, 6),
                "granted": {lane: round(credit, 6) for lane, credit in self._granted.items()},
                "date": self._date,
                "spent": dict(spent),
                "spent_on_verdicts": verdicts,
                "random_owed": round(self._random_owed, 6),
                "by_date": [
                    (date, count, round(at)) for date, (count, at) in self._by_date.items()
                ],
                "paid": self._paid | dict.fromkeys(paid_verdicts, Lane.REQUESTED.value),
                "paid_verdicts": paid_verdicts,
                "monotonic": self._last.monotonic if self._last else 0.0,
                "wall": self._last.wall if self._last else 0.0,
                "boot": self._last.boot if self._last else "",
            },
            separators=(",", ":"),
        )

    @classmethod
    def from_text(
        cls,
        text: str,
        *,
        per_day: float,
        random_share: float,
        period_s: float = DAY_S,
        for_auto: bool = False,
    ) -> "Ledger":
        """Read a ledger as `text` writes it; the budget given here applies from now on.

        Raises `ValueError` for any other text.
        """
        ledger = cls(per_day, random_share, period_s, for_auto)
        try:
            state = json.loads(text)
            ledger._date = int(state["date"]) if state["date"] is not None else None
            ledger._spent = Counter(
                {Lane(lane).value: int(n) for lane, n in state["spent"].items()}
            )
            verdicts = {
                _verdict(name): int(n) for name, n in state.get("spent_on_verdicts", {}).items()
            }
            if verdicts:
                ledger._spent[Lane.REQUESTED.value] -= sum(verdicts.values())
                ledger._spent.update(verdicts)
            ledger._paid = {str(name): Lane(lane).value for name, lane in state["paid"].items()}
            ledger._paid |= {
                str(one): _verdict(name)
                for one, name in state.get("paid_verdicts", {}).items()
                if one in ledger._paid
            }
            ledger.elapsed = _finite(state["elapsed"])
            ledger._by_date = {
                int(date): (int(count), _finite(at[0]) if at else ledger.elapsed)
                for date, count, *at in state["by_date"]  # older versions wrote no time
            }
            clocks = _finite(state["monotonic"]), _finite(state["wall"])
            ledger._last = ClockReading(*clocks, str(state["boot"]))
            ledger._carried = _finite(state.get("carried", 0.0))
            ledger._earn(_finite(state["running"]))
            ledger._degraded = _finite(state.get("degraded_credits", 0.0))
            granted = state.get("granted", {})  # older versions had one a day
            ledger._granted = {lane: _finite(granted.get(lane.value, 1.0)) for lane in _LIMITED}
            share_left = (ledger._earned - ledger._spent.total()) * random_share  # older versions
            ledger._random_owed = _finite(state.get("random_owed", share_left))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ValueError("not a ledger") from error
        return ledger


def latest(texts: Iterable[str]) -> str | None:
    """Return the text of the ledger that ran longest, of equals the last; None without a valid one.

    A later text of one ledger knows of all credits that an earlier one knows of.
    """
    found: list[tuple[float, str]] = []
    for text in texts:
        with contextlib.suppress(ValueError):
            found.append((Ledger.from_text(text, per_day=1.0, random_share=0.0).elapsed, text))
    longest = max((elapsed for elapsed, _ in found), default=0.0)
    return next((text for elapsed, text in reversed(found) if elapsed == longest), None)


def unobjected_per_day(per_day: float) -> float:
    """Return how many captures that affirm the model a budget can pay for on one day.

    `per_day` is in credits, 0 = no budget. Half of the credits of the lane `verdict`, rounded down.
    """
    limit = LANES[Lane.VERDICT].budget_limit
    if per_day == 0 or limit is None:
        return math.inf
    return math.floor(per_day * limit * UNOBJECTED_SHARE + _ROUNDING)


def _verdict(name: object) -> str:
    """Return what a credit of the lane `verdict` was spent on. Raises `ValueError`."""
    if name not in _VERDICTS:
        raise ValueError("not a verdict")
    return str(name)


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("not a number")
    return float(value)
