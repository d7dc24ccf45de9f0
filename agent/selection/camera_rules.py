"""The rules of one camera: they name the suspects of its frames, before any feedback."""

from collections import deque
from collections.abc import Mapping
from dataclasses import is_dataclass
from functools import cache

from agent.domain import Suspect
from agent.selection.frame_context import LOOK_AHEAD, FrameContext
from agent.selection.plan import SelectionPlan
from agent.selection.rules import CountsFrames, Remembers, Rule, make_rules
from agent.selection.rules.scene import InvalidOutput


class CameraRules:
    """The rules of a plan, and the one that is always on. Frames must come in order."""

    def __init__(self, plan: SelectionPlan, rules: tuple[Rule, ...] | None = None) -> None:
        """Make the rules of the plan, unless `rules` are given."""
        self._plan = plan
        if rules is None:
            rules = make_rules(plan.rules, plan.thresholds, plan.rule_options)
        self._rules = rules
        self._invalid_output = InvalidOutput()

    @property
    def look_ahead(self) -> int:
        """Return how many frames after a frame its context needs."""
        return LOOK_AHEAD if any(rule.is_temporal for rule in self._rules) else 0

    def named(self, context: FrameContext) -> list[Suspect]:
        """Return the suspects of all rules, in the order of the rules."""
        found = list(self._invalid_output.suspects(context))
        for rule in self._rules:
            if context.is_timed or not rule.is_temporal:
                found += rule.suspects(context)
        return found

    def of_single_image(self) -> "CameraRules":
        """Return the same rules before their first frame, for an image without neighbours.

        Without those that have nothing to compare it with: the temporal ones, and those that count
        frames. Rules of frozen classes are shared: they keep nothing of what they see.
        """
        return CameraRules(
            self._plan,
            tuple(
                rule if _keeps_nothing(type(rule)) else self._made(rule.name)
                for rule in self._rules
                if not (rule.is_temporal or _counts_frames(type(rule)))
            ),
        )

    def _made(self, name: str) -> Rule:
        [rule] = make_rules([name], self._plan.thresholds, self._plan.rule_options)
        return rule

    def count(self, context: FrameContext) -> None:
        """Let the rules that count frames count one of which nobody wants the suspects."""
        for rule in self._rules:
            if isinstance(rule, CountsFrames) and (context.is_timed or not rule.is_temporal):
                deque(rule.suspects(context), maxlen=0)

    def memory(self) -> dict[str, str]:
        """Return the state that should survive a restart, by name."""
        return {
            f"rule/{rule.name}": rule.memory()
            for rule in self._rules
            if isinstance(rule, Remembers)
        }

    def remember(self, kept: Mapping[str, str]) -> None:
        """Restore what `memory` returned; a rule whose text is unreadable starts empty."""
        for rule in self._rules:
            text = kept.get(f"rule/{rule.name}")
            if text is not None and isinstance(rule, Remembers):
                try:
                    rule.remember(text)
                except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                    continue


@cache
def _counts_frames(rule: type[Rule]) -> bool:
    return hasattr(rule, "counts_frames")


@cache
def _keeps_nothing(rule: type[Rule]) -> bool:
    """Whether a rule says the same of a frame whatever it saw before."""
    if hasattr(rule, "memory"):
        return False
    return is_dataclass(rule) and bool(rule.__dataclass_params__.frozen)
