"""Makes the recordings of the bench: the drawn street of `demo`, and a mostly still scene."""

from collections.abc import Iterable, Iterator, Sequence
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
            drawn = (_enlarged(pixels, size) for pixels in _street()[:frames])
            write_video(path, drawn, fps, length=frames)
        return path

    def mostly_still(
        self,
        *,
        seconds: int,
        fps: int = 10,
        noise: float = 5.0,
        motion: Sequence[Pixels] = (),
        name: str = "drawn",
    ) -> Path:
        """Return an H.264 file that moves 10 % of the time; see `still_frames`.

        `motion`: a scene of some seconds; by default the first of the drawn street, at 720p.
        """
        path = self.folder / f"still-{name}-{seconds}-{fps}-{noise}.mp4"
        if not path.exists():
            scene = motion or [_enlarged(pixels, HD) for pixels in _street()[:100:2]]
            write_video(path, still_frames(scene, noise=noise), fps, length=seconds * fps)
        return path


def still_frames(motion: Sequence[Pixels], *, noise: float) -> Iterator[Pixels]:
    """Yield frames of a still scene with sensor noise, in which then something moves.

    Nine tenths of them show the first frame of `motion`; then the scene plays once.

    Args:
        motion: The frames of the scene.
        noise: Standard deviation of each pixel's noise, in grey levels.
    """
    random = np.random.default_rng(5)
    shape = motion[0].shape
    sheets = [random.normal(0, noise, shape).round().astype(np.int16) for _ in range(7)]
    for number in range(10 * len(motion)):
        shown = motion[max(0, number - 9 * len(motion))]
        sheet = np.roll(sheets[number % 7], int(random.integers(shape[0])), axis=0)
        yield np.asarray(cv2.add(shown, sheet, dtype=cv2.CV_8U), np.uint8)


def write_video(path: Path, frames: Iterable[Pixels], fps: int, *, length: int) -> None:
    """Write H.264 as cameras send it: no B-frames, and a key frame now and then.

    The frames are repeated, or cut off, up to `length` frames; each is encoded once.
    """
    once, part = path.with_suffix(".once"), path.with_suffix(".part")
    with av.open(str(once), "w", format="mp4") as container:
        stream: Any = None
        for number, pixels in enumerate(islice(frames, length)):
            if stream is None:
                options = {"preset": "veryfast", "tune": "zerolatency", "crf": "23"}
                stream = container.add_stream("libx264", rate=fps, options=options)
                stream.height, stream.width = pixels.shape[:2]
                stream.pix_fmt, stream.gop_size = "yuv420p", _KEY_FRAMES
            frame = av.VideoFrame.from_ndarray(pixels, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with av.open(str(once)) as source, av.open(str(part), "w", format="mp4") as container:
        track = source.streams.video[0]
        packets = [(bytes(each), each.is_keyframe) for each in source.demux(track) if each.size]
        stream = container.add_stream_from_template(track)
        for number, (data, is_key) in enumerate(islice(cycle(packets), length)):
            packet: Any = av.Packet(data)
            packet.pts = packet.dts = number
            packet.time_base, packet.stream, packet.is_keyframe = Fraction(1, fps), stream, is_key
            container.mux(packet)
    once.unlink()
    part.rename(path)


def _street() -> list[Pixels]:
    if not _CACHE:
        _CACHE.extend(islice(clip_pixels(), _DRAWN))
    return _CACHE


_CACHE: list[Pixels] = []


def _enlarged(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC), np.uint8)
