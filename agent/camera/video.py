"""Video decoded by FFmpeg: frames of one track, at their own size, and which of them are intact."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import VideoReformatter

from agent.camera.frame_checks import MAX_PIXELS, checked
from agent.domain import Pixels
from agent.errors import CameraLost

FORMATS = "mpegts,mpeg,mov,matroska,flv,avi,ogg,asf,mjpeg,mpjpeg,h264,hevc,m4v,ivf,obu,rm"
"""FFmpeg's containers that hold their own frames.

The others (hls, dash, concat, sdp, imf, image2, ...) open addresses that they find in the data.
"""

_LIMITS = {"max_pixels": str(MAX_PIXELS)}
_QUARTER_TURN = 90

IoOpen = Callable[[str, int, Mapping[str, str]], BinaryIO]
"""Opens the file of an address that a playlist names: `(address, flags, options)`."""


if TYPE_CHECKING:
    Packet = av.Packet[av.VideoStream]
else:  # generic in its type stubs only
    Packet = av.Packet


@dataclass(frozen=True, slots=True)
class _Damage:
    since: int | None  # decoding time of the first damaged packet, by the track; None if unknown
    intact_after: int  # key frames that must have left the decoder before frames are intact again

    def reaches(self, frame: VideoFrame) -> bool:
        """Whether `frame` may show it: no frame is shown before the packets that it needs."""
        return self.since is None or frame.pts is None or frame.pts >= self.since


class Video:
    """An open video. `grab` advances by one frame, `retrieve` converts the grabbed one.

    The decoder conceals missing data: it copies or smears what it has, and each frame up to the
    next key frame repeats the damage. Such frames are not intact.
    """

    def __init__(
        self,
        source: str | BinaryIO,
        *,
        options: Mapping[str, str],
        timeouts: tuple[float, float] | None = None,
        io_open: IoOpen | None = None,
    ) -> None:
        """Open `source`, an address of FFmpeg or a readable file object.

        Args:
            source: What to open.
            options: Options of FFmpeg's protocol and container.
            timeouts: Seconds for opening and for each read; None to wait without limit.
            io_open: Opens what a playlist in `source` names.

        Raises:
            CameraLost: It has no video, or FFmpeg cannot decode it.
            FFmpegError: FFmpeg cannot open it.
        """
        av.logging.set_level(None)  # its messages may contain addresses with passwords
        self._container: InputContainer = av.open(
            source,
            "r",
            options={**_LIMITS, **options},
            timeout=timeouts,
            metadata_errors="replace",
            io_open=io_open,
        )
        stream = self._container.streams.best("video")
        if stream is None or not isinstance(stream, av.VideoStream):
            self._container.close()
            raise CameraLost("it has no video track")
        stream.thread_type = "AUTO"
        self._packets: Iterator[Packet] = self._container.demux(stream)
        self._frames: deque[VideoFrame] = deque()
        self._frame: VideoFrame | None = None
        self._reformatter = VideoReformatter()
        self._keys_read = 0  # key frames that entered the decoder
        self._keys_seen = 0  # key frames that left the decoder
        self._intact_after = 0  # frames are intact once so many key frames have left the decoder
        self._damage: _Damage | None = None  # it has entered the decoder, but not left it
        self._damaged_before = False  # the packet before was damaged

    @property
    def intact(self) -> bool:
        """Whether the grabbed frame is free of damage, as far as the decoder can tell."""
        return self._keys_seen >= self._intact_after

    def grab(self) -> bool:
        """Advance to the next frame; False at the end of the stream.

        Raises:
            FFmpegError: The stream cannot be read, or not within the timeout.
            OSError: The file object could not be read.
        """
        while not self._frames:
            packet = next(self._packets, None)
            if packet is None:
                return False
            self._decode(packet)
        frame = self._frame = self._frames.popleft()
        if frame.key_frame and frame.pict_type == PictureType.I:
            self._keys_seen += 1
        if self._damage is not None and self._damage.reaches(frame):
            self._intact_after = max(self._intact_after, self._damage.intact_after)
            self._damage = None
        if frame.is_corrupt:
            self._intact_after = max(self._intact_after, self._keys_seen + 1)
        return True

    def retrieve(self) -> Pixels:
        """Return the grabbed frame as BGR `[height, width, 3]`, turned as the video says.

        Raises:
            UnusableImage: Its size is beyond the limits.
            FFmpegError: It cannot be converted.
        """
        assert self._frame is not None  # noqa: S101  `grab` returned True
        pixels = self._reformatter.reformat(self._frame, format="bgr24").to_ndarray()
        turns = round(self._frame.rotation / _QUARTER_TURN) % 4
        return checked(np.rot90(pixels, turns) if turns else pixels)

    def close(self) -> None:
        """Release the connection or file."""
        self._container.close()

    def _decode(self, packet: Packet) -> None:
        self._keys_read += packet.is_keyframe
        try:
            self._frames.extend(frame for frame in packet.decode() if isinstance(frame, VideoFrame))
        except (FFmpegError, EOFError):
            damaged = packet.dts is not None  # the last packet of a stream is empty
        else:
            damaged = packet.is_corrupt
        # FFmpeg's parser may mark the packet before the damaged one.
        if damaged or (self._damaged_before and packet.is_keyframe):
            since = packet.dts if self._damage is None else self._damage.since
            self._damage = _Damage(since, self._keys_read + 1)
        self._damaged_before = damaged
