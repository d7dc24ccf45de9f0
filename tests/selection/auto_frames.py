"""Frames in which the model is sure, and feedback that says of which classes it may be."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from agent.domain import (
    Box,
    Capture,
    Detection,
    Frame,
    Grey,
    Lane,
    ModelInfo,
    Observation,
    Task,
    Thresholds,
)
from agent.replay.memory_spool import MemorySpool
from agent.selection.auto_gate import AutoTrust, trust_in
from agent.selection.cover import Cover
from agent.selection.device import Selection
from agent.selection.feedback import ClassFeedback, Feedback, Trust
from agent.selection.plan import SelectionPlan
from agent.selection.rules import RULE_NAMES
from agent.selection.selector import FrameEvaluation
from tests.fakes.captures import capture_id
from tests.selection.grey_images import noisy, scene
from tests.selection.synthetic_street import BLANK_720P

THRESHOLDS = Thresholds(0.5)
MODEL = ModelInfo("m", "ab" * 32, Task.DETECT, "cpu", ("car", "person"))
STEPS = {
    "car": (Trust(0.5, 0.9, 600), Trust(0.7, 0.985, 500), Trust(0.9, 0.99, 400)),
    # Of 40 reviewed boxes all are right: the estimate is 1, but the bound promises less than 0.98.
    "person": (Trust(0.5, 0.8, 60), Trust(0.7, 0.912, 40)),
}
"""Of each class the lower bound of its precision from a confidence on."""


def feedback(steps: dict[str, tuple[Trust, ...]] | None = None) -> Feedback:
    steps = STEPS if steps is None else steps
    classes = tuple(
        ClassFeedback(label, 0.8, 500, 0, 1.0, None, trust) for label, trust in steps.items()
    )
    return Feedback("2026-05-28T20:26:40.000Z", "0", "m", MODEL.sha256, 300, (), classes)


def trust(precision: float = 0.98) -> AutoTrust:
    return trust_in(feedback(), precision)


def objects(*confidences: tuple[str, float], x: float = 100.0) -> tuple[Detection, ...]:
    """Return objects side by side from `x` on, the highest confidence first."""
    found = [
        Detection(label, 0, confidence, Box(left, 200.0, left + 160.0, 400.0))
        for left, (label, confidence) in zip(count(x, 200.0), confidences, strict=False)
    ]
    return tuple(sorted(found, key=lambda each: -each.confidence))


def seen(at: float, *detections: Detection, look: int = 1, grey: Grey | None = None) -> Observation:
    """Return what the camera shows at a time; another `look` is another scene."""
    frame = Frame("street", int(at * 5), BLANK_720P, at, at, int(at * 1e9), None, "day")
    image = noisy(scene(look), int(at * 10) % 40) if grey is None else grey
    return Observation(frame, detections, grey=image, model=MODEL)


@dataclass
class Device:
    """A camera whose frames are selected, and whose captures wait for their credits."""

    plan: SelectionPlan
    first: int = 1  # number of its first capture
    captures: dict[str, Capture] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)
    evaluations: list[FrameEvaluation] = field(default_factory=list)

    def __post_init__(self) -> None:
        cover = Cover()
        self._spool = MemorySpool(self.plan, cover)
        self._numbers = count(self.first)
        self.selection = Selection(
            ["street"],
            self.plan,
            new_id=lambda _: capture_id(next(self._numbers)),
            cover=cover,
            explain=self.evaluations.append,
        )

    def run(self, frames: Iterable[Observation]) -> "Device":
        at = 0.0
        for observation in frames:
            at = observation.frame.at
            self._keep(self.selection.observe(observation, at))
            self.sent += [one.id for one in self._spool.buy(at)]
        self._keep(self.selection.finish(at))
        self.sent += [one.id for one in self._spool.close()]
        return self

    @property
    def auto(self) -> list[Capture]:
        return [each for each in self.captures.values() if each.lane is Lane.AUTO]

    def sent_of(self, *lanes: Lane) -> list[str]:
        return [one for one in self.sent if self.captures[one].lane in lanes]

    def _keep(self, captures: Sequence[Capture]) -> None:
        for each in captures:
            self._spool.put(each, 1)
            self.captures[each.id] = each


def plan(seconds: float, **changes: Any) -> SelectionPlan:
    """Return a plan of one camera; ten auto labels in the whole time, without labelling credits."""
    fields = {"auto_per_day": 10, "is_random": False, "period_s": seconds, **changes}
    return SelectionPlan(RULE_NAMES, THRESHOLDS, "seed", **fields)
