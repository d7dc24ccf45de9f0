"""The frames of a clip as one video, for people and players."""

import io
from collections.abc import Sequence
from fractions import Fraction

import av
import cv2
import numpy as np
from av.codec.codec import UnknownCodecError
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from agent.record.jpeg_header import is_complete_jpeg

_MILLISECOND = Fraction(1, 1000)
_MOST_PIXELS = 4096 * 4096  # of a frame; those of the agent have 640 x 640 at most


def mp4_of(frames: Sequence[tuple[float, bytes]], *, width: int, height: int) -> bytes | None:
    """Return an MP4 of JPEGs of one size, each shown from its own time; None if one is damaged.

    `frames`: seconds and JPEG of each, in order. An odd side loses its last row or column, as video
    has none.
    """
    even = (width - width % 2, height - height % 2)
    if 0 in even or width * height > _MOST_PIXELS:
        return None
    if not all(is_complete_jpeg(jpeg, width, height) for _, jpeg in frames):
        return None
    buffer = io.BytesIO()
    try:
        with av.open(buffer, "w", format="mp4") as video:
            stream = _stream_of(video)
            stream.width, stream.height = even
            stream.pix_fmt = "yuv420p"
            stream.codec_context.time_base = stream.time_base = _MILLISECOND
            last = -1
            for at, jpeg in frames:
                pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
                if pixels is None:
                    return None
                shown = np.ascontiguousarray(pixels[: even[1], : even[0]])
                frame = av.VideoFrame.from_ndarray(shown, format="bgr24")
                last = max(last + 1, round((at - frames[0][0]) * 1000))
                frame.pts, frame.time_base = last, _MILLISECOND
                video.mux(stream.encode(frame))
            video.mux(stream.encode())
    except FFmpegError:
        return None
    return buffer.getvalue()


def _stream_of(video: OutputContainer) -> VideoStream:
    """Return a new stream: H.264, or in an FFmpeg built without it, MPEG-4."""
    try:
        return video.add_stream("libx264", options={"crf": "20", "preset": "veryfast"})
    except UnknownCodecError:
        return video.add_stream("mpeg4", options={"qscale": "3"})
