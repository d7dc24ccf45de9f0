"""The rules of the score lane: their names, and how to load their classes.

To add one: write a class with a `name`, a `prior`, `is_temporal`, its `tasks` and `suspects` in the
module of its family, and add one line to `_CLASSES`. The first sentence of its docstring becomes
its row in docs/selection.md.

Importing this package imports no rule: the rules need numpy, which the settings and the command
line load only when they use a rule.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

from agent.domain import Task, Thresholds

if TYPE_CHECKING:
    from agent.domain import Suspect
    from agent.selection.frame_context import FrameContext


class Rule(Protocol):
    """Looks at the frames of one camera, in order, and names suspects."""

    name: ClassVar[str]
    prior: ClassVar[float]  # `p` of its strongest suspects, 0 to 1
    is_temporal: ClassVar[bool]  # compares neighbouring frames: disabled if frames are too slow
    tasks: ClassVar[tuple[Task, ...]]  # of the models whose output it can judge

    def __init__(self, thresholds: Thresholds, **options: float) -> None: ...

    def suspects(self, context: "FrameContext") -> "Iterable[Suspect]":
        """Return the places of a frame where the model is probably wrong, each with its `p`.

        `p` is the probability that a labeller finds an error there. Places below `LEAST_P` are
        left out. Several places of one track count once, with the highest `p` of all rules.
        """


@runtime_checkable
class Remembers(Protocol):
    """A rule with state that must survive a restart."""

    def memory(self) -> str:
        """Return the state as text, for the spool's index."""

    def remember(self, text: str) -> None:
        """Restore what `memory` returned; raise `ValueError` for anything else."""


@runtime_checkable
class CountsFrames(Protocol):
    """A rule that compares with what the frames before showed, however many they were.

    Its `suspects` is also called, and its result ignored, for frames in which nothing moved and on
    which the model did not run.
    """

    counts_frames: ClassVar[bool]
    is_temporal: ClassVar[bool]

    def suspects(self, context: "FrameContext") -> "Iterable[Suspect]":
        """See `Rule`."""


_CLASSES: Mapping[str, str] = {
    "low_confidence": "confidence:LowConfidence",
    "low_margin": "confidence:LowMargin",
    "flicker": "temporal:Flicker",
    "isolated": "temporal:Isolated",
    "class_flip": "temporal:ClassFlip",
    "weak_track": "temporal:WeakTrack",
    "clash": "scene:Clash",
    "count_change": "scene:CountChange",
    "motion_without_detection": "scene:MotionWithoutDetection",
    "rare_label": "scene:RareLabel",
}

RULE_NAMES = tuple(_CLASSES)
"""All rules, in the order in which they are documented and run."""


@cache
def rule_class(name: str) -> type[Rule]:
    """Import and return the class of a rule; raises `KeyError` for an unknown name."""
    module, _, attribute = _CLASSES[name].partition(":")
    loaded: type[Rule] = getattr(import_module(f"{__name__}.{module}"), attribute)
    return loaded


@cache
def rules() -> Mapping[str, type[Rule]]:
    """Import and return all rules by name."""
    return MappingProxyType({name: rule_class(name) for name in RULE_NAMES})


def supported(names: Iterable[str], task: Task) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Split rules into those that can judge the output of a model of this task, and the rest."""
    chosen = tuple(names)
    kept = tuple(name for name in chosen if task in rule_class(name).tasks)
    return kept, tuple(name for name in chosen if name not in kept)


def make_rules(
    names: Iterable[str],
    thresholds: Thresholds,
    options: Mapping[str, Mapping[str, float]] = MappingProxyType({}),
) -> tuple[Rule, ...]:
    """Make the named rules for one camera; `options` are those of `AGENT_RULE_OPTIONS`."""
    return tuple(rule_class(name)(thresholds, **options.get(name, {})) for name in names)
