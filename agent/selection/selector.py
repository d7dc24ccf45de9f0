"""Decides which frames of one camera are captured, and reports the reason for each frame."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial

from agent.domain import Capture, Frame, Lane, Observation, RuleHit, Sampling, Suspect
from agent.selection.auto_gate import AutoRefusal
from agent.selection.auto_label import AutoLabels
from agent.selection.budget.hint import SendHint
from agent.selection.camera_rules import CameraRules
from agent.selection.cells import Cell
from agent.selection.chances import Chances
from agent.selection.cover import Cover
from agent.selection.frame_context import ContextBuilder, FrameContext
from agent.selection.image_quality import ImageQuality, QualityMonitor
from agent.selection.plan import SelectionPlan
from agent.selection.random_lane import RandomLane
from agent.selection.similarity import difference_hash
from agent.selection.suspects import highest, strongest
from agent.selection.view import View, view_of

_RANDOM_SLOTS = "random_slots"
"""Name of the random lane's state among what survives a restart; the name on disk."""


class SelectionOutcome(StrEnum):
    """What became of a frame: the lane that captured it, or why none did."""

    RANDOM = "random"
    INTERVAL = "interval"
    REQUESTED = "requested"
    VERDICT = "verdict"
    AUTO = "auto"
    SCORE = "score"
    BEST_OF_CELL = "score, unless a better frame follows in its cell of time"
    NO_SUSPECT = "no rule names a suspect"
    STILL = "nothing moved, so the model did not run"
    UNUSABLE_IMAGE = "image is unusable"
    AUTO_BEST_OF_CELL = "auto, unless a frame that shows more follows in its cell of time"
    LOW_VALUE = "value is below AGENT_MIN_VALUE"
    ANOTHER_IS_BETTER = "another frame of its cell of time has a higher value"


@dataclass(frozen=True, slots=True)
class FrameEvaluation:
    """Why a frame was captured, or was not."""

    frame: Frame
    outcome: SelectionOutcome
    suspects: tuple[Suspect, ...] = ()  # one for each track or place, the highest `p` first
    added: tuple[float, ...] = ()  # what each of them adds to the value, if that was needed
    value: float = 0.0  # expected new failures; of a frame that is not captured an upper bound
    cutoff: float = 0.0  # what the value had to reach
    quality: ImageQuality = ImageQuality.CLEAR
    other: str | None = None  # id of the better frame
    named: tuple[Suspect, ...] = ()  # all that the rules name, the highest `p` first
    feedback: str | None = None  # sha256 of the feedback file that their `p` rest on
    no_auto: AutoRefusal | None = None  # why the model does not label it, if that was asked

    @property
    def scores(self) -> Mapping[str, float]:
        """The highest `p` of each rule."""
        return {hit.name: hit.score for hit in hits_of(self.suspects)}


@dataclass(slots=True)
class Shared:
    """What the selectors of all cameras share."""

    cover: Cover
    cells: Mapping[bool, Cell] = field(default_factory=dict)  # by "is degraded"; none = no budget
    run: str = ""  # names this process
    chances: Chances | None = None  # what a feedback file makes of `p`; None = priors
    auto: AutoLabels | None = None  # None = the model labels nothing


