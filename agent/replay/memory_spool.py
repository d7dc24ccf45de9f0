"""An in-memory spool: captures of one recording wait for the credits of its period.

Captures are purchased in the daemon's order, by the clock of the recording. Nothing is sent: a
purchase counts as delivered at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from agent.domain import Capture, Lane, SpoolEntry
from agent.ports import SendOrder
from agent.selection.budget.auto_order import AutoOrder
from agent.selection.budget.ledger import ClockReading, Ledger
from agent.selection.budget.purchase import BudgetedOrder
from agent.selection.budget.send_order import ValueOrder
from agent.selection.cover import Cover
from agent.selection.plan import SelectionPlan

_JUST_BEFORE_END = 1.0 - 1e-9  # share of a period: at its end the next one would begin


@dataclass(frozen=True, slots=True)
class Purchase:
    """A capture on which a credit was spent."""

    id: str
    at: float  # seconds of the recording
    value: float  # expected new failures beside what was purchased before


class MemorySpool:
    """The captures that wait for a credit. A recording counts as one budget period.

    `plan.period_s` is the recording's length; without a budget all is purchased at once.
    """

    def __init__(self, plan: SelectionPlan, cover: Cover) -> None:
        """`cover` is filled with what is purchased."""
        self._seconds = plan.period_s
        self._at = 0.0
        self._held: dict[str, SpoolEntry] = {}
        self._sequence = 0
        self._budgeted: BudgetedOrder | None = None
        others: SendOrder = ValueOrder()
        if plan.per_day:
            ledger = Ledger(plan.per_day, plan.reserved_share(cameras=1), self._seconds)
            others = self._budgeted = BudgetedOrder(ledger, self._now, cover, plan.min_value)
            ledger.accrue(self._now())
        for_auto = Ledger(plan.auto_per_day, 0.0, self._seconds, for_auto=True)
        for_auto.accrue(self._now())
        self._order = AutoOrder(others, for_auto, self._now)

    def put(self, capture: Capture, size: int) -> str | None:
        """Add a capture of `size` bytes; return the id of the capture that it replaced."""
        replaced = self._held.pop(capture.replaces or "", None)
        if replaced is not None:
            self._order.leave(replaced)
        self._sequence += 1
        value = round(capture.value, 3)
        entry = SpoolEntry(capture.id, capture.lane, value, self._sequence, size)
        self._held[capture.id] = entry
        self._order.arrive(entry, capture.hint)
        return replaced.id if replaced is not None else None

    def buy(self, at: float) -> Iterator[Purchase]:
        """Spend the credits accrued at `at` seconds from the start of the recording."""
        self._at = max(self._at, at)
        while (choice := self._order.choose()) is not None:
            entry = choice.entry
            value = self.current_value(entry.id)
            self._order.take(choice)
            self._order.leave(entry)
            del self._held[entry.id]
            yield Purchase(entry.id, self._at, value)

    def close(self) -> Iterator[Purchase]:
        """Spend what is left at the end of the recording, each lane its own credits first."""
        yield from self.buy(self._seconds)
        if self._budgeted is not None:
            self._budgeted.ledger.is_closing = True
            yield from self.buy(self._seconds)

    def current_value(self, capture_id: str) -> float:
        """Return a capture's value beside the purchases; 0 for one that does not wait."""
        entry = self._held.get(capture_id)
        if entry is None or entry.lane is Lane.AUTO:  # no failure is expected there
            return 0.0
        if self._budgeted is not None:
            return self._budgeted.current_value(capture_id) or 0.0
        return entry.value

    @property
    def held(self) -> frozenset[str]:
        """The ids of the captures that wait."""
        return frozenset(self._held)

    def _now(self) -> ClockReading:
        at = min(self._at, self._seconds * _JUST_BEFORE_END)
        return ClockReading(at, at, "recording")
