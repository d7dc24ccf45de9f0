"""Video files and folders of images as frame sources; they return every due frame."""

import os
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from av.error import FFmpegError

from agent.camera.address import CameraAddress
from agent.camera.images.file import ImageDecoder
from agent.camera.images.folder import (
    FOLDER_FPS,
    IMAGE_SUFFIXES,
    ImageFolder,
    counted,
    image_folder,
)
from agent.camera.schedule import FrameSchedule, RecordingClock
from agent.camera.video.decoder import FORMATS, Video
from agent.domain import Frame, Pixels
from agent.errors import CameraLost, UnusableImage
from agent.files import open_regular
from agent.ports import Clock
from agent.printable import printable

_MOVING_SUFFIXES = frozenset({".gif"})  # FFmpeg plays animations

UNKNOWN = -1.0
"""The position of a frame without a time stamp, for `RecordingClock`."""

_OPTIONS = {
    "format_whitelist": f"{FORMATS},dv,gif,apng,yuv4mpegpipe,nut,mxf,mp3,flac,wav,aac,caf,amr",
}
"""Options of FFmpeg for a file. Audio is opened only to be refused by its name."""


class RecordingTime:
    """The clock of a recording: it starts in 1970, because the recording time is unknown."""

    def monotonic(self) -> float:
        """Return 0: nothing is measured with it."""
        return 0.0

    def wall(self) -> float:
        """Return 0: each frame gets its position instead."""
        return 0.0


@dataclass(frozen=True, slots=True)
class _DecodedFrame:
    index: int
    at: float
    pixels: Pixels


class Recording:
    """A video file, or a folder of images in natural order (frame2 before frame10).

    A video is reduced to `fps` on its own clock: the first frame at or after each k/fps from the
    first frame; every frame for an fps of 0. Other frames are skipped without decoding.

    Every image of a folder is returned, at the time that EXIF, its name or its file states, see
    `ImageFolder.clock`; images without a time are 1/fps apart, 1/5 s for an fps of 0.

    A frame that cannot be decoded, or that shows the damage of missing data, is skipped, and
    counted in `unreadable`.

    Nothing here sleeps: the caller sets the rate. After the end, `read` returns None until `close`;
    then it starts again from the first frame.
    """

    live = False
    progress_at = 0.0  # each `read` is one step

    def __init__(self, address: CameraAddress, *, fps: float, clock: Clock) -> None:
        self._address = address
        self._path = Path(address.source).absolute()  # FFmpeg reads "a:b" as protocol a
        self._fps = fps
        self._clock = clock
        self._frames: Generator[_DecodedFrame, None, None] | None = None
        self._sequence = 0
        self.unreadable = 0
        """The number of skipped frames since this object was made."""
        self.why_unreadable = ""
        """Why the first of them was skipped: `7.jpg: cannot use the image: ...`."""
        self.passed_over = ""
        """What the folder contains besides images, such as `2 .heic, 1 folder`."""

    def read(self) -> Frame | None:
        """Return the next due frame, or None at the end.

        Raises:
            CameraLost: The recording cannot be opened, or none of its frames can be read.
        """
        if self._frames is None:
            self._frames = self._open()
        decoded = next(self._frames, None)
        if decoded is None:
            return None
        frame = Frame(
            camera=self._address.name,
            sequence=self._sequence,
            pixels=decoded.pixels,
            at=decoded.at,
            captured_at=self._clock.wall(),
            monotonic_ns=int(self._clock.monotonic() * 1e9),
            source_frame=decoded.index,
            stream=self._path.name or str(self._path),
        )
        self._sequence += 1
        return frame

    def close(self) -> None:
        """Release the file; the next `read` starts at the first frame."""
        if self._frames is not None:
            self._frames.close()
            self._frames = None

    def _open(self) -> Generator[_DecodedFrame, None, None]:
        try:
            source = open_recording(self._path)
        except CameraLost as exc:
            raise self._lost(str(exc)) from exc.__cause__
        if isinstance(source, VideoFile):
            return self._video(source)
        self.passed_over = counted(source.passed_over)
        return self._images(source)

    def _video(self, video: Video) -> Generator[_DecodedFrame, None, None]:
        schedule = FrameSchedule(self._fps)
        clock = RecordingClock(video.rate)
        index, found = -1, False
        try:
            while _grab(video):
                index += 1
                at = clock.position(UNKNOWN if video.position is None else video.position)
                if not schedule.due(at):
                    continue
                try:
                    pixels = _intact(video)
                except UnusableImage as exc:
                    self._skip(f"frame {index}: {exc}")
                    continue
                schedule.take(at)
                found = True
                yield _DecodedFrame(index, at, pixels)
            if not found:
                raise self._lost(
                    "no frame of the video can be decoded. Copy it again if it is incomplete, or "
                    "convert it to H.264"
                )
        finally:
            video.close()

    def _images(self, folder: ImageFolder) -> Generator[_DecodedFrame, None, None]:
        clock = folder.clock(1.0 / (self._fps or FOLDER_FPS))
        decoder, found = ImageDecoder(), False
        for index, image in enumerate(folder.images):
            try:
                decoded = decoder.read(image)
            except (UnusableImage, OSError) as exc:
                clock.at(None)
                self._skip(f"{printable(image.name)}: {printable(exc)}")
                continue
            found = True
            yield _DecodedFrame(index, clock.at(decoded.header.taken_at), decoded.pixels)
        if not found:
            count, why = len(folder.images), self.why_unreadable
            raise self._lost(f"none of its {count} images can be read, {why}" if count > 1 else why)

    def _skip(self, why: str) -> None:
        self.unreadable += 1
        self.why_unreadable = self.why_unreadable or why

    def _lost(self, why: str) -> CameraLost:
        return CameraLost(f"cannot read recording {self._address.shown}: {why}")


