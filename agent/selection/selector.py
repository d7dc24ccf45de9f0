"""One camera's frames in, the captures among them out, and for each frame the reason."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

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

LOUD = 0.4
"""Raw score from which a rule is fully believed: the faintest doubt of a rare rule is rare too."""

_RECENT = 256


@dataclass(frozen=True, slots=True)
class FrameEvaluation:
    """Why a frame was captured, or was not."""

    frame: Frame
    outcome: str  # "random", "interval", "requested", "score", or why not
    scores: Mapping[str, float] = field(default_factory=dict)  # raw, of the rules that fired
    tails: Mapping[str, float] = field(default_factory=dict)  # how unusual each is
    value: float = 0.0
    line: float = 0.0  # what the value had to exceed
    condition: ImageQuality = ImageQuality.CLEAR
    other: str | None = None  # the capture that it duplicates, or that is better


@dataclass(slots=True)
class Cooldown:
    """Keeps a still scene from filling the disk: each rule pauses after it fired."""

    seconds: float
    _heard_at: dict[str, float] = field(default_factory=dict)

    def ready(self, rule: str, at: float) -> bool:
        """Whether the rule may ask for a capture now; `at` is on the stream's clock."""
        heard = self._heard_at.get(rule)
        # A stream that begins again (a recording in a loop) has a clock that starts over.
        return heard is None or at - heard >= self.seconds or at < heard

    def hear(self, rules: Sequence[str], at: float) -> None:
        """These rules have their capture."""
        self._heard_at.update(dict.fromkeys(rules, at))


@dataclass(frozen=True, slots=True)
class CameraPolicy:
    """How one camera's frames are chosen."""

    every_nth: int = 0
    cooldown_s: float = RULE_COOLDOWN_S  # 0 where a pool keeps captures few
    burst_s: float = 0.0  # 0 = each frame for itself
    pool: TopK | None = None  # of the whole device; None = no budget
    degraded_pool: TopK | None = None  # the same for dark, overexposed and blurred frames
    weights: Mapping[str, float] = field(default_factory=dict)  # instead of a rule's own


@dataclass(frozen=True, slots=True)
class _Recent:
    id: str
    likeness: Fingerprint
    at: float
    value: float


