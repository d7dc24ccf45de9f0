"""The rules of the score lane: one small class each, and the table that names them.

To add one: write a class with a `name`, a `weight` and a `score` in a file of its family, and add
it to `RULES`.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar, Protocol

from agent.domain import Observation, Thresholds
from agent.selection.rules.confidence import LowConfidence


class Rule(Protocol):
    """Looks at one camera's frames in order and says how informative each is."""

    name: ClassVar[str]
    weight: ClassVar[float]  # share of the value that the rule alone can give, 0 to 1

    def score(self, observation: Observation) -> float:
        """Raw score of a frame, 0 to 1; 0 = the rule does not fire."""


RULES: Mapping[str, Callable[[Thresholds], Rule]] = {
    LowConfidence.name: LowConfidence,
}


def make_rules(names: Iterable[str], thresholds: Thresholds) -> tuple[Rule, ...]:
    """The named rules, for one camera."""
    return tuple(RULES[name](thresholds) for name in names)
