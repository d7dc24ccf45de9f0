"""Makes the recordings of the bench: the drawn street of `demo`, and a mostly still scene."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from agent.cli.sample_clip import clip_pixels
from agent.domain import Pixels

HD = (1280, 720)
UHD = (3840, 2160)

_DRAWN = 250  # frames of the drawn street
_KEY_FRAMES = 50  # frames from one key frame to the next, as cameras send them


@dataclass(frozen=True, slots=True)
class Recordings:
    """A folder of recordings; each is made once."""

    folder: Path

    def street(self, frames: int, *, size: tuple[int, int] = HD, fps: int = 25) -> Path:
        """Return an H.264 file of the drawn street, repeated as often as needed."""
        path = self.folder / f"street-{size[0]}x{size[1]}-{frames}-{fps}.mp4"
        if not path.exists():
            write_video(path, _resized(islice(cycle(_street()), frames), size), fps)
        return path

    def mostly_still(self, *, seconds: int, fps: int = 10, noise: float = 5.0) -> Path:
        """Return an H.264 file at 720p that moves 10 % of the time; see `still_frames`."""
        path = self.folder / f"still-{seconds}-{fps}-{noise}.mp4"
        if not path.exists():
            write_video(path, still_frames(seconds=seconds, fps=fps, noise=noise), fps)
        return path


def still_frames(*, seconds: int, fps: int, noise: float) -> Iterator[Pixels]:
    """Yield frames of a still street with sensor noise, crossed now and then.

    In each minute the scene stands still for 54 seconds, and in the other 6 somebody crosses it.

    Args:
        seconds: Length.
        fps: Frames per second.
        noise: Standard deviation of each pixel's noise, in grey levels.
    """
    street = [_enlarged(pixels, HD) for pixels in _street()]
    still = street[0]
    random = np.random.default_rng(5)
    sheets = [random.normal(0, noise, still.shape).astype(np.float32) for _ in range(7)]
    for number in range(seconds * fps):
        second = number / fps
        shown = still
        if second % 60 >= 54:
            # The first scene of the street: its frames come at 25 a second.
            shown = street[min(99, int((second % 60 - 54) * 100 / 6))]
        sheet = np.roll(sheets[number % 7], int(random.integers(still.shape[1])), axis=1)
        yield np.clip(shown + sheet, 0, 255).astype(np.uint8)


def write_video(path: Path, frames: Iterable[Pixels], fps: int) -> None:
    """Write frames as H.264, with the options that cameras use: no B-frames, one key a while."""
    part = path.with_suffix(".part")
    with av.open(str(part), "w", format="mp4") as container:
        stream: Any = None
        for number, pixels in enumerate(frames):
            if stream is None:
                options = {"preset": "veryfast", "tune": "zerolatency", "crf": "23"}
                stream = container.add_stream("libx264", rate=fps, options=options)
                stream.height, stream.width = pixels.shape[:2]
                stream.pix_fmt, stream.gop_size = "yuv420p", _KEY_FRAMES
            frame = av.VideoFrame.from_ndarray(pixels, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    part.rename(path)


def _street() -> list[Pixels]:
    if not _CACHE:
        _CACHE.extend(islice(clip_pixels(), _DRAWN))
    return _CACHE


_CACHE: list[Pixels] = []


def _resized(frames: Iterable[Pixels], size: tuple[int, int]) -> Iterator[Pixels]:
    for pixels in frames:
        yield _enlarged(pixels, size)


def _enlarged(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC), np.uint8)
