"""Decides which frames of one camera are captured, and reports the reason for each frame."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from agent.domain import Capture, Frame, Lane, Observation, RuleHit, Sampling
from agent.selection.frame_context import LOOK_AHEAD, ContextBuilder, FrameContext
from agent.selection.image_quality import ImageQuality, QualityMonitor
from agent.selection.plan import RULE_COOLDOWN_S
from agent.selection.random_lane import RandomLane
from agent.selection.rules import Remembers, Rule
from agent.selection.score_quantiles import ScoreQuantiles, noisy_or
from agent.selection.similarity import DUPLICATE_SECONDS, Fingerprint, fingerprint_of
from agent.selection.top_k import TopK

BURST_S = 2.0
"""Of score-lane frames that follow each other so closely only the best is kept."""

STRONG_SCORE = 0.4
"""Raw score from which a tail score counts in full.

Of a rule that seldom fires, even a very low score is unusual."""

_RECENT = 256


class SelectionOutcome(StrEnum):
    """What became of a frame: the lane that captured it, or why none did."""

    RANDOM = "random"
    INTERVAL = "interval"
    REQUESTED = "requested"
    SCORE = "score"
    BEST_OF_BURST = "score, unless a neighbour is better"
    NO_VALUE = "no rule fired more than usual"
    UNUSABLE_IMAGE = "image is unusable"
    COOLING_DOWN = "rule is cooling down"
    BELOW_CUTOFF = "below the best of the last 24 h"
    NEIGHBOUR_IS_BETTER = "a neighbour is better"
    DUPLICATE = "near-duplicate of a better capture"


@dataclass(frozen=True, slots=True)
class FrameEvaluation:
    """Why a frame was captured, or was not."""

    frame: Frame
    outcome: SelectionOutcome
    detail: str = ""  # of the outcome, for example how long a cooldown is
    scores: Mapping[str, float] = field(default_factory=dict)  # raw, of the rules that fired
    tails: Mapping[str, float] = field(default_factory=dict)  # how unusual each is
    value: float = 0.0
    cutoff: float = 0.0  # what the value had to exceed
    quality: ImageQuality = ImageQuality.CLEAR
    other: str | None = None  # id of the near-duplicate, or of the better neighbour

    @property
    def text(self) -> str:
        """The outcome with its detail, for people."""
        return f"{self.outcome} ({self.detail})" if self.detail else self.outcome.value


@dataclass(slots=True)
class Cooldown:
    """Pauses each rule after a capture, so that a still scene does not fill the disk."""

    seconds: float
    _fired_at: dict[str, float] = field(default_factory=dict)

    def ready(self, rule: str, at: float) -> bool:
        """Whether the rule may cause a capture now; `at` is on the stream's clock."""
        fired = self._fired_at.get(rule)
        # The clock starts again from 0 when a recording is played in a loop.
        return fired is None or at - fired >= self.seconds or at < fired

    def start(self, rules: Sequence[str], at: float) -> None:
        """Start the cooldown of rules that caused a capture at `at`."""
        self._fired_at.update(dict.fromkeys(rules, at))


@dataclass(frozen=True, slots=True)
class CameraPolicy:
    """How one camera's frames are selected."""

    every_nth: int = 0
    cooldown_s: float = RULE_COOLDOWN_S  # 0 if a pool limits the captures
    burst_s: float = 0.0  # 0 = no bursts
    pool: TopK | None = None  # of the whole device; None = no budget
    degraded_pool: TopK | None = None  # the same for dark, overexposed and blurred frames
    weights: Mapping[str, float] = field(default_factory=dict)  # override the rules' own, by rule


@dataclass(frozen=True, slots=True)
class _Recent:
    id: str
    fingerprint: Fingerprint
    at: float
    value: float


