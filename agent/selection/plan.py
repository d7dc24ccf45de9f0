"""The settings of the selection, for all cameras of a device or for a recording."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agent.domain import Thresholds
from agent.selection.budget.ledger import DAY_S

NO_BUDGET_RANDOM_INTERVAL_S = 15 * 60.0

RULE_COOLDOWN_S = 10.0
"""Least time between two captures of one rule and camera; used only without a budget."""


@dataclass(frozen=True, slots=True)
class SelectionPlan:
    """The settings of the selection, for all cameras of a device or for a recording."""

    rules: Sequence[str]
    thresholds: Thresholds
    seed: str  # of the random lane
    random_interval: float | None = None  # seconds; None = derived from the credits
    is_random: bool = True
    every_nth: int = 0
    per_day: int = 0  # credits; 0 = no budget
    random_share: float = 0.2
    weights: Mapping[str, float] = field(default_factory=dict)
    rule_options: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    period_s: float = DAY_S  # period in which the credits accrue: a day, or a recording's length
    cooldown_s: float = RULE_COOLDOWN_S  # used only without a budget

    def interval_for(self, cameras: int) -> float | None:
        """Return the seconds between random captures of one camera; None = no random captures."""
        if not self.is_random:
            return None
        if self.random_interval is not None:
            return self.random_interval
        if self.per_day == 0:
            return NO_BUDGET_RANDOM_INTERVAL_S
        credits_for_it = self.per_day * self.random_share
        return cameras * self.period_s / credits_for_it if credits_for_it > 0 else None

    def reserved_share(self, cameras: int) -> float:
        """Return the share of credits reserved for the random lane: at most what it can use."""
        if self.every_nth:  # their number depends on the cameras' frame rates
            return self.random_share
        if not self.is_random or self.per_day == 0:
            return 0.0
        if self.random_interval is None:  # derived so that it uses the whole share
            return self.random_share
        # A day's first capture needs no accrued credit: a slot cut by midnight needs no extra.
        draws = max(1, cameras) * self.period_s / self.random_interval
        return min(self.random_share, draws / self.per_day)
