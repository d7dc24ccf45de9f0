"""Videos that tests make from the frames of the sample clip."""

import io
from collections.abc import Iterable, Mapping
from pathlib import Path

import av
import numpy as np

from agent.domain import Pixels

H264 = {"preset": "veryfast", "bf": "0", "g": "25", "sc_threshold": "0"}


def clip_frames(clip: Path, count: int, size: tuple[int, int] = (640, 272)) -> list[Pixels]:
    """Return the first frames of `clip` as BGR, scaled to `size`: width, height."""
    width, height = size
    frames = []
    with av.open(str(clip)) as container:
        for frame in container.decode(video=0):
            frames.append(frame.reformat(width, height, format="bgr24").to_ndarray())
            if len(frames) == count:
                break
    return [np.ascontiguousarray(each, np.uint8) for each in frames]


def encode(
    frames: Iterable[Pixels],
    codec: str = "libx264",
    options: Mapping[str, str] = H264,
    *,
    layout: str = "yuv420p",
) -> bytes:
    """Return a transport stream of 25 frames a second."""
    file = io.BytesIO()
    mux(file, frames, codec, options, layout=layout, container="mpegts")
    return file.getvalue()


def mux(
    target: "io.BytesIO | Path",
    frames: Iterable[Pixels],
    codec: str = "libx264",
    options: Mapping[str, str] = H264,
    *,
    layout: str = "yuv420p",
    container: str,
    container_options: Mapping[str, str] | None = None,
) -> None:
    """Write a video of 25 frames a second."""
    name = str(target) if isinstance(target, Path) else target
    with av.open(name, "w", format=container, options=dict(container_options or {})) as output:
        track = output.add_stream(codec, rate=25, options=dict(options))
        assert isinstance(track, av.VideoStream)
        track.pix_fmt = layout
        for n, pixels in enumerate(frames):
            if n == 0:
                track.height, track.width = pixels.shape[:2]
            frame = av.VideoFrame.from_ndarray(pixels, format="bgr24").reformat(format=layout)
            frame.pts = n
            output.mux(track.encode(frame))
        output.mux(track.encode(None))
