"""Video decoded by FFmpeg: frames of one track, at their own size, and which of them are intact."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import VideoReformatter

from agent.camera.frame_checks import check_size, checked
from agent.camera.images.file import ImageDecoder, on_background
from agent.camera.source_options import MAX_PIXELS
from agent.camera.video.h264_frame_numbers import FrameNumbers
from agent.domain import Pixels
from agent.errors import CameraLost, UnusableImage

FORMATS = "mpegts,mpeg,mov,matroska,flv,avi,ogg,asf,mjpeg,mpjpeg,h264,hevc,m4v,ivf,obu,rm"
"""FFmpeg's containers that hold their own frames.

The others (hls, dash, concat, sdp, imf, image2, ...) open addresses that they find in the data.
"""

_LIMITS = {"max_pixels": str(MAX_PIXELS)}  # of each decoder
NO_DECODER = {"codec_whitelist": "none"}
"""Lets FFmpeg decode nothing while it opens: its own decoder knows no limit of size."""

_MOST_TRACKS = 64
_MARKED_BEFORE_JOIN = 2  # packets
_QUARTER_TURN = 90
_AVC_CONFIGURATION = b"\x01"
"""Begins the header of H.264 in files such as MP4: lengths instead of start codes."""
_STILL_CODECS = frozenset({"mjpeg", "png", "bmp", "gif", "tiff", "webp"})
"""Codecs of images. A track of them is the video only if there is no other."""

_GREY = np.newaxis
_RGB, _RGBA = (2, 1, 0), (2, 1, 0, 3)
_DEEP: Mapping[str, Any] = {
    **dict.fromkeys(("gray16le", "gray16be"), _GREY),
    **dict.fromkeys(("rgb48le", "rgb48be", "gbrp16le", "gbrp16be"), _RGB),
    **dict.fromkeys(("rgba64le", "rgba64be", "gbrap16le", "gbrap16be"), _RGBA),
}
"""Formats of 16 bits, of which cameras use fewer, and what selects their channels as BGR.

