"""Measures the length of a recording before it is read."""

import os
from dataclasses import dataclass
from pathlib import Path

import cv2

from agent.camera.address import CameraAddress
from agent.camera.opencv import grab, prepare
from agent.camera.recording import FOLDER_FPS, images_of
from agent.camera.schedule import FALLBACK_FPS, SANE_FPS, RecordingClock

_TOLERANCE = 0.02


@dataclass(frozen=True, slots=True)
class Length:
    """The length of a whole recording."""

    frames: int  # decoded frames, or images of a folder
    seconds: float  # from the start of the first frame to the end of the last

    def analysed(self, fps: float) -> int:
        """Return about how many frames are due at `fps`; all of them for 0."""
        return min(self.frames, max(1, round(self.seconds * fps))) if fps else self.frames


def length_of(address: CameraAddress, *, fps: float) -> Length:
    """Measure a readable recording; a folder plays at `fps`, see `Recording`.

    The length in a video's header is used if the last frame is at the stated position. Otherwise
    all frames are counted, which takes a few milliseconds each.
    """
    path = Path(address.source).absolute()
    if path.is_dir():
        count = len(images_of(path))
        return Length(count, count / (fps or FOLDER_FPS))
    prepare()
    return _stated(path) or _counted(path)


def _stated(path: Path) -> Length | None:
    """Return the length from the header; None if it is wrong."""
    capture = cv2.VideoCapture(os.fspath(path), cv2.CAP_FFMPEG)
    try:
        frames, rate = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), capture.get(cv2.CAP_PROP_FPS)
        low, high = SANE_FPS
        if frames <= 0 or not low <= rate <= high:
            return None
        capture.set(cv2.CAP_PROP_POS_FRAMES, frames - 1)
        if not grab(capture):
            return None
        ends = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0 + 1.0 / rate
        if grab(capture) or abs(ends - frames / rate) > 1.0 / rate + _TOLERANCE * ends:
            return None
        return Length(frames, frames / rate)
    finally:
        capture.release()


def _counted(path: Path) -> Length:
    capture = cv2.VideoCapture(os.fspath(path), cv2.CAP_FFMPEG)
    try:
        rate = capture.get(cv2.CAP_PROP_FPS)
        clock = RecordingClock(rate)
        frames, first, last = 0, 0.0, 0.0
        while grab(capture):
            last = clock.position(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0)
            first = last if frames == 0 else first
            frames += 1
        low, high = SANE_FPS
        step = 1.0 / (rate if low <= rate <= high else FALLBACK_FPS)
        if frames > 1:
            step = (last - first) / (frames - 1)
        return Length(frames, last - first + step)
    finally:
        capture.release()
