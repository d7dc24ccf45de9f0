"""One camera's frames in, the captures among them out."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.domain import Capture, Lane, Observation, RuleHit
from agent.selection.random_lane import RandomLane
from agent.selection.rules import Rule
from agent.selection.scores import noisy_or

RULE_COOLDOWN_S = 10.0
"""Least time between two captures that the same rule of the same camera asks for."""


@dataclass(slots=True)
class Cooldown:
    """Keeps a still scene from filling the disk: each rule rests after it was heard."""

    seconds: float
    _heard_at: dict[str, float] = field(default_factory=dict)

    def ready(self, rule: str, at: float) -> bool:
        """Whether the rule may ask for a capture now; `at` is on the stream's clock."""
        heard = self._heard_at.get(rule)
        # A stream that begins anew (a recording in a loop) has a clock that starts over.
        return heard is None or at - heard >= self.seconds or at < heard

    def hear(self, rules: Sequence[str], at: float) -> None:
        """These rules have their capture."""
        self._heard_at.update(dict.fromkeys(rules, at))


class Selector:
    """Decides for the frames of one camera, which must come in order. Not thread-safe.

    The lanes are asked in the order of their honesty: the random draw first, whatever the frame
    shows; then the regular one; only then what the rules say. A capture has one lane, and names
    every rule that fired.
    """

    def __init__(
        self,
        random_lane: RandomLane,
        rules: Sequence[Rule],
        *,
        every_nth: int = 0,
        cooldown_s: float = RULE_COOLDOWN_S,
    ) -> None:
        self._random = random_lane
        self._rules = rules
        self._weights = {rule.name: rule.weight for rule in rules}
        self._every_nth = every_nth
        self._cooldown = Cooldown(cooldown_s)
        self._seen = 0

    def observe(self, observation: Observation) -> list[Capture]:
        """Take the next frame; answers the captures that are certain now."""
        self._seen += 1
        at = observation.frame.at
        sampling = self._random.draw(observation.frame)
        is_nth = self._every_nth > 0 and self._seen % self._every_nth == 0
        scores = ((rule.name, rule.score(observation)) for rule in self._rules)
        hits = tuple(RuleHit(name, score) for name, score in scores if score > 0)
        value = noisy_or(self._weights[hit.name] * hit.score for hit in hits)
        nth_hit = (RuleHit("every_nth", 1.0),) if is_nth else ()
        if sampling is not None:
            random_hit = RuleHit("random_interval", 1.0)
            found = (random_hit, *nth_hit, *hits)
            return [Capture(observation, Lane.RANDOM, found, value, sampling)]
        if is_nth:
            return [Capture(observation, Lane.INTERVAL, (*nth_hit, *hits), value)]
        if any(self._cooldown.ready(hit.name, at) for hit in hits):
            self._cooldown.hear([hit.name for hit in hits], at)
            return [Capture(observation, Lane.SCORE, hits, value)]
        return []
