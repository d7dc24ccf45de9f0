"""What the model found in each frame, for those who listen."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from agent.domain import EncodedImage, Observation
from agent.record.schema import RecordMaker, model_output
from agent.record.seen import is_sure
from agent.record.timestamp import timestamp
from agent.runtime.listeners import Listeners


class DescribedFrames:
    """Tells analysed frames without their pixels, and describes them when somebody needs it."""

    def __init__(self, analysed: Listeners[Observation], maker: RecordMaker) -> None:
        self._analysed = analysed
        self._maker = maker

    def listen(self, listener: Callable[[Observation], None]) -> Callable[[], None]:
        """Call `listener` with each frame from now on; return the function that ends it."""
        return self._analysed.add(lambda observation: listener(without_pixels(observation)))

    def facts(self, observation: Observation, *, shapes: bool) -> Mapping[str, Any]:
        """Return what an application needs of a frame, boxes in pixels of the frame as read."""
        frame = observation.frame
        height, width = frame.pixels.shape[:2]
        model = observation.model or self._maker.model
        whole = EncodedImage(b"", width, height)
        output = model_output(observation, model.task, whole, shapes=shapes)
        limits = self._maker.thresholds
        record = {"thresholds": {"default": limits.default, "labels": limits.labels}}
        for found in output.values():
            for each in found:
                each["above"] = is_sure(each, record)
        return {
            "camera": frame.camera,
            "at": timestamp(frame.captured_at),
            "sequence": frame.sequence,
            "width": width,
            "height": height,
            "model": {"name": model.name},
            "task": model.task.value,
            "still": observation.is_still,
            "invalid": observation.invalid,
            **output,
        }


def without_pixels(observation: Observation) -> Observation:
    """Return an observation that keeps no image in memory; its frame has the same size."""
    frame = observation.frame
    nothing = np.broadcast_to(np.uint8(0), frame.pixels.shape)
    return replace(
        observation,
        frame=replace(frame, pixels=nothing, jpeg=None, prediction=None),
        grey=None,
        features=None,
        surroundings=None,
    )
