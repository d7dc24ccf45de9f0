"""The product's own selection and budget, on a virtual clock."""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from agent.domain import Capture, Lane, SpoolEntry, Thresholds
from agent.selection.budget.ledger import ClockReading, Ledger
from agent.selection.budget.purchase import BudgetedOrder, SendHint
from agent.selection.device import Selection
from agent.selection.plan import SelectionPlan
from agent.selection.rules import RULE_NAMES
from agent.selection.selector import FrameEvaluation
from tests.bench.selection.policies import Scored
from tests.bench.selection.scenes import FPS, Seen


@dataclass
class Ours:
    """One day of a device; by default it is always online."""

    frames: int
    per_day: int
    network_at_end_only: bool = False
    scored: list[Scored] = field(default_factory=list)
    purchased: list[tuple[int, float, Lane]] = field(default_factory=list)  # frame, when, lane
    stored: int = 0

    def __post_init__(self) -> None:
        period = self.frames / FPS
        plan = SelectionPlan(RULE_NAMES, Thresholds(0.5, floor=0.05), "seed", per_day=self.per_day)
        plan = SelectionPlan(
            plan.rules, plan.thresholds, "seed", per_day=self.per_day, period_s=period
        )
        self._now = 0.0
        ledger = Ledger(self.per_day, plan.reserved_share(cameras=1), period)
        self._order = BudgetedOrder(ledger, lambda: ClockReading(self._now, self._now, "boot"))
        self._numbers = iter(range(1 << 40))
        self._frames: dict[str, int] = {}
        self._waiting: dict[str, SpoolEntry] = {}
        self._selection = Selection(["street"], plan, new_id=self._new_id, explain=self._explain)

    def run(self, day: Iterable[Seen]) -> "Ours":
        """Run the selection over a day."""
        for seen in day:
            at = seen.observation.frame.at
            self._store(self._selection.observe(seen.observation, at))
            if not self.network_at_end_only:
                self._spend(at)
        end = self.frames / FPS - 1e-3
        self._store(self._selection.finish(end))
        self._spend(end)
        return self

    def _new_id(self, _wall: float) -> str:
        return f"0-0-0-0-{next(self._numbers) * 0x9E3779B97F4A % 2**48:012x}"

    def _explain(self, evaluation: FrameEvaluation) -> None:
        low = evaluation.scores.get("low_confidence", 0.0)
        self.scored.append(Scored(evaluation.frame.sequence, evaluation.value, low))

    def _store(self, captures: list[Capture]) -> None:
        for capture in captures:
            self.stored += 1
            frame = capture.observation.frame
            entry = SpoolEntry(capture.id, capture.lane, round(capture.value, 3), self.stored, 1)
            self._frames[capture.id] = frame.sequence
            self._waiting[capture.id] = entry
            self._order.arrive(entry, SendHint.of(capture).text)
            with contextlib.suppress(KeyError):
                self._order.leave(self._waiting.pop(capture.replaces or ""))

    def _spend(self, now: float) -> None:
        self._now = now
        while (choice := self._order.choose()) is not None:
            self._order.take(choice)
            entry = self._waiting.pop(choice.entry.id)
            self.purchased.append((self._frames[entry.id], now, entry.lane))
            self._order.leave(entry)
