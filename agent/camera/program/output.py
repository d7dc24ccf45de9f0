"""Cuts what a program writes into frames, and says what it is if it is none. Pure."""

import re
from collections.abc import Iterator
from typing import Protocol

from agent.camera.images.own_jpeg import BEGIN, MOST_BYTES
from agent.printable import printable

MOST_FOREIGN = 65_536
"""Bytes between two images, such as the header of a multipart stream, or a line of text."""

_BEGINNING = 256  # bytes that are kept to say what they are
_JPEG = BEGIN + b"\xff"
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_SCAN, _END, _BEGIN = 0xDA, 0xD9, 0xD8
_LOWEST_SEGMENT = 0xC0  # lower markers are not in use
_RESTARTS = range(0xD0, 0xD8)
_TEXT = bytes([*range(0x20, 0x7F), *b"\t\r\n"])
_TEXT_MAX = 80
_I420_BYTES = 1.5  # of a pixel
_MJPEG_FIX = (
    "Let it write MJPEG: rpicam-vid --codec mjpeg, ffmpeg -c:v mjpeg -f mjpeg, "
    "gst-launch-1.0 -q ... ! jpegenc ! fdsink"
)
_I420_FIX = "Write ?format=i420&size=WIDTHxHEIGHT behind the command if it writes raw I420"
_H264_START = re.compile(rb"\x00{2,3}\x01[^\xb0-\xff]")
_TS_PACKET = 188


class NotFrames(Exception):
    """What the program writes is not what was expected; the message says what it is."""


class FrameCutter(Protocol):
    """Cuts a stream of bytes into frames."""

    def feed(self, data: bytes) -> Iterator[bytes | None]:
        """Take bytes; yield each frame that is complete with them, None for a damaged one.

        Raises:
            NotFrames: They are something else.
        """

    def rest(self) -> str:
        """Return what was written after the last frame, in words; empty if nothing."""


