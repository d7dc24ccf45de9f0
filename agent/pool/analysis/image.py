"""An image of a pool as a frame: decoded through the one reader, its own JPEG kept."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from agent.camera.images.camera_image import decode_camera_image
from agent.camera.images.folder import stated_time
from agent.camera.images.header import read_header
from agent.camera.masked import MaskedSource
from agent.camera.masks import CameraMask
from agent.domain import Frame
from agent.pool.items import PoolItem
from agent.system import uuid7

STATED = "stated"
"""The clock of images that state their time; those of one camera can be compared."""

_CHANCE_BYTES = 10


@dataclass(frozen=True, slots=True)
class PoolImage:
    """A decoded image of a pool."""

    frame: Frame
    id: str
    """Of the capture that it becomes. Its content alone decides it: copies of an image are one."""
    is_timed: bool  # the image states when it was taken
    jpeg_sha256: str  # hex digest of `frame.jpeg` where that is the file unchanged; else empty

    @property
    def boot(self) -> str:
        """Name the clock of its time; an image without one has a clock of its own."""
        return STATED if self.is_timed else self.id


def pool_image(item: PoolItem, data: bytes, masks: Sequence[CameraMask] = ()) -> PoolImage:
    """Decode an image, with `masks` painted over; raises `UnusableImage`.

    Its time is that of its EXIF, else that in its name, else 0. The time at which the file was
    written says nothing: most are copies.
    """
    image = decode_camera_image(data)
    taken_at = read_header(data).taken_at
    stated = stated_time(PurePosixPath(item.key).name) if taken_at is None else taken_at
    at = max(0.0, stated or 0.0)
    frame = Frame(
        camera=item.camera,
        sequence=0,
        pixels=image.pixels,
        at=at,
        captured_at=at,
        monotonic_ns=int(at * 1e9),
        jpeg=image.jpeg,
    )
    digest = hashlib.sha256(data)
    return PoolImage(
        masked(frame, masks),
        _id(digest.digest(), taken_at or 0.0),
        stated is not None,
        digest.hexdigest() if image.jpeg is data else "",
    )


def masked(frame: Frame, masks: Sequence[CameraMask]) -> Frame:
    """Return a frame with the masks painted over."""
    if not masks:
        return frame
    found = MaskedSource(_OneFrame(frame), masks).read()
    assert found is not None  # noqa: S101 (there is one frame)
    return found


def content_id(content: bytes, at: float) -> str:
    """Return the id of a capture by its content; `at` is in seconds since 1970."""
    return _id(hashlib.sha256(content).digest(), at)


def _id(digest: bytes, at: float) -> str:
    return uuid7(at, int.from_bytes(digest[:_CHANCE_BYTES]))


class _OneFrame:
    """A source of one frame."""

    live = False
    unreadable = 0
    passed_over = ""
    progress_at = 0.0

    def __init__(self, frame: Frame) -> None:
        self._frame: Frame | None = frame

    def read(self) -> Frame | None:
        frame, self._frame = self._frame, None
        return frame

    def close(self) -> None:
        self._frame = None
