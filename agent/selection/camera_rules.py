"""The rules of one camera: they name the suspects of its frames, before any feedback."""

from collections import deque
from collections.abc import Mapping

from agent.domain import Suspect
from agent.selection.frame_context import LOOK_AHEAD, FrameContext
from agent.selection.plan import SelectionPlan
from agent.selection.rules import CountsFrames, Remembers, make_rules
from agent.selection.rules.scene import InvalidOutput


class CameraRules:
    """The rules of a plan, and the one that is always on. Frames must come in order."""

    def __init__(self, plan: SelectionPlan) -> None:
        self._rules = make_rules(plan.rules, plan.thresholds, plan.rule_options)
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
