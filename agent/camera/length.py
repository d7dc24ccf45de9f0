"""Measures the length of a recording before it is read."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

from agent.camera.address import CameraAddress
from agent.camera.images.folder import FOLDER_FPS
from agent.camera.recording import UNKNOWN, VideoFile, open_recording
from agent.camera.schedule import FALLBACK_FPS, RESTART_S, SANE_FPS, RecordingClock

_REORDERED = 32  # frames; codecs store at most 16 out of order


@dataclass(frozen=True, slots=True)
class Length:
    """The length of a whole recording."""

    frames: int  # frames of a video, or images of a folder
    seconds: float  # from the start of the first frame to the end of the last

    def analysed(self, fps: float) -> int:
        """Return about how many frames are due at `fps`; all of them for 0."""
        return min(self.frames, max(1, round(self.seconds * fps))) if fps else self.frames


def length_of(address: CameraAddress, *, fps: float) -> Length:
    """Measure a readable recording; a folder plays at `fps`, see `Recording`.

    The frames of a video are counted without decoding them: headers are wrong in files that were
    joined, cut off, or not closed. Takes about as long as to read the file.

    Raises:
        CameraLost: It cannot be read; the message is only the reason.
    """
    source = open_recording(Path(address.source).absolute())
    if isinstance(source, VideoFile):
        try:
            return _measured(source.stored_positions(), source.rate)
        finally:
            source.close()
    step = 1.0 / (fps or FOLDER_FPS)
    times = source.times(step)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    return Length(len(times), round(times[-1] + (median(gaps) if gaps else step), 6))


def _measured(stored: Iterable[float | None], rate: float) -> Length:
    """Return the length of frames from their positions in the order in which they are stored."""
    clock = RecordingClock(rate)
    positions = [
        clock.position(UNKNOWN if stated is None else stated) for stated in _as_shown(stored)
    ]
    low, high = SANE_FPS
    step = 1.0 / (rate if low <= rate <= high else FALLBACK_FPS)
    if not positions:
        return Length(0, 0.0)
    covered = positions[-1] - positions[0]
    if len(positions) > 1:
        step = covered / (len(positions) - 1)
    return Length(len(positions), covered + step)


def _as_shown(stored: Iterable[float | None]) -> Iterator[float | None]:
    """Sort each part of a recording by time; frames without a time stay where they are."""
    part: list[float] = []
    for position in stored:
        if position is None or (part and position < max(part[-_REORDERED:]) - RESTART_S):
            yield from sorted(part)
            part = []
        if position is None:
            yield None
        else:
            part.append(position)
    yield from sorted(part)
