"""The rules of the score lane: one small class each, and the table that names them.

To add one: write a class with a `name`, a `weight`, `is_temporal`, its `tasks` and a `score` in the
file of its family, and add it to `RULES`. The first sentence of its docstring becomes its row in
the README.
"""

from collections.abc import Iterable, Mapping
from typing import ClassVar, Protocol, runtime_checkable

from agent.domain import Thresholds
from agent.selection.frame_context import FrameContext
from agent.selection.rules.confidence import LowConfidence, LowMargin
from agent.selection.rules.scene import Clash, CountChange, MotionWithoutDetection, RareLabel
from agent.selection.rules.temporal import ClassFlip, Flicker, Isolated, WeakTrack


class Rule(Protocol):
    """Looks at one camera's frames in order and says how informative each is."""

    name: ClassVar[str]
    weight: ClassVar[float]  # share of the value that the rule alone can give, 0 to 1
    is_temporal: ClassVar[bool]  # compares neighbours: silent when frames come too slowly
    tasks: ClassVar[tuple[str, ...]]  # of models that give it something to look at

    def __init__(self, thresholds: Thresholds) -> None: ...

    def score(self, moment: FrameContext) -> float:
        """Raw score of a frame, 0 to 1; 0 = the rule does not fire."""


@runtime_checkable
class Remembers(Protocol):
    """A rule with a memory that is worth keeping over a restart."""

    def memory(self) -> str:
        """For the index."""

    def remember(self, text: str) -> None:
        """Take back what `memory` wrote; raises `ValueError` for anything else."""


RULES: Mapping[str, type[Rule]] = {
    rule.name: rule
    for rule in (
        LowConfidence,
        LowMargin,
        Flicker,
        Isolated,
        ClassFlip,
        WeakTrack,
        Clash,
        CountChange,
        MotionWithoutDetection,
        RareLabel,
    )
}


def supported(names: Iterable[str], task: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Part rules into those that a model of this task gives something to look at, and the rest."""
    chosen = tuple(names)
    kept = tuple(name for name in chosen if task in RULES[name].tasks)
    return kept, tuple(name for name in chosen if name not in kept)


def make_rules(names: Iterable[str], thresholds: Thresholds) -> tuple[Rule, ...]:
    """The named rules, for one camera."""
    return tuple(RULES[name](thresholds) for name in names)
