"""Images of the newest analysed frames, made when somebody asks for them."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from secrets import token_hex

from agent.domain import Observation
from agent.errors import RefusalKind, RequestRefused
from agent.ports import Clock
from agent.printable import printable
from agent.record.timestamp import timestamp
from agent.runtime.answers import Draw, FrameView, no_such_camera
from agent.runtime.application import LiveImage

SIZES = (640, 1280, 1920)
"""Longest sides of the images, in pixels; a page with many cameras needs the smallest."""

_Key = tuple[str, bool, int]
"""Camera, with boxes, size."""


class NewestImages:
    """Makes one image of a frame and a kind once, one at a time, outside of the pipeline's locks.

    The latest image of each kind is kept, of at most twice as many kinds as there are cameras.
    """

    def __init__(
        self,
        cameras: Sequence[str],
        views: Mapping[int, FrameView],
        draw: Draw,
        *,
        newest: Callable[[str], tuple[Observation, float] | None],
        why: Callable[[str], str | None],
        clock: Clock,
    ) -> None:
        """Make images of `cameras`.

        Args:
            cameras: Their names.
            views: How frames leave the process, by each of `SIZES`.
            draw: Draws the boxes.
            newest: Returns a camera's newest analysed frame, and the monotonic time of its
                analysis; None before the first.
            why: Returns why no newer frame can be expected of a camera; None if one can.
            clock: For the age of frames.
        """
        self._cameras = tuple(cameras)
        self._newest_of = newest
        self._why = why
        self._views = views
        self._draw = draw
        self._clock = clock
        self._run = token_hex(4)  # after a restart the frames are counted from 0 again
        self._making = threading.Lock()
        self._made: OrderedDict[_Key, LiveImage] = OrderedDict()  # the latest used last

    def tag(self, camera: str, *, boxes: bool, size: int) -> str:
        """Return the tag of the newest image. Raises `RequestRefused`."""
        observation, _ = self._newest(camera)
        return self._tag(observation, (camera, boxes, _size(size)))

    def newest(self, camera: str, *, boxes: bool, size: int = SIZES[-1]) -> LiveImage:
        """Return the newest analysed frame, see `application.LiveImages`."""
        key = camera, boxes, _size(size)
        with self._making:
            observation, analysed_at = self._newest(camera)
            image = self._made.get(key)
            tag = self._tag(observation, key)
            if image is None or image.tag != tag:
                image = self._make(observation, key)
            self._made[key] = image
            self._made.move_to_end(key)
            while len(self._made) > 2 * len(self._cameras):
                self._made.popitem(last=False)
        return LiveImage(
            image.jpeg,
            image.record,
            image.captured_at,
            max(0.0, self._clock.monotonic() - analysed_at),
            self._why(camera),
            image.sequence,
            image.tag,
        )

    def _newest(self, camera: str) -> tuple[Observation, float]:
        if camera not in self._cameras:
            shown = printable(camera, 64)
            raise RequestRefused(
                RefusalKind.UNKNOWN,
                f"cannot show camera '{shown}': {no_such_camera(self._cameras)}",
            )
        newest = self._newest_of(camera)
        if newest is None:
            why = self._why(camera) or "no frame was analysed yet"
            raise RequestRefused(RefusalKind.NOT_NOW, f"cannot show camera '{camera}': {why}")
        return newest

    def _tag(self, observation: Observation, key: _Key) -> str:
        _, boxes, size = key
        return f"{self._run}-{observation.frame.sequence}-{'boxes' if boxes else 'plain'}-{size}"

    def _make(self, observation: Observation, key: _Key) -> LiveImage:
        _, boxes, size = key
        view = self._views[size]
        jpeg, record = view.drawn(observation, self._draw) if boxes else view.plain(observation)
        frame = observation.frame
        return LiveImage(
            jpeg,
            record,
            timestamp(frame.captured_at),
            0.0,
            None,
            frame.sequence,
            self._tag(observation, key),
        )


def _size(wanted: int) -> int:
    return next((size for size in SIZES if size >= wanted), SIZES[-1])