def open_recording(path: Path) -> "VideoFile | ImageFolder":
    """Open a video file, a folder with images, or one image.

    Raises:
        CameraLost: It cannot be read, is neither of them, or contains none; the message is only
            the reason.
    """
    try:
        if path.is_dir():
            folder = image_folder(path)
            if not folder.images:
                raise CameraLost(folder.why_empty())
            return folder
        file = os.fdopen(open_regular(path), "rb")
    except FileNotFoundError:
        raise CameraLost(
            "not found. Check the path; a path without a leading / is relative to "
            f"{os.fspath(Path.cwd())}, and the address of a camera on the network begins with "
            "rtsp:// or http://, that of an application's frames is push:"
        ) from None
    except PermissionError:
        raise CameraLost("permission denied. Make it readable for the agent's user") from None
    except OSError as exc:
        raise CameraLost(exc.strerror or "it cannot be read") from exc
    except ValueError as exc:
        raise CameraLost(f"it is neither a file nor a folder: {exc}") from None
    if path.suffix.lower() in set(IMAGE_SUFFIXES) - _MOVING_SUFFIXES:
        file.close()
        return ImageFolder(path, (path,), {})
    if not os.fstat(file.fileno()).st_size:
        file.close()
        raise CameraLost("the file is empty (0 bytes). Copy it again")
    return VideoFile(file)


class VideoFile(Video):
    """A video in an open file, which it owns."""

    def __init__(self, file: BinaryIO) -> None:
        """Open the video; on an error the file is closed.

        Raises:
            CameraLost: FFmpeg finds no video in it, or its frames are too large.
        """
        self._file = file
        with ExitStack() as undo:
            undo.enter_context(file)
            try:
                super().__init__(file, options=_OPTIONS, live=False)
            except FFmpegError as exc:
                raise CameraLost(
                    "FFmpeg finds no video in it. Use a video file (.mp4, .mkv, .avi, ...) or a "
                    "folder of images; the file may also be an incomplete copy"
                ) from exc
            undo.pop_all()

    def close(self) -> None:
        """Release the decoder and the file."""
        super().close()
        self._file.close()


def _grab(video: Video) -> bool:
    try:
        return video.grab()
    except (FFmpegError, OSError):  # a file that is cut off ends here
        return False


def _intact(video: Video) -> Pixels:
    """Return the grabbed frame; raises `UnusableImage`."""
    if not video.intact:
        raise UnusableImage("data is missing; it would show the damage up to the next key frame")
    try:
        return video.retrieve()
    except (FFmpegError, ValueError) as exc:
        raise UnusableImage(f"it cannot be converted ({printable(exc)})") from exc