class Selector:
    """Selects among the frames of one camera, which must come in order. Not thread-safe.

    Lanes are tried from least to most biased: random, interval, requested, score. Only
    score-lane captures are subject to image quality, cooldown, near-duplicates and the cutoff. A
    capture has one lane, and names every rule that fired.
    """

    def __init__(
        self,
        random_lane: RandomLane,
        rules: Sequence[Rule],
        *,
        new_id: Callable[[float], str],
        policy: CameraPolicy | None = None,
        explain: Callable[[FrameEvaluation], None] | None = None,
    ) -> None:
        """`new_id` makes a capture's id from its wall time; `explain` gets every evaluation."""
        self.quality_monitor = QualityMonitor()
        ahead = LOOK_AHEAD if any(rule.is_temporal for rule in rules) else 0
        self.context_builder = ContextBuilder(ahead)
        self._random = random_lane
        self._rules = rules
        self._policy = policy or CameraPolicy()
        self._weights = {r.name: self._policy.weights.get(r.name, r.weight) for r in rules}
        self._sketches = {rule.name: ScoreQuantiles() for rule in rules}
        self._cooldown = Cooldown(self._policy.cooldown_s)
        self._new_id = new_id
        self._explain = explain or (lambda _evaluation: None)
        self._seen = 0
        self._requests = 0
        self._recent: deque[_Recent] = deque(maxlen=_RECENT)
        self._best: Capture | None = None  # of the current burst
        self._burst_began = 0.0  # time of its first frame, on the stream's clock

    def request(self) -> None:
        """Capture the next frame: a person or a program asked for it."""
        self._requests += 1

    def observe(self, observation: Observation, now: float) -> list[Capture]:
        """Take the next frame; return the captures that are now certain.

        `now` is a clock that all cameras share, in seconds.
        """
        return self._evaluate_all(self.context_builder.push(observation), now)

    def finish(self, now: float) -> list[Capture]:
        """Evaluate the frames that still wait for neighbours; no frame comes after them."""
        return [*self._evaluate_all(self.context_builder.flush(), now), *self._end_burst(now)]

    # One frame

    def _evaluate_all(self, contexts: Sequence[FrameContext], now: float) -> list[Capture]:
        captures = []
        for context in contexts:
            frame = context.observation.frame
            best = self._best.observation.frame if self._best is not None else frame
            is_same_burst = 0 <= frame.at - self._burst_began < self._policy.burst_s
            if best.stream != frame.stream or not is_same_burst:
                captures += self._end_burst(now)
            captures += self._evaluate(context, now)
        return captures

    def _evaluate(self, context: FrameContext, now: float) -> list[Capture]:
        observation = context.observation
        frame = observation.frame
        self._seen += 1
        sampling = self._random.draw(frame)
        hits, tails = self._score_rules(context)
        value = noisy_or(self._weights[name] * tail for name, tail in tails.items())
        if observation.invalid:
            hits, value = (RuleHit("invalid_output", 1.0), *hits), 1.0
        quality = ImageQuality.CLEAR
        if observation.grey is not None:
            quality = self.quality_monitor.assess(observation.grey, frame.at)
        evaluation = FrameEvaluation(
            frame,
            SelectionOutcome.NO_VALUE,
            scores={hit.name: hit.score for hit in hits},
            tails=tails,
            value=value,
            quality=quality,
        )
        lane, first = self._lane(sampling)
        if lane is Lane.SCORE and value <= 0:
            self._explain(evaluation)
            return []
        capture = Capture(
            observation,
            lane,
            (*first, *hits),
            value,
            sampling,
            id=self._new_id(frame.captured_at),
            is_degraded=quality.is_degraded,
        )
        if lane is not Lane.SCORE:
            self._explain(replace(evaluation, outcome=SelectionOutcome(lane)))
            return [capture]
        return self._compete(capture, evaluation, now)

    def _lane(self, sampling: Sampling | None) -> tuple[Lane, tuple[RuleHit, ...]]:
        """Return the lane of this frame, and the reasons that do not depend on its content."""
        first: tuple[RuleHit, ...] = ()
        lane = Lane.SCORE
        nth = self._policy.every_nth
        if self._requests:
            self._requests -= 1
            lane, first = Lane.REQUESTED, (RuleHit("requested", 1.0), *first)
        if nth > 0 and self._seen % nth == 0:
            lane, first = Lane.INTERVAL, (RuleHit("every_nth", 1.0), *first)
        if sampling is not None:
            lane, first = Lane.RANDOM, (RuleHit("random_interval", 1.0), *first)
        return lane, first

    def _score_rules(self, context: FrameContext) -> tuple[tuple[RuleHit, ...], dict[str, float]]:
        """Return the rules that fired, the largest contribution first, and their tail scores."""
        hits, tails = [], {}
        at = context.observation.frame.at
        for rule in self._rules:
            if rule.is_temporal and not context.is_timed:
                continue
            score = rule.score(context)
            sketch = self._sketches[rule.name]
            if score > 0:
                hits.append(RuleHit(rule.name, score))
                tails[rule.name] = sketch.tail_score(score) * min(1.0, score / STRONG_SCORE)
            sketch.add(score, at)
        hits.sort(key=lambda hit: -self._weights[hit.name] * tails[hit.name])
        return tuple(hits), tails

    # The score lane

    def _compete(self, capture: Capture, evaluation: FrameEvaluation, now: float) -> list[Capture]:
        """Apply image quality, cooldown, cutoff, burst and near-duplicate tests, in this order."""
        at = capture.observation.frame.at
        names = [hit.name for hit in capture.rules]
        pool = self._pool_for(capture)
        evaluation = replace(evaluation, cutoff=pool.cutoff(now) if pool is not None else 0.0)
        refusal = self._refusal(evaluation, names)
        if refusal is not None:
            return self._refuse(evaluation, *refusal)
        if self._best is not None and self._best.value >= capture.value:
            return self._refuse(
                evaluation, SelectionOutcome.NEIGHBOUR_IS_BETTER, other=self._best.id
            )
        observation = capture.observation
        if observation.grey is not None:
            fingerprint = fingerprint_of(
                observation.grey, observation.detections, observation.frame
            )
            duplicate = self._near_duplicate(fingerprint, at)
            if duplicate is not None and duplicate.value >= capture.value:
                return self._refuse(evaluation, SelectionOutcome.DUPLICATE, other=duplicate.id)
            replaces = duplicate.id if duplicate is not None else None
            capture = replace(capture, fingerprint=fingerprint.text, replaces=replaces)
        self._cooldown.start(names, at)
        if self._policy.burst_s <= 0:
            self._explain(replace(evaluation, outcome=SelectionOutcome.SCORE))
            return self._keep(capture, now)
        self._explain(replace(evaluation, outcome=SelectionOutcome.BEST_OF_BURST))
        if self._best is None:
            self._burst_began = at
        self._best = capture
        return []

    def _refusal(
        self, evaluation: FrameEvaluation, names: Sequence[str]
    ) -> tuple[SelectionOutcome, str] | None:
        """Return why a frame cannot be captured whatever its neighbours are, with the detail."""
        if evaluation.quality.is_unusable:
            return SelectionOutcome.UNUSABLE_IMAGE, evaluation.quality.value
        if not any(self._cooldown.ready(name, evaluation.frame.at) for name in names):
            return SelectionOutcome.COOLING_DOWN, f"{self._cooldown.seconds:g} s"
        if evaluation.value <= evaluation.cutoff:
            return SelectionOutcome.BELOW_CUTOFF, ""
        return None

    def _end_burst(self, now: float) -> list[Capture]:
        """Keep the best capture of the burst that ended."""
        best, self._best = self._best, None
        return self._keep(best, now) if best is not None else []

    def _keep(self, capture: Capture, now: float) -> list[Capture]:
        pool = self._pool_for(capture)
        if pool is not None and not pool.admit(capture.value, now):
            return []
        if capture.fingerprint is not None:
            at = capture.observation.frame.at
            fingerprint = Fingerprint.from_text(capture.fingerprint)
            self._recent.append(_Recent(capture.id, fingerprint, at, capture.value))
        return [capture]

    def _pool_for(self, capture: Capture) -> TopK | None:
        """Degraded frames compete separately: a dark night cannot use up the main budget."""
        return self._policy.degraded_pool if capture.is_degraded else self._policy.pool

    def _near_duplicate(self, fingerprint: Fingerprint, at: float) -> _Recent | None:
        """Return the best score-lane capture of the last 300 s that is a near-duplicate.

        Random captures do not take part: dropping near-duplicates of drawn frames would bias
        what the score lane keeps.
        """
        duplicates = (
            recent
            for recent in self._recent
            if 0 <= at - recent.at <= DUPLICATE_SECONDS
            and fingerprint.is_duplicate_of(recent.fingerprint)
        )
        return max(duplicates, key=lambda each: (each.value, each.at), default=None)

    def _refuse(
        self,
        evaluation: FrameEvaluation,
        outcome: SelectionOutcome,
        detail: str = "",
        *,
        other: str | None = None,
    ) -> list[Capture]:
        self._explain(replace(evaluation, outcome=outcome, detail=detail, other=other))
        return []

    # State that survives a restart

    def memory(self) -> dict[str, str]:
        """Return what must survive a restart, by name."""
        kept = {f"sketch/{name}": sketch.text for name, sketch in self._sketches.items()}
        for rule in self._rules:
            if isinstance(rule, Remembers):
                kept[f"rule/{rule.name}"] = rule.memory()
        return kept

    def remember(self, kept: Mapping[str, str]) -> None:
        """Restore what `memory` returned; an unreadable part starts empty."""
        for rule in self._rules:
            try:
                text = kept.get(f"sketch/{rule.name}")
                if text is not None:
                    self._sketches[rule.name] = ScoreQuantiles.from_text(text)
                text = kept.get(f"rule/{rule.name}")
                if text is not None and isinstance(rule, Remembers):
                    rule.remember(text)
            except (ValueError, KeyError, TypeError):
                continue
