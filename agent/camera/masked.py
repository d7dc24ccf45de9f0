"""Paints the regions of AGENT_MASKS over each frame, before anything else sees it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from agent.camera.mask_area import Rows, covered_share, rectangles, touched
from agent.camera.masks import CameraMask
from agent.domain import Frame, Polygon
from agent.ports import FrameSource, Interruptible, WaitsForFrames

GREY = 114
"""What a region is painted with: letterboxing uses it too, and detectors see nothing in it."""

_MOST_HIDDEN = 0.5
"""Share of a box. What an application detected behind a mask is not reported: nobody may see it."""

_MOST_SIZES = 16  # that are remembered: the images of a folder may all differ


@dataclass(frozen=True, slots=True)
class _Cover:
    """The masks of frames of one size."""

    polygons: tuple[Polygon, ...]
    rows: list[Rows]
    share: float  # of the image, 0 to 1
    misfit: str  # why the whole image is hidden; empty if the masks fit


class MaskedSource:
    """A source whose frames have the masks of its camera painted over.

    It reads for the model too, which therefore reports nothing there. If the masks do not fit a
    frame, the whole image is hidden until they do: what was meant to be hidden may be anywhere.
    They do not fit where one lies outside of the image, or where masks in pixels meet a frame
    of another size than stated, or than the first frame if none is stated: a camera that changes
    its size may show another section of the scene.
    """

    def __init__(
        self,
        source: FrameSource,
        masks: Sequence[CameraMask],
        *,
        changed: Callable[[str], None] = lambda _misfit: None,
    ) -> None:
        """`changed` gets why the masks do not fit, once, and an empty text when they fit again.

        Of a recording it gets the first reason alone.
        """
        self._source = source
        self._masks = masks
        self._changed = changed
        self._first: tuple[int, int] | None = None
        self._covers: dict[tuple[int, int], _Cover] = {}  # by width and height
        self._cover: _Cover | None = None  # of the latest frame
        self._is_told = False
        self.live = source.live

    @property
    def unreadable(self) -> int:
        """See `FrameSource`."""
        return self._source.unreadable

    @property
    def passed_over(self) -> str:
        """See `FrameSource`."""
        return self._source.passed_over

    @property
    def progress_at(self) -> float:
        """See `FrameSource`."""
        return self._source.progress_at

    @property
    def share(self) -> float:
        """Return the share of the latest image that is hidden, 0 to 1."""
        return self._cover.share if self._cover else 0.0

    @property
    def misfit(self) -> str:
        """Return why the whole of the latest image is hidden; empty if the masks fit."""
        return self._cover.misfit if self._cover else ""

    @property
    def waits_for(self) -> str:
        """See `WaitsForFrames`."""
        return self._source.waits_for if isinstance(self._source, WaitsForFrames) else ""

    @property
    def dropped(self) -> int:
        """See `WaitsForFrames`."""
        return self._source.dropped if isinstance(self._source, WaitsForFrames) else 0

    def read(self) -> Frame | None:
        """Return the next frame, its masked regions painted over; raises as the source does."""
        frame = self._source.read()
        return None if frame is None else self._masked(frame)

    def close(self) -> None:
        """See `FrameSource`."""
        self._source.close()

    def interrupt(self) -> None:
        """See `Interruptible`."""
        if isinstance(self._source, Interruptible):
            self._source.interrupt()

    def _masked(self, frame: Frame) -> Frame:
        height, width = frame.pixels.shape[:2]
        before, size = self.misfit, (width, height)
        cover = self._covers.get(size)
        if cover is None:
            if len(self._covers) >= _MOST_SIZES:
                self._covers.clear()
            cover = self._covers[size] = self._covered(width, height)
        self._cover = cover
        if cover.misfit != before and (self.live or not self._is_told):
            self._is_told = True  # once is enough of a recording: its images may all differ
            self._changed(cover.misfit)
        pixels = frame.pixels.copy()  # the source may use its array again
        for rows, columns in cover.rows:
            pixels[rows, columns] = GREY
        prediction = frame.prediction
        if prediction is not None:  # the application's model saw what is hidden here
            seen = tuple(
                each
                for each in prediction.detections
                if covered_share(cover.rows, each.box) <= _MOST_HIDDEN
            )
            prediction = replace(prediction, detections=seen)
        return replace(frame, pixels=pixels, jpeg=None, masks=cover.polygons, prediction=prediction)

    def _covered(self, width: int, height: int) -> _Cover:
        size = (width, height)
        self._first = self._first or size
        polygons = tuple(mask.on(width, height) for mask in self._masks)
        misfit = self._misfit(size, polygons)
        if misfit:
            polygons = (((0.0, 0.0), (width, 0.0), (width, height), (0.0, height)),)
        area = touched(polygons, width, height)
        return _Cover(polygons, rectangles(area), float(area.mean()), misfit)

    def _misfit(self, size: tuple[int, int], polygons: Sequence[Polygon]) -> str:
        """Return what is wrong with the masks for frames of this size, and the fix."""
        shown = f"{size[0]}x{size[1]}"
        for mask in self._masks:
            meant = mask.size or self._first
            if not mask.in_shares and meant is not None and meant != size:
                return (
                    f"AGENT_MASKS has masks in pixels of {meant[0]}x{meant[1]}, and the frames "
                    f"have {shown}. Set the camera to {meant[0]}x{meant[1]}, or write the masks "
                    "for the new size and restart; masks in shares of the image fit each size"
                )
        outside = [n for n, polygon in enumerate(polygons, 1) if not polygon]
        if outside:
            return (
                f"mask {', '.join(map(str, outside))} of this camera in AGENT_MASKS lies outside "
                f"of its frames, which have {shown}. Write it in pixels of that size, or in shares "
                "of the image from 0 to 1"
            )
        return ""
