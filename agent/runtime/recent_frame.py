"""One frame of the last seconds, and which of several is nearest to a moment. No threads."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from agent.domain import EncodedBy, Frame, Lane, Mask, Observation, Polygon
from agent.runtime.moments import Ago, WallTime
from agent.selection.selector import FrameEvaluation

_FRAME_BYTES = 4_000  # about what a frame takes besides its images,
_DETECTION_BYTES = 600  # and each detection of it


class KnownMask:
    """The outline of an object, without what the model computed it from."""

    __slots__ = ("_polygon",)

    def __init__(self, mask: Mask) -> None:
        self._polygon = mask.polygon()

    def polygon(self) -> Polygon:
        """See `Mask`."""
        return self._polygon


@dataclass(slots=True, eq=False)
class RecentFrame:
    """One frame of the last seconds. What it refers to is replaced, never changed."""

    observation: Observation
    """With pixels until `is_encoded`; then they are what `frame.jpeg` shows."""
    at: float  # when it was captured, in monotonic seconds
    is_encoded: bool = False
    evaluation: FrameEvaluation | None = None
    """What the rules found, without pixels; None before they have judged it."""
    capture: str = ""
    """Id of its latest capture; empty if there is none."""
    lane: Lane | None = None  # of that capture
    captures: tuple[str, ...] = ()  # ids of all its captures, made or asked for
    bytes: int = 0  # that it takes in memory, its pixels not counted

    @property
    def frame(self) -> Frame:
        """The frame; see `observation` about its pixels."""
        return self.observation.frame


def without_pixels(frame: Frame, jpeg: bytes | None = None) -> Frame:
    """Return a frame whose pixels have their shape and no content, with another `jpeg`."""
    blank = np.broadcast_to(np.zeros((), np.uint8), frame.pixels.shape)
    by = frame.encoded_by if frame.jpeg is not None else EncodedBy.AGENT
    return replace(frame, pixels=blank, jpeg=jpeg, encoded_by=by)


def encoded(observation: Observation, jpeg: bytes) -> Observation:
    """Return an observation as it is kept: a JPEG for its pixels, outlines of masks, no maps."""
    detections = observation.detections
    if any(each.mask is not None for each in detections):
        detections = tuple(
            each if each.mask is None else replace(each, mask=KnownMask(each.mask))
            for each in detections
        )
    return replace(
        observation,
        frame=without_pixels(observation.frame, jpeg),
        detections=detections,
        features=None,
    )


def memory_of(observation: Observation) -> int:
    """Return about how many bytes an observation takes, its pixels not counted."""
    grey = 0 if observation.grey is None else observation.grey.nbytes
    jpeg = 0 if observation.frame.jpeg is None else len(observation.frame.jpeg)
    return _FRAME_BYTES + grey + jpeg + _DETECTION_BYTES * len(observation.detections)


def nearest(
    frames: Sequence[RecentFrame], moment: Ago | WallTime, *, now: float, wall: float, near: float
) -> RecentFrame | None:
    """Return the frame nearest to a moment; None if none is within `near` seconds.

    A wall time is compared with the wall times of the frames, which are what people were shown,
    whatever the clock did since. A program with a clock that was set meanwhile means another frame:
    without one of that time, the time is converted with the clocks of now.

    Args:
        frames: Oldest first; of equally near ones the newest is returned.
        moment: What was asked for.
        now: Monotonic seconds.
        wall: Wall clock, in seconds since 1970 UTC.
        near: In seconds.
    """
    if isinstance(moment, WallTime):
        found = min(
            reversed(frames),
            key=lambda each: abs(each.frame.captured_at - moment.seconds),
            default=None,
        )
        if found is None or abs(found.frame.captured_at - moment.seconds) <= near:
            return found
        at = now - (wall - moment.seconds)
    else:
        at = now - moment.seconds
    found = min(reversed(frames), key=lambda each: abs(each.at - at), default=None)
    return found if found is not None and abs(found.at - at) <= near else None