class JpegCutter:
    """Cuts out JPEG files that follow each other, also as the parts of a multipart stream.

    The segments of each file are followed to its end: metadata may contain another image. Memory is
    bounded: `MOST_BYTES` for an image, `MOST_FOREIGN` between two.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._at = 0  # in the buffer: where the next segment begins, or the scan goes on
        self._inside = False  # an image
        self._scanning = False  # its compressed data
        self._damaged = False
        self._foreign = bytearray()  # the beginning of what stands between two images
        self._skipped = 0  # bytes of that

    def feed(self, data: bytes) -> Iterator[bytes | None]:
        """See `FrameCutter`."""
        self._buffer += data
        while True:
            if not self._inside and not self._find_begin():
                return
            end = self._find_end()
            if end is None:
                if len(self._buffer) > MOST_BYTES:
                    raise NotFrames(
                        f"it writes an image of more than {MOST_BYTES // 1_000_000} MB, or one "
                        "without an end"
                    )
                return
            yield None if self._damaged else bytes(self._buffer[:end])
            del self._buffer[:end]
            self._inside = self._scanning = self._damaged = False

    def rest(self) -> str:
        """See `FrameCutter`."""
        if self._inside:
            return f"{len(self._buffer)} bytes of an image without its end"
        foreign = bytes(self._foreign + self._buffer)[:_BEGINNING]
        return kind_of(foreign) if foreign.strip(b"\0\r\n") else ""

    def _find_begin(self) -> bool:
        """Drop what is before the next image; return whether there is one."""
        at = self._buffer.find(_JPEG)
        skipped = at if at >= 0 else max(0, len(self._buffer) - len(_JPEG) + 1)
        self._foreign += self._buffer[: min(skipped, _BEGINNING - len(self._foreign))]
        self._skipped += skipped
        del self._buffer[:skipped]
        is_known_video = at < 0 and _video_kind(bytes(self._foreign))
        if is_known_video or self._skipped > MOST_FOREIGN:
            raise NotFrames(f"it writes {kind_of(bytes(self._foreign))}")
        if at < 0:
            return False
        self._inside, self._at, self._skipped = True, len(BEGIN), 0
        self._foreign.clear()
        return True

    def _find_end(self) -> int | None:
        """Return where the image ends, None if its end has not come; follow the segments."""
        buffer = self._buffer
        while True:
            if self._scanning and not self._skip_scan():
                return None
            if len(buffer) < self._at + 2:
                return None
            marker = buffer[self._at + 1]
            if buffer[self._at] != 0xFF:  # noqa: PLR2004 (a marker's first byte)
                self._damaged = self._scanning = True  # go on at the next marker
            elif marker == 0xFF:  # noqa: PLR2004 (a fill byte)
                self._at += 1
            elif marker == _END:
                return self._at + 2
            elif marker == _BEGIN:  # the end of the image before is missing
                self._damaged = True
                return self._at
            elif marker < _LOWEST_SEGMENT or marker in _RESTARTS:
                self._damaged = self._scanning = True
                self._at += 2
            else:
                if len(buffer) < self._at + 4:
                    return None
                self._scanning = marker == _SCAN
                self._at += 2 + max(2, int.from_bytes(buffer[self._at + 2 : self._at + 4]))

    def _skip_scan(self) -> bool:
        """Go to the next marker behind compressed data; return whether there is one."""
        found = _MARKER.search(self._buffer, self._at)
        if found is None:
            self._at = max(self._at, len(self._buffer) - 1)  # a marker may begin with the last byte
            return False
        self._at, self._scanning = found.start(), False
        return True


class RawCutter:
    """Cuts out frames of one size in bytes."""

    def __init__(self, width: int, height: int) -> None:
        """`width` and `height`: of I420 frames in pixels, even numbers."""
        self._size = i420_bytes(width, height)
        self._shown = f"{width}x{height}"
        self._buffer = bytearray()
        self._checked = False

    def feed(self, data: bytes) -> Iterator[bytes | None]:
        """See `FrameCutter`."""
        self._buffer += data
        if not self._checked and len(self._buffer) >= min(_BEGINNING, self._size):
            self._checked = True
            kind = _file_kind(bytes(self._buffer[:_BEGINNING]))
            if kind:
                raise NotFrames(f"it writes {kind}, not raw I420. {_raw_fix(kind)}")
        while len(self._buffer) >= self._size:
            yield bytes(self._buffer[: self._size])
            del self._buffer[: self._size]

    def rest(self) -> str:
        """See `FrameCutter`."""
        if not self._buffer:
            return ""
        return (
            f"{len(self._buffer)} bytes of a frame; one of {self._shown} has {self._size}: check "
            "that size and format are those of the program"
        )


def i420_bytes(width: int, height: int) -> int:
    """Return the bytes of a frame; `width` and `height` in pixels are even."""
    return int(width * height * _I420_BYTES)


def kind_of(beginning: bytes) -> str:
    """Say what bytes are that are no JPEG, and how to fix it."""
    video = _video_kind(beginning)
    if video:
        return f"{video}. {_MJPEG_FIX}"
    text = beginning.strip()[:_TEXT_MAX]
    if text and not text.translate(None, delete=_TEXT):
        return (
            f"text: '{printable(text.decode('ascii'))}'. Let it write the video alone to standard "
            "output, and text to standard error: gst-launch-1.0 needs -q"
        )
    shown = beginning[:8].hex(" ")
    return f"neither JPEG nor a known video; it begins with {shown}. {_MJPEG_FIX}. {_I420_FIX}"


def _raw_fix(kind: str) -> str:
    if kind == "JPEG":
        return "Leave format=i420 and the size away"
    return "Let it write raw I420: ffmpeg -f rawvideo -pix_fmt yuv420p, rpicam-vid --codec yuv420"


def _file_kind(beginning: bytes) -> str:
    if beginning.startswith(_JPEG):
        return "JPEG"
    if beginning.startswith(b"Setting pipeline"):
        return "the text of gst-launch-1.0, which needs -q"
    return _video_kind(beginning)


def _video_kind(data: bytes) -> str:
    """Return the name of a known format; empty if it is none."""
    found = next((name for at, magic, name in _MAGIC if data[at:].startswith(magic)), "")
    if found:
        return found
    if len(data) > _TS_PACKET and data[0] == data[_TS_PACKET] == ord("G"):
        return "an MPEG transport stream"
    return "H.264 or H.265" if _H264_START.match(data) else ""


_MAGIC = (
    (4, b"ftyp", "MP4"),
    (4, b"moov", "MP4"),
    (0, b"\x1aE\xdf\xa3", "Matroska or WebM"),
    (0, b"YUV4MPEG2 ", "YUV4MPEG, which is I420 with headers"),
    (0, b"FLV\x01", "Flash video"),
    (0, b"OggS", "Ogg"),
    (0, b"DKIF", "IVF"),
    (0, b"\x00\x00\x01\xba", "an MPEG program stream"),
    (0, b"\x89PNG", "PNG images"),
    (0, b"GIF8", "GIF"),
    (0, b"RIFF", "AVI or WebP"),
)
