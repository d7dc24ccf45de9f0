"""Frames of still scenes: the model does not run on them, and its earlier output is repeated."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from agent.domain import Grey, Observation, Thresholds
from agent.runtime.mailbox import Ticket
from agent.selection.motion_gate import Gate, MotionGate
from agent.selection.selector import Selector
from agent.selection.suspects import margin

DOUBTFUL = 1.0
"""Logits. A detection that is nearer to its threshold may be on the other side in the next run."""


@dataclass(slots=True)
class _Camera:
    selector: Selector
    gate: MotionGate = field(default_factory=MotionGate)
    lock: threading.Lock = field(default_factory=threading.Lock)  # of the gate and `skipped`
    situation: object = None  # size and quality of the images whose noise the gate knows
    output: Observation | None = None  # the latest output of the model, without its pixels
    skipped: int = 0


class StillFrames:
    """Decides for each frame of all cameras whether the model runs on it, and counts the others.

    `skips` is called by the inference workers, in nearly the order of the frames; `completed` in
    their order, under a lock of the caller.
    """

    def __init__(self, selectors: Mapping[str, Selector], thresholds: Thresholds) -> None:
        self._thresholds = thresholds
        self._cameras = {name: _Camera(selector) for name, selector in selectors.items()}

    def skips(self, ticket: Ticket, grey: Grey) -> bool:
        """Return whether the model need not run on a frame, whose thumbnail is `grey`."""
        frame, previous = ticket.frame, ticket.previous_at
        if frame.prediction is not None:  # an application's, which knows nothing of the gate
            return False
        camera = self._cameras[frame.camera]
        output = camera.output
        must_run = (
            output is None
            or output.invalid
            or camera.selector.needs_run(frame, ticket.order, previous)
        )
        step = None if previous is None else frame.at - previous
        situation = frame.pixels.shape, camera.selector.quality_monitor.lasting
        with camera.lock:
            if situation != camera.situation:
                camera.situation, step = situation, None
            gate = camera.gate.decide(grey, frame.at, step=step, must_run=must_run)
            camera.skipped += gate is Gate.SKIP
        return gate is Gate.SKIP

    def completed(self, observation: Observation) -> Observation:
        """Return the next observation of a camera; a still one gets the output that holds."""
        camera = self._cameras[observation.frame.camera]
        if observation.is_still and camera.output is not None:
            return replace(camera.output, frame=observation.frame, grey=observation.grey)
        if observation.frame.prediction is not None:  # not what our model would say of the next
            return observation
        nothing = observation.frame.pixels[:0]
        frame = replace(observation.frame, pixels=nothing.copy(), jpeg=None)
        camera.output = replace(observation, frame=frame, grey=None, features=None, is_still=True)
        camera.gate.is_doubtful = any(
            abs(margin(each.confidence, self._thresholds.of(each.label))) < DOUBTFUL
            for each in observation.detections
        )
        return observation

    def skipped(self, camera: str) -> int:
        """Return on how many frames of a camera the model did not run."""
        return self._cameras[camera].skipped
