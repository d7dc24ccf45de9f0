"""The settings of the selection, for all cameras of a device or a recording."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agent.domain import Thresholds
from agent.selection.budget.ledger import DAY_S

NO_BUDGET_RANDOM_INTERVAL_S = 15 * 60.0


@dataclass(frozen=True, slots=True)
class SelectionPlan:
    """What an operator chose, for all cameras of a device or a recording."""

    rules: Sequence[str]
    thresholds: Thresholds
    seed: str  # of the random lane
    random_interval: float | None = None  # seconds; None = as the credits allow
    is_random: bool = True
    every_nth: int = 0
    per_day: float = 0  # credits; 0 = no budget
    random_share: float = 0.2
    min_value: float = 0.1  # expected new failures; less is never captured for its value
    rule_options: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    auto_per_day: float = 0  # captures that the model labels itself; 0 = none
    auto_precision: float = 0.98  # that the lower bound of a class must reach for it
    redact: tuple[str, ...] = ()  # labels of which nothing recognizable is kept
    period_s: float = DAY_S  # in which the credits accrue: a day, or a recording's length

    def interval_for(self, cameras: int) -> float | None:
        """Return the seconds between random captures of one camera; None for none."""
        if not self.is_random:
            return None
        if self.random_interval is not None:
            return self.random_interval
        if self.per_day == 0:
            return NO_BUDGET_RANDOM_INTERVAL_S
        random_credits = self.per_day * self.random_share
        return cameras * self.period_s / random_credits if random_credits > 0 else None

    def reserved_share(self, cameras: int) -> float:
        """Return the share of the credits that the random lane can use, at most `random_share`."""
        if self.every_nth:  # how many captures these are, only the cameras know
            return self.random_share
        if not self.is_random or self.per_day == 0:
            return 0.0
        if self.random_interval is None:  # the interval is chosen to use the whole share
            return self.random_share
        draws = max(1, cameras) * self.period_s / self.random_interval
        return min(self.random_share, draws / self.per_day)

    def score_credits(self, cameras: int) -> float:
        """Return the credits of a period that are left for the score lane."""
        return self.per_day * (1 - self.reserved_share(cameras))
