"""The selection of a whole device: its cameras share one budget, its cells, and the cover."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from agent.domain import Capture, Observation
from agent.selection.auto_label import AutoLabels, ObjectCover
from agent.selection.budget.ledger import DEGRADED_SHARE
from agent.selection.cells import PER_CREDIT, Cell
from agent.selection.chances import Chances
from agent.selection.cover import Cover
from agent.selection.feedback import Feedback
from agent.selection.plan import SelectionPlan
from agent.selection.selector import FrameEvaluation, Selector, Shared


class Selection:
    """The selectors of all cameras. Not thread-safe."""

    def __init__(
        self,
        cameras: Sequence[str],
        plan: SelectionPlan,
        *,
        new_id: Callable[[float], str],
        cover: Cover | None = None,
        shown: ObjectCover | None = None,
        run: str = "",
        explain: Callable[[FrameEvaluation], None] | None = None,
    ) -> None:
        """`new_id` names a capture by its wall time; `explain` is called for every frame.

        `cover`: with a budget, the one that the purchase of credits fills. `shown`: what captures
        before the start showed of objects, for auto labels. `run` names this process: numbers of
        tracks are unique in it alone.
        """
        cover = Cover() if cover is None else cover
        score_credits = plan.score_credits(len(cameras))
        self._cells: dict[bool, Cell] = {}
        if plan.per_day:
            seconds = plan.period_s / (PER_CREDIT * max(score_credits, 1e-9))
            # Degraded frames compete separately: a dark night cannot use up the main budget.
            self._cells = {
                False: Cell(seconds, cover),
                True: Cell(seconds / DEGRADED_SHARE, cover),
            }
        self._thresholds = plan.thresholds
        self._auto = None
        if plan.auto_per_day:
            self._auto = AutoLabels(plan, new_id=new_id, cover=shown, run=run)
        self._shared = shared = Shared(cover, self._cells, run, auto=self._auto)
        interval = plan.interval_for(len(cameras))
        self.selectors = {
            camera: Selector(plan, interval=interval, shared=shared, new_id=new_id, explain=explain)
            for camera in cameras
        }

    def observe(self, observation: Observation, now: float) -> list[Capture]:
        """Take a camera's next frame; `now` is a clock that all cameras share, in seconds."""
        due = [capture for cell in self._cells.values() for capture in cell.advance(now)]
        due += self.selectors[observation.frame.camera].observe(observation, now)
        if self._auto is not None:
            due += self._auto.advance(now)
            self._auto.stored(due, now)
        return [with_features(capture) for capture in due]

    def finish(self, now: float) -> list[Capture]:
        """Return the last captures: no frame comes any more."""
        last = [capture for selector in self.selectors.values() for capture in selector.finish(now)]
        last += [capture for cell in self._cells.values() for capture in cell.close()]
        if self._auto is not None:
            last += self._auto.close()
        return [with_features(capture) for capture in last]

    @property
    def auto(self) -> AutoLabels | None:
        """The auto labels; None where the model labels nothing."""
        return self._auto

    def request(self, ids: Mapping[str, str] | None = None) -> None:
        """Capture the next frame of each camera, or of those in `ids`, under the id given there."""
        for name in self.selectors if ids is None else ids:
            self.selectors[name].request("" if ids is None else ids[name])

    def asked_for(
        self, capture: Capture, evaluation: FrameEvaluation | None, *, at: float, now: float
    ) -> Capture:
        """Return the capture of an earlier frame that somebody asked for; see `Selector`."""
        selector = self.selectors[capture.observation.frame.camera]
        return selector.asked_for(capture, evaluation, at=at, now=now)

    def use(self, feedback: Feedback | None) -> None:
        """Take up what reviews said of suspects and classes; None goes back to the priors.

        Without a file the model labels nothing itself.
        """
        chances = None if feedback is None else Chances(feedback, self._thresholds)
        self._shared.chances = chances
        self._shared.cover.weigh({} if chances is None else chances.weights)
        if self._auto is not None:
            self._auto.use(feedback)

    def memory(self) -> dict[str, str]:
        """Return the state that should survive a restart, by name."""
        return {
            f"{camera}/{name}": text
            for camera, selector in self.selectors.items()
            for name, text in selector.memory().items()
        }

    def remember(self, recall: Callable[[str], str | None], boot: str) -> None:
        """Restore what `memory` returned; `recall` returns a text by its name, or None.

        `boot` names the clock of the frames of cameras. Call it before the first frame.
        """
        for camera, selector in self.selectors.items():
            texts = {name: recall(f"{camera}/{name}") for name in selector.memory()}
            kept = {name: text for name, text in texts.items() if text is not None}
            selector.remember(kept, boot)


def with_features(capture: Capture) -> Capture:
    """Return a capture whose detections have their features, without the model's map."""
    observation = capture.observation
    maker = observation.features
    if maker is None:
        return capture
    features = maker.features_of([each.box for each in observation.detections])
    detections = tuple(
        replace(each, feature=feature)
        for each, feature in zip(observation.detections, features, strict=True)
    )
    shown = replace(observation, detections=detections, features=None)
    return replace(capture, observation=shown)