class Selector:
    """Decides for the frames of one camera, which must come in order. Not thread-safe.

    Lanes are tried from least to most biased: random, interval, requested, score. Only the score
    lane passes the tests of image quality, near-duplicates and the cutoff. A capture has one lane,
    and names every rule that fired.
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
        """`new_id` names a capture by its wall time; `explain` is told of every frame."""
        self.gate = QualityMonitor()
        ahead = LOOK_AHEAD if any(rule.is_temporal for rule in rules) else 0
        self.window = ContextBuilder(ahead)
        self._random = random_lane
        self._rules = rules
        self._policy = policy or CameraPolicy()
        self._weights = {r.name: self._policy.weights.get(r.name, r.weight) for r in rules}
        self._sketches = {rule.name: ScoreQuantiles() for rule in rules}
        self._cooldown = Cooldown(self._policy.cooldown_s)
        self._new_id = new_id
        self._explain = explain or (lambda _verdict: None)
        self._seen = 0
        self._requests = 0
        self._recent: deque[_Recent] = deque(maxlen=_RECENT)
        self._best: Capture | None = None  # of the present burst
        self._burst_began = 0.0  # when its first frame was, on the stream's clock

    def request(self) -> None:
        """Capture the next frame: a person or a program wants it."""
        self._requests += 1

    def observe(self, observation: Observation, now: float) -> list[Capture]:
        """Take the next frame; answers the captures that are certain now.

        `now` is a clock that all cameras share, in seconds.
        """
        return self._judge_all(self.window.push(observation), now)

    def finish(self, now: float) -> list[Capture]:
        """No frame comes any more: judge those that waited for their neighbours."""
        return [*self._judge_all(self.window.flush(), now), *self._end_burst(now)]

    # One frame

    def _judge_all(self, moments: Sequence[FrameContext], now: float) -> list[Capture]:
        captures = []
        for moment in moments:
            frame = moment.observation.frame
            best = self._best.observation.frame if self._best is not None else frame
            lasts = 0 <= frame.at - self._burst_began < self._policy.burst_s
            if best.stream != frame.stream or not lasts:
                captures += self._end_burst(now)
            captures += self._judge(moment, now)
        return captures

    def _judge(self, moment: FrameContext, now: float) -> list[Capture]:
        observation = moment.observation
        frame = observation.frame
        self._seen += 1
        sampling = self._random.draw(frame)
        hits, tails = self._listen(moment)
        value = noisy_or(self._weights[name] * tail for name, tail in tails.items())
        if observation.invalid:
            hits, value = (RuleHit("invalid_output", 1.0), *hits), 1.0
        condition = ImageQuality.CLEAR
        if observation.grey is not None:
            condition = self.gate.judge(observation.grey, frame.at)
        verdict = FrameEvaluation(
            frame, "nothing to learn", {h.name: h.score for h in hits}, tails, value, 0.0, condition
        )
        lane, first = self._lane(sampling)
        if lane is Lane.SCORE and value <= 0:
            self._explain(verdict)
            return []
        capture = Capture(
            observation,
            lane,
            (*first, *hits),
            value,
            sampling,
            id=self._new_id(frame.captured_at),
            is_degraded=condition.is_degraded,
        )
        if lane is not Lane.SCORE:
            self._explain(replace(verdict, outcome=lane.value))
            return [capture]
        return self._compete(capture, verdict, now)

    def _lane(self, sampling: Sampling | None) -> tuple[Lane, tuple[RuleHit, ...]]:
        """Why the frame is captured whatever it shows, if it is; else the score lane."""
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

    def _listen(self, moment: FrameContext) -> tuple[tuple[RuleHit, ...], dict[str, float]]:
        """What each rule says, the one that adds most first, and how unusual that is."""
        hits, tails = [], {}
        at = moment.observation.frame.at
        for rule in self._rules:
            if rule.is_temporal and not moment.is_timed:
                continue
            score = rule.score(moment)
            sketch = self._sketches[rule.name]
            if score > 0:
                hits.append(RuleHit(rule.name, score))
                tails[rule.name] = sketch.tail_score(score) * min(1.0, score / LOUD)
            sketch.add(score, at)
        hits.sort(key=lambda hit: -self._weights[hit.name] * tails[hit.name])
        return tuple(hits), tails

    # The score lane

    def _compete(self, capture: Capture, verdict: FrameEvaluation, now: float) -> list[Capture]:
        """Gates, cooldown, the pool's line, duplicates, and the best of a burst."""
        at = capture.observation.frame.at
        names = [hit.name for hit in capture.rules]
        pool = self._pool_for(capture)
        verdict = replace(verdict, line=pool.line(now) if pool is not None else 0.0)
        objection = self._objection(verdict, names)
        if objection is not None:
            return self._refuse(verdict, objection)
        if self._best is not None and self._best.value >= capture.value:
            return self._refuse(verdict, "a neighbour is better", other=self._best.id)
        observation = capture.observation
        if observation.grey is not None:
            likeness = fingerprint_of(observation.grey, observation.detections, observation.frame)
            twin = self._twin(likeness, at)
            if twin is not None and twin.value >= capture.value:
                return self._refuse(verdict, "duplicate of a better one", other=twin.id)
            replaces = twin.id if twin is not None else None
            capture = replace(capture, likeness=likeness.text, replaces=replaces)
        self._cooldown.hear(names, at)
        if self._policy.burst_s <= 0:
            self._explain(replace(verdict, outcome="score"))
            return self._keep(capture, now)
        self._explain(replace(verdict, outcome="score, unless a neighbour is better"))
        if self._best is None:
            self._burst_began = at
        self._best = capture
        return []

    def _objection(self, verdict: FrameEvaluation, names: Sequence[str]) -> str | None:
        """Why a frame cannot be captured, whatever its neighbours are like."""
        if verdict.condition.is_useless:
            return f"the picture is {verdict.condition.value}"
        if not any(self._cooldown.ready(name, verdict.frame.at) for name in names):
            return "its rules were heard a moment ago"
        if verdict.value <= verdict.line:
            return "below the best of the last 24 h"
        return None

    def _end_burst(self, now: float) -> list[Capture]:
        """The best of the burst, now that it is over."""
        best, self._best = self._best, None
        return self._keep(best, now) if best is not None else []

    def _keep(self, capture: Capture, now: float) -> list[Capture]:
        pool = self._pool_for(capture)
        if pool is not None and not pool.admit(capture.value, now):
            return []
        if capture.likeness is not None:
            at = capture.observation.frame.at
            likeness = Fingerprint.from_text(capture.likeness)
            self._recent.append(_Recent(capture.id, likeness, at, capture.value))
        return [capture]

    def _pool_for(self, capture: Capture) -> TopK | None:
        """Degraded frames compete separately: a dark night cannot use up the main budget."""
        return self._policy.degraded_pool if capture.is_degraded else self._policy.pool

    def _twin(self, likeness: Fingerprint, at: float) -> _Recent | None:
        """The best capture of this lane that shows the same, within 300 s.

        Random captures are not compared with: leaving frames out because they were drawn would
        bias what is left.
        """
        twins = (
            recent
            for recent in self._recent
            if 0 <= at - recent.at <= DUPLICATE_SECONDS
            and likeness.is_duplicate_of(recent.likeness)
        )
        return max(twins, key=lambda twin: (twin.value, twin.at), default=None)

    def _refuse(
        self, verdict: FrameEvaluation, why: str, *, other: str | None = None
    ) -> list[Capture]:
        self._explain(replace(verdict, outcome=why, other=other))
        return []

    # Over restarts

    def memory(self) -> dict[str, str]:
        """What is worth keeping over a restart, by name."""
        kept = {f"sketch/{name}": sketch.text for name, sketch in self._sketches.items()}
        for rule in self._rules:
            if isinstance(rule, Remembers):
                kept[f"rule/{rule.name}"] = rule.memory()
        return kept

    def remember(self, kept: Mapping[str, str]) -> None:
        """Take back what `memory` gave; what cannot be read begins again."""
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