In the others (`gray12le`, `yuv420p10le`) the name says the depth, and FFmpeg scales by it.
"""

IoOpen = Callable[[str, int, Mapping[str, str]], BinaryIO]
"""Opens the file of an address that a playlist names: `(address, flags, options)`."""


if TYPE_CHECKING:
    Packet = av.Packet[av.VideoStream]
else:  # generic in its type stubs only
    Packet = av.Packet


@dataclass(slots=True)
class _MarkedPacket:
    packet: Packet
    corrupt: bool  # some of its data is missing


@dataclass(frozen=True, slots=True)
class _Damage:
    since: int | None  # decoding time of the first damaged packet, by the track; None if unknown
    intact_after: int  # key frames that must have left the decoder before frames are intact again

    def reaches(self, frame: VideoFrame) -> bool:
        """Whether `frame` may show it: no frame is shown before the packets that it needs."""
        return self.since is None or frame.pts is None or frame.pts >= self.since


def video_track(container: InputContainer) -> av.VideoStream:
    """Return the video of a file or stream: no cover image, and no thumbnail beside a video.

    Of several videos FFmpeg's choice is taken: the default track, then the one with more frames.

    Raises:
        CameraLost: There is none.
    """
    tracks = [
        track
        for track in container.streams.video
        if not track.disposition & Disposition.attached_pic
    ]
    if not tracks:
        if container.streams.video:
            raise CameraLost("it has only a cover image, and no video. Use a video file")
        raise CameraLost("it has no video track")
    tracks = [track for track in tracks if track.codec_context is not None]
    if not tracks:
        raise CameraLost("FFmpeg does not decode its video. Convert it to H.264")
    videos = [track for track in tracks if track.codec_context.name not in _STILL_CODECS]
    best = container.streams.best("video")
    return next((track for track in videos if track == best), (videos or tracks)[0])


def position_of(time: int | None, track: av.VideoStream) -> float | None:
    """Return a time stamp of `track` in seconds after its start; None if there is none."""
    if time is None or track.time_base is None:
        return None
    return float((time - (track.start_time or 0)) * track.time_base)


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
        live: bool = True,
    ) -> None:
        """Open `source`, an address of FFmpeg or a readable file object.

        Args:
            source: What to open.
            options: Options of FFmpeg's protocol and container.
            timeouts: Seconds for opening and for each read; None to wait without limit.
            io_open: Opens what a playlist in `source` names.
            live: Whether FFmpeg may decode frames while it opens, to know a stream sooner. It
                limits their size only if `source` is an address.

        Raises:
            CameraLost: It has no video, or its frames are too large.
            FFmpegError: FFmpeg cannot open it.
        """
        av.logging.set_level(None)  # its messages may contain addresses with passwords
        limits = [_LIMITS] * _MOST_TRACKS if live and isinstance(source, str) else None
        self._container: InputContainer = av.open(
            source,
            "r",
            options={**options, **({} if live else NO_DECODER)},
            stream_options=cast("list[str]", limits),  # its stub is wrong
            timeout=timeouts,
            metadata_errors="replace",
            io_open=io_open,
        )
        try:
            stream = self._stream = video_track(self._container)
            codec = stream.codec_context
            if codec.width or codec.height:
                check_size(codec.width, codec.height)
        except UnusableImage as exc:
            self._container.close()
            raise CameraLost(str(exc)) from exc
        except CameraLost:
            self._container.close()
            raise
        codec.options = _LIMITS
        stream.thread_type = "AUTO"
        packets = _packets(self._container, stream)
        self._packets = _marked(packets) if live else _marked_with_joins(packets)
        self._frames: deque[VideoFrame] = deque()
        self._frame: VideoFrame | None = None
        self._reformatter = VideoReformatter()
        self._deep = ImageDecoder()
        self._keys_read = 0  # key frames that entered the decoder
        self._keys_seen = 0  # key frames that left the decoder
        self._intact_after = 0  # frames are intact once so many key frames have left the decoder
        self._damage: _Damage | None = None  # it has entered the decoder, but not left it
        self._damaged_before = False  # the packet before was damaged
        self._numbers = None
        header = codec.extradata or b""
        if codec.name == "h264" and not header.startswith(_AVC_CONFIGURATION):
            self._numbers = FrameNumbers()
            self._numbers.is_gap(header)

    @property
    def intact(self) -> bool:
        """Whether the grabbed frame is free of damage, as far as the decoder can tell."""
        return self._keys_seen >= self._intact_after

    @property
    def rate(self) -> float:
        """The nominal frames per second; 0 if unknown."""
        return float(self._stream.guessed_rate or 0)

    @property
    def position(self) -> float | None:
        """Seconds of the grabbed frame after the start of the track, as stated; None if not."""
        frame = self._frame
        return None if frame is None else position_of(frame.pts, self._stream)

    def grab(self) -> bool:
        """Advance to the next frame; False at the end of the stream.

        Raises:
            FFmpegError: The stream cannot be read, or not within the timeout.
            OSError: The file object could not be read.
        """
        while not self._frames:
            marked = next(self._packets, None)
            if marked is None:
                return False
            self._decode(marked)
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
        if (kind := self._frame.format.name) in _DEEP:
            pixels: Any = self._deep.bgr(self._frame.to_ndarray()[..., _DEEP[kind]])
        else:
            transparent = any(part.is_alpha for part in self._frame.format.components)
            layout = "bgra" if transparent else "bgr24"
            # One thread: to wake others for 0.5 ms of work costs more than they save.
            converted = self._reformatter.reformat(self._frame, format=layout, threads=1)
            pixels = converted.to_ndarray()
            pixels = on_background(pixels) if transparent else pixels
        turns = round(self._frame.rotation / _QUARTER_TURN) % 4
        return checked(np.rot90(pixels, turns) if turns else pixels)

    def stored_positions(self) -> Iterator[float | None]:
        """Read all packets without decoding: the position of each frame, in the order of storage.

        Ends where the file can no longer be read. Call nothing but `close` afterwards.
        """
        while True:
            try:
                marked = next(self._packets, None)
            except (FFmpegError, OSError):
                return
            if marked is None:
                return
            if marked.packet.size:  # the last one is empty
                yield position_of(marked.packet.pts, self._stream)

    def close(self) -> None:
        """Release the connection or file."""
        self._container.close()

    def _decode(self, marked: "_MarkedPacket") -> None:
        packet = marked.packet
        self._keys_read += packet.is_keyframe
        try:
            self._frames.extend(frame for frame in packet.decode() if isinstance(frame, VideoFrame))
        except (FFmpegError, EOFError):
            damaged = packet.dts is not None  # the last packet of a stream is empty
        else:
            damaged = marked.corrupt
        lost = self._numbers is not None and self._numbers.is_gap(bytes(packet))
        # FFmpeg's parser may mark the packet before the damaged one.
        if damaged or lost or (self._damaged_before and packet.is_keyframe):
            since = packet.dts if self._damage is None else self._damage.since
            self._damage = _Damage(since, self._keys_read + 1)
        self._damaged_before = damaged


def _packets(container: InputContainer, track: av.VideoStream) -> Iterator[Packet]:
    """Yield the packets of `track`; raises as `Video.grab`."""
    try:
        yield from container.demux(track)
    except IndexError as exc:
        raise OSError("a track begins in mid-stream, which PyAV does not support") from exc


def _marked(packets: Iterator[Packet]) -> Iterator[_MarkedPacket]:
    for packet in packets:
        yield _MarkedPacket(packet, packet.is_corrupt)


def _marked_with_joins(packets: Iterator[Packet]) -> Iterator[_MarkedPacket]:
    """Unmark the last packets of a part of a joined file: FFmpeg marks them, but all data is there.

    The next part begins with a key frame whose time is earlier than that of the frame before.
    """
    last: deque[_MarkedPacket] = deque()
    for packet in packets:
        if packet.is_keyframe and last and _is_earlier(packet, last[-1].packet):
            for each in last:
                each.corrupt = False
        last.append(_MarkedPacket(packet, packet.is_corrupt))
        if len(last) > _MARKED_BEFORE_JOIN:
            yield last.popleft()
    yield from last


def _is_earlier(packet: Packet, other: Packet) -> bool:
    return packet.dts is not None and other.dts is not None and packet.dts < other.dts