class Selector:
    """Decides for the frames of one camera, which must come in order. Not thread-safe.

    Lanes are tried from least to most biased: random, interval, requested, score. Only the score
    lane looks at the value and the image quality. A capture has one lane, and names every rule
    that found a suspect.
    """

    def __init__(
        self,
        plan: SelectionPlan,
        *,
        interval: float | None,
        shared: Shared,
        new_id: Callable[[float], str],
        explain: Callable[[FrameEvaluation], None] | None = None,
    ) -> None:
        """`interval`: seconds of the random lane. `new_id` names a capture by its wall time.

        `explain` is called for every frame.
        """
        self._rules = CameraRules(plan)
        self.quality_monitor = QualityMonitor()
        self.context_builder = ContextBuilder(plan.thresholds, self._rules.look_ahead)
        self._random = RandomLane(interval, plan.seed)
        self._plan = plan
        self._shared = shared
        self._new_id = new_id
        self._explain = explain
        self._evaluated = 0
        self._requests: deque[str] = deque()  # the id of each capture, or ""

    def request(self, capture_id: str = "") -> None:
        """Capture the next frame: a person or a program asked for it.

        `capture_id` becomes the id of the capture; without one it gets its own.
        """
        self._requests.append(capture_id)

    def needs_run(self, frame: Frame, order: int, previous_at: float | None) -> bool:
        """Return whether the model must run on a frame even if nothing moves.

        Every frame that a lane captures whatever it shows, and all while somebody waits for one.
        Any thread may call it.

        Args:
            frame: The frame.
            order: Number of frames of this camera before it.
            previous_at: `at` of the frame before it; None if its stream is another one.
        """
        nth = self._plan.every_nth
        is_nth = nth > 0 and (order + 1) % nth == 0
        is_drawn = previous_at is not None and self._random.is_due(frame, previous_at)
        return is_nth or is_drawn or bool(self._requests)

    def observe(self, observation: Observation, now: float) -> list[Capture]:
        """Take the next frame and return the captures to store now.

        `now` is a clock that all cameras share, in seconds.
        """
        contexts = self.context_builder.push(observation)
        return [capture for context in contexts for capture in self._evaluate(context, now)]

    def finish(self, now: float) -> list[Capture]:
        """Evaluate the frames that still wait for their neighbours: no frame comes any more."""
        contexts = self.context_builder.flush()
        return [capture for context in contexts for capture in self._evaluate(context, now)]

    def asked_for(
        self, capture: Capture, evaluation: FrameEvaluation | None, *, at: float, now: float
    ) -> Capture:
        """Return the capture of an earlier frame that somebody asked for, with all that it shows.

        Args:
            capture: With id, lane and the reason; its frame has pixels.
            evaluation: What the rules found in that frame; None if they never judged it.
            at: When the frame was captured, in seconds of the clock of `now`.
            now: Seconds of a clock that all cameras share.
        """
        observation = capture.observation
        if evaluation is None:
            evaluation = FrameEvaluation(observation.frame, SelectionOutcome(capture.lane.value))
        grey = observation.grey
        view = view_of(
            observation,
            evaluation.suspects,
            bits=None if grey is None else difference_hash(grey),
            now=at,
            run=self._shared.run,
            redact=self._plan.redact,
        )
        cover = self._shared.cover
        value = sum(cover.contributions(view, now)) + cover.unseen(view)
        if capture.verdict is not None:  # a person saw a failure, or saw none
            value = max(1.0, value) if capture.verdict.verdict.contradicts else 0.0
        is_degraded = evaluation.quality.is_degraded
        if not self._shared.cells:  # all is sent
            cover.add(view, now)
        return replace(
            capture,
            rules=(*capture.rules, *hits_of(evaluation.named)),
            suspects=evaluation.named,
            feedback=evaluation.feedback,
            value=value,
            hint=SendHint(view, is_degraded).text if self._shared.cells else "",
            is_degraded=is_degraded,
        )

    def _evaluate(self, context: FrameContext, now: float) -> list[Capture]:
        observation = context.observation
        frame = observation.frame
        self._evaluated += 1
        sampling = self._random.draw(frame)
        quality = ImageQuality.CLEAR
        if observation.grey is not None:
            quality = self.quality_monitor.assess(observation.grey, frame.at)
        if observation.is_still:
            return self._pass(context, quality)
        named = self._suspects(context)
        suspects = strongest(named)
        requested = self._requests.popleft() if self._requests else None
        lane, reason = self._lane(sampling, is_requested=requested is not None)
        chances = self._shared.chances
        feedback = chances.sha256 if chances is not None else None
        evaluation = FrameEvaluation(
            frame,
            SelectionOutcome(lane.value),
            suspects,
            quality=quality,
            named=named,
            feedback=feedback,
        )

        def capture() -> Capture:  # of few frames
            return Capture(
                observation,
                lane,
                (*reason, *hits_of(named)),
                0.0,
                sampling,
                is_degraded=quality.is_degraded,
                suspects=named,
                id=requested or "",
                feedback=feedback,
            )

        if lane is Lane.SCORE:
            return self._compete(capture, evaluation, context, now)
        view = self._view(context, suspects, now)
        return [self._completed(capture(), self._with_value(evaluation, view, now), view, now)]

    def _pass(self, context: FrameContext, quality: ImageQuality) -> list[Capture]:
        """Capture nothing: what the model would say of this frame is not known.

        Rules that count frames count it, with the output that still holds.
        """
        self._rules.count(context)
        frame = context.observation.frame
        return self._reject(
            FrameEvaluation(frame, SelectionOutcome.STILL, quality=quality), SelectionOutcome.STILL
        )

    def _suspects(self, context: FrameContext) -> tuple[Suspect, ...]:
        """Return what all rules name, the highest `p` first, at most `MOST_NAMED`."""
        named = self._rules.named(context)
        if self._shared.chances is not None:
            named = self._shared.chances.applied(named, context.observation)
        return highest(named)

    def _lane(
        self, sampling: Sampling | None, *, is_requested: bool
    ) -> tuple[Lane, tuple[RuleHit, ...]]:
        """Return the lane that captures the frame whatever it shows, if any; else score."""
        reason: tuple[RuleHit, ...] = ()
        lane = Lane.SCORE
        nth = self._plan.every_nth
        if is_requested:
            lane, reason = Lane.REQUESTED, (RuleHit("requested", 1.0), *reason)
        if nth > 0 and self._evaluated % nth == 0:
            lane, reason = Lane.INTERVAL, (RuleHit("every_nth", 1.0), *reason)
        if sampling is not None:
            lane, reason = Lane.RANDOM, (RuleHit("random_interval", 1.0), *reason)
        return lane, reason

    def _compete(
        self,
        capture: Callable[[], Capture],
        evaluation: FrameEvaluation,
        context: FrameContext,
        now: float,
    ) -> list[Capture]:
        """Capture the frame if its value is high enough, and the best of its cell so far."""
        reject = partial(self._label_or_reject, context, now)
        cell = self._shared.cells.get(evaluation.quality.is_degraded)
        best = cell.cutoff(now) if cell is not None else 0.0
        cutoff = max(self._plan.min_value, best)
        if evaluation.quality.is_unusable:
            return reject(evaluation, SelectionOutcome.UNUSABLE_IMAGE, cutoff=cutoff)
        if not evaluation.suspects:
            return reject(evaluation, SelectionOutcome.NO_SUSPECT, cutoff=cutoff)
        # Most frames are outdone by what their tracks show alone; to compare images costs more.
        camera = evaluation.frame.camera
        bound = self._shared.cover.bound(camera, evaluation.suspects, now, run=self._shared.run)
        why = self._too_low(bound, cell, best)
        if why is not None:
            return reject(evaluation, why, value=bound, cutoff=cutoff, cell=cell)
        view = self._view(context, evaluation.suspects, now)
        evaluation = replace(self._with_value(evaluation, view, now), cutoff=cutoff)
        why = self._too_low(evaluation.value, cell, best)
        if why is not None:
            return reject(evaluation, why, value=evaluation.value, cutoff=cutoff, cell=cell)
        if cell is None:
            return [self._completed(capture(), evaluation, view, now)]
        evaluation = replace(evaluation, outcome=SelectionOutcome.BEST_OF_CELL)
        cell.offer(self._completed(capture(), evaluation, view, now), view, now)
        return []

    def _too_low(self, value: float, cell: Cell | None, best: float) -> SelectionOutcome | None:
        """Return why a frame's value is too low to be captured; None if it is high enough."""
        if value < self._plan.min_value:
            return SelectionOutcome.LOW_VALUE
        if cell is not None and value <= best:
            return SelectionOutcome.ANOTHER_IS_BETTER
        return None

    def _with_value(self, evaluation: FrameEvaluation, view: View, now: float) -> FrameEvaluation:
        """Add the value of the frame, and what each suspect adds to it."""
        cover = self._shared.cover
        added = cover.contributions(view, now)
        return replace(evaluation, value=sum(added) + cover.unseen(view), added=tuple(added))

    def _completed(
        self, capture: Capture, evaluation: FrameEvaluation, view: View, now: float
    ) -> Capture:
        """Add id, value and hint; without a budget all is delivered, so that it is covered now."""
        if self._explain is not None:
            self._explain(evaluation)
        hint = ""
        if self._shared.cells:
            hint = SendHint(view, capture.is_degraded).text
        else:
            self._shared.cover.add(view, now)
        name = capture.id or self._new_id(evaluation.frame.captured_at)
        return replace(capture, id=name, value=evaluation.value, hint=hint)

    def _view(self, context: FrameContext, suspects: Sequence[Suspect], now: float) -> View:
        return view_of(
            context.observation,
            suspects,
            bits=context.bits,
            now=now,
            run=self._shared.run,
            redact=self._plan.redact,
        )

    def _label_or_reject(
        self,
        context: FrameContext,
        now: float,
        evaluation: FrameEvaluation,
        why: SelectionOutcome,
        *,
        value: float = 0.0,
        cutoff: float = 0.0,
        cell: Cell | None = None,
    ) -> list[Capture]:
        """Let the model label a frame that no other lane captures, if it may."""
        if self._shared.auto is not None:
            no_auto = self._shared.auto.offer(context, evaluation.named, evaluation.quality, now)
            if no_auto is None:
                why = SelectionOutcome.AUTO_BEST_OF_CELL
            evaluation = replace(evaluation, no_auto=no_auto)
        return self._reject(evaluation, why, value=value, cutoff=cutoff, cell=cell)

    def _reject(
        self,
        evaluation: FrameEvaluation,
        why: SelectionOutcome,
        *,
        value: float = 0.0,
        cutoff: float = 0.0,
        cell: Cell | None = None,
    ) -> list[Capture]:
        if self._explain is not None:
            is_outdone = why is SelectionOutcome.ANOTHER_IS_BETTER
            other = cell.best_id if is_outdone and cell is not None else None
            self._explain(replace(evaluation, outcome=why, value=value, cutoff=cutoff, other=other))
        return []

    # Over restarts

    def memory(self) -> dict[str, str]:
        """Return the state that should survive a restart, by name.

        When it is called must not depend on what is captured; see `RandomLane`.
        """
        return {**self._rules.memory(), _RANDOM_SLOTS: self._random.memory()}

    def remember(self, kept: Mapping[str, str], boot: str) -> None:
        """Restore what `memory` returned; see `CameraRules.remember` and `RandomLane.resume`."""
        self._rules.remember(kept)
        self._random.resume(kept.get(_RANDOM_SLOTS), boot)


def hits_of(suspects: Sequence[Suspect]) -> tuple[RuleHit, ...]:
    """Return each rule once, with its highest `p`; suspects come with the highest first."""
    best: dict[str, float] = {}
    for suspect in suspects:
        best.setdefault(suspect.rule, suspect.p)
    return tuple(RuleHit(name, p) for name, p in best.items())
