"""Video files and folders of images as frame sources; they return every due frame."""

import os
import re
import stat
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import cv2

from agent.camera.address import CameraAddress
from agent.camera.image_file import ImageDecoder
from agent.camera.opencv import as_bgr, grab, prepare, retrieve
from agent.camera.schedule import FrameSchedule, RecordingClock
from agent.domain import Frame, Pixels
from agent.errors import CameraLost, UnusableImage
from agent.ports import Clock

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
FOLDER_FPS = 5.0
"""The rate of a folder if every frame is requested."""

_FFMPEG_TEXT = int.from_bytes(b"ansi", "little")  # the codec with which FFmpeg plays text files


@dataclass(frozen=True, slots=True)
class _DecodedFrame:
    index: int
    at: float
    pixels: Pixels


class Recording:
    """A video file, or a folder of images in natural order (frame2 before frame10).

    A video is reduced to `fps` on its own clock: the first frame at or after each k/fps from the
    first frame; every frame for an fps of 0. Other frames are skipped without decoding.

    A folder has no clock: its images are 1/fps apart, 1/5 s for an fps of 0, and every image is
    returned.

    An image that cannot be decoded is skipped, and counted in `unreadable`.

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
        """The number of skipped images since this object was made."""

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
            status = self._path.stat()
            if stat.S_ISDIR(status.st_mode):
                return self._folder(images_of(self._path))
            if not stat.S_ISREG(status.st_mode):
                raise self._lost("it is neither a file nor a folder")
            self._path.open("rb").close()  # OpenCV does not report why it cannot open a file
        except FileNotFoundError:
            raise self._lost(
                "not found. Check the path; a path without a leading / is relative to "
                f"{os.fspath(Path.cwd())}"
            ) from None
        except PermissionError:
            raise self._lost("permission denied. Make it readable for the agent's user") from None
        except OSError as exc:
            raise self._lost(exc.strerror or "it cannot be read") from exc
        if not status.st_size:
            raise self._lost("the file is empty (0 bytes). Copy it again")
        return self._video()

    def _video(self) -> Generator[_DecodedFrame, None, None]:
        prepare()
        capture = cv2.VideoCapture(os.fspath(self._path), cv2.CAP_FFMPEG)
        try:
            if not capture.isOpened() or int(capture.get(cv2.CAP_PROP_FOURCC)) == _FFMPEG_TEXT:
                raise self._lost(
                    "FFmpeg finds no video in it. Use a video file (.mp4, .mkv, .avi, ...) or a "
                    "folder of images; the file may also be an incomplete copy"
                )
            schedule = FrameSchedule(self._fps)
            clock = RecordingClock(capture.get(cv2.CAP_PROP_FPS))
            index, found = -1, False
            while grab(capture):
                index += 1
                at = clock.position(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0)
                if not schedule.due(at):
                    continue
                pixels = retrieve(capture)
                if pixels is None:
                    self.unreadable += 1
                    continue
                schedule.take(at)
                found = True
                yield _DecodedFrame(index, at, as_bgr(pixels))
            if not found:
                raise self._lost("no frame of the video can be decoded. Convert it to H.264")
        finally:
            capture.release()

    def _folder(self, images: list[Path]) -> Generator[_DecodedFrame, None, None]:
        if not images:
            raise self._lost(
                f"no images in the folder. Supported are {' '.join(sorted(IMAGE_SUFFIXES))}"
            )
        prepare()
        step = 1.0 / (self._fps or FOLDER_FPS)
        decoder, found = ImageDecoder(), False
        for index, image in enumerate(images):
            try:
                pixels = decoder.read(image).pixels
            except (UnusableImage, OSError):
                self.unreadable += 1
                continue
            found = True
            yield _DecodedFrame(index, index * step, pixels)
        if not found:
            raise self._lost(f"none of its {len(images)} images can be read")

    def _lost(self, why: str) -> CameraLost:
        return CameraLost(f"cannot read recording {self._address.shown}: {why}")


def images_of(folder: Path) -> list[Path]:
    """List the images of `folder` in natural order, without hidden files."""
    images = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not path.name.startswith(".")
        and not path.is_dir()
    ]
    return sorted(images, key=_natural_order)


def _natural_order(path: Path) -> tuple[list[str | int], str]:
    """Return a sort key that compares numbers in names by value; the name decides ties."""
    pieces: list[str | int] = list(re.split(r"([0-9]+)", path.name.casefold()))
    pieces[1::2] = [int(piece) for piece in pieces[1::2]]  # every second piece is a number
    return pieces, path.name
