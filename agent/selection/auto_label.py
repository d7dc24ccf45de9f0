"""The lane `auto`: of each cell of time the frame that shows most that no capture showed before."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace

from agent.domain import (
    AutoLabel,
    Capture,
    Detection,
    Lane,
    Observation,
    RuleHit,
    Suspect,
    Thresholds,
)
from agent.record.audit import is_audited
from agent.selection.auto_gate import (
    AutoRefusal,
    AutoTrust,
    auto_label_of,
    counted_objects,
    trust_in,
)
from agent.selection.budget.hint import SendHint
from agent.selection.cells import PER_CREDIT, Cell
from agent.selection.cover import Cover
from agent.selection.feedback import Feedback
from agent.selection.frame_context import FrameContext
from agent.selection.image_quality import ImageQuality
from agent.selection.plan import SelectionPlan
from agent.selection.similarity import difference_hash
from agent.selection.view import View, view_of

REASON = "auto_label"
"""Names in the record's `rules` why the frame was captured."""

NEW_OBJECT = 0.5
"""An object counts as new if the cover lacks at least this share of it. The cover has a half-life
of a day, so an object that was shown is new again after a day."""

_RECHECK_S = 1.0
"""Seconds in which frames with the same labels as one that showed nothing new are not compared:
comparing four objects with a thousand remembered ones takes 5 ms."""


class ObjectCover(Cover):
    """What captures showed of objects: place and appearance, as the cover of suspects has them."""

    def value(self, view: View, now: float) -> float:
        """Return how many objects of a view no capture has shown; old ones count less than 1."""
        return sum(each for each in self.contributions(view, now) if each >= NEW_OBJECT)


class AutoLabels:
    """The auto labels of all cameras. Not thread-safe, but for `use`."""

    def __init__(
        self,
        plan: SelectionPlan,
        *,
        new_id: Callable[[float], str],
        cover: ObjectCover | None = None,
        run: str = "",
    ) -> None:
        """`plan.auto_per_day` is above 0. `new_id` names a capture by its wall time.

        `cover`: what captures before the start showed.
        """
        self.cover = ObjectCover() if cover is None else cover
        self._cell = Cell(plan.period_s / (PER_CREDIT * plan.auto_per_day), self.cover)
        self._plan = plan
        self.per_day = plan.auto_per_day
        self._new_id = new_id
        self._run = run
        # By camera: second and labels of the latest frame that showed nothing new.
        self._known: dict[str, tuple[int, list[str]]] = {}
        self.trust = AutoTrust(plan.auto_precision)
        self.feedback: Feedback | None = None
        """The file that the trust rests on."""
        self._sha256: str | None = None  # of the file
        self.refused: Counter[AutoRefusal] = Counter()
        """Frames that the model did not label, by the reason."""

    def use(self, feedback: Feedback | None) -> None:
        """Trust what a feedback file says, from the next frame on; nothing without one."""
        self.trust = trust_in(feedback, self._plan.auto_precision)
        self.feedback = feedback
        self._sha256 = None if feedback is None else feedback.sha256

    def offer(
        self,
        context: FrameContext,
        named: tuple[Suspect, ...],
        quality: ImageQuality,
        now: float,
    ) -> AutoRefusal | None:
        """Take a frame that no other lane captures, if it is the best of its cell so far.

        Returns None if it is, else the reason. `named`: all that the rules name in it; `now` is a
        clock that all cameras share, in seconds.
        """
        observation, thresholds = context.observation, self._plan.thresholds
        found = auto_label_of(observation, named, quality, thresholds=thresholds, trust=self.trust)
        if isinstance(found, AutoRefusal):
            return self._refuse(found)
        best = self._cell.cutoff(now)
        labels = [each.label for each in counted_objects(observation, thresholds)]
        if len(labels) <= best:
            return self._refuse(AutoRefusal.ANOTHER_IS_BETTER)
        camera = observation.frame.camera
        if self._known.get(camera, (-1, [])) == (int(now / _RECHECK_S), labels):
            return self._refuse(AutoRefusal.SHOWN)
        view = self._view(observation, context.bits, now)
        value = self.cover.value(view, now)
        if not value:
            self._known[camera] = int(now / _RECHECK_S), labels
            return self._refuse(AutoRefusal.SHOWN)
        if value <= best:
            return self._refuse(AutoRefusal.ANOTHER_IS_BETTER)
        self._cell.offer(self._capture(observation, named, found, view, value), view, now)
        return None

    def advance(self, now: float) -> list[Capture]:
        """Return what must be stored at `now`."""
        return self._cell.advance(now)

    def close(self) -> list[Capture]:
        """Return the best frame so far, unless it is stored: no frame comes any more."""
        return self._cell.close()

    def stored(self, captures: Iterable[Capture], now: float) -> None:
        """Remember what captures of any lane show: a frame with the same is no new one."""
        for capture in captures:
            observation = capture.observation
            bits = None if observation.grey is None else difference_hash(observation.grey)
            self.cover.add(self._view(observation, bits, now), now)

    def _refuse(self, why: AutoRefusal) -> AutoRefusal:
        self.refused[why] += 1
        return why

    def _view(self, observation: Observation, bits: int | None, now: float) -> View:
        """Return what a frame shows of objects."""
        return view_of(
            observation,
            _as_suspects(observation, self._plan.thresholds),
            bits=bits,
            now=now,
            run=self._run,
            redact=self._plan.redact,
        )

    def _capture(
        self,
        observation: Observation,
        named: tuple[Suspect, ...],
        label: AutoLabel,
        view: View,
        value: float,
    ) -> Capture:
        name = self._new_id(observation.frame.captured_at)
        label = replace(label, is_audited=is_audited(name))
        if not label.is_audited:  # nobody looks at what came before and after
            observation = replace(observation, surroundings=None)
        return Capture(
            observation,
            Lane.AUTO,
            (RuleHit(REASON, 1.0),),
            value,
            id=name,
            suspects=named,
            hint=SendHint(view).text,
            feedback=self._sha256,
            auto=label,
        )


def _as_suspects(observation: Observation, thresholds: Thresholds) -> list[Suspect]:
    """Return each counted object as a place to compare."""
    return [
        Suspect(REASON, 1.0, each.label, each.box if isinstance(each, Detection) else None)
        for each in counted_objects(observation, thresholds)
    ]
