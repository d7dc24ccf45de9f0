"""Encodes frames as JPEG, or keeps the camera's own."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import cv2
import numpy as np

from agent.domain import (
    EncodedBy,
    EncodedImage,
    Frame,
    HiddenPart,
    Observation,
    Pixels,
    Suspect,
)
from agent.record.jpeg_header import is_complete_jpeg
from agent.record.pixelate import pixelated
from agent.record.redacted import redacted_parts

LONGEST_SIDE = 65500  # pixels, the limit of libjpeg; images in a folder may be larger

LARGEST_OWN = 32_000_000
"""Bytes up to which the camera's own JPEG is kept: more cannot be sent in time."""


class JpegEncoder:
    """Makes the images that are stored, sent or shown; no image leaves in another way.

    An image is shrunk so that no side is longer than `max_side`. `quality` is 1 to 100; `max_side`
    is in pixels, 0 = no limit. Places of the labels in `redact` are pixelated.

    The JPEG that a frame has, mostly the camera's own, is kept, byte for byte, where the image
    would show the same: nothing is hidden in it, and it is not shrunk. So `quality` is that of the
    images that are encoded here.
    """

    def __init__(self, *, quality: int, max_side: int = 0, redact: Collection[str] = ()) -> None:
        self._parameters = [cv2.IMWRITE_JPEG_QUALITY, quality]
        self._max_side = min(max_side or LONGEST_SIDE, LONGEST_SIDE)
        self._redact = frozenset(redact)

    def encode(self, observation: Observation, suspects: Sequence[Suspect] = ()) -> EncodedImage:
        """Encode the frame of an observation; the frame's pixels stay as they are.

        An observation whose frame the model did not analyse must be `invalid`: with `redact` its
        whole image is pixelated then.
        """
        frame = observation.frame
        height, width = frame.pixels.shape[:2]
        redacted = redacted_parts(observation, self._redact, suspects)
        is_shrunk = self._max_side < max(height, width)
        if not redacted and not is_shrunk and (own := _own_jpeg(frame)) is not None:
            return EncodedImage(
                own, width, height, encoded_by=frame.encoded_by, hidden=_masked(frame)
            )
        return self._encoded(self._prepared(frame, redacted), frame, redacted)

    def described(self, observation: Observation, suspects: Sequence[Suspect] = ()) -> EncodedImage:
        """Return what `encode` would, without the bytes, and without encoding anything."""
        frame = observation.frame
        height, width = frame.pixels.shape[:2]
        hidden = _hidden(frame, redacted_parts(observation, self._redact, suspects))
        return EncodedImage(b"", *self._stored_size(width, height), hidden=hidden)

    def drawn(
        self, observation: Observation, draw: Callable[[Pixels, EncodedImage], None]
    ) -> EncodedImage:
        """Encode the frame with a drawing on it, for a person to look at: never a stored image.

        `draw` changes the pixels that it gets: a copy, as large as the image will be. The image
        that it gets has no bytes yet.
        """
        frame = observation.frame
        redacted = redacted_parts(observation, self._redact)
        pixels = self._prepared(frame, redacted)
        if pixels is frame.pixels:
            pixels = pixels.copy()
        height, width = pixels.shape[:2]
        draw(pixels, EncodedImage(b"", width, height, hidden=_hidden(frame, redacted)))
        return self._encoded(pixels, frame, redacted)

    def _stored_size(self, width: int, height: int) -> tuple[int, int]:
        """Return width and height of the stored image of a frame of this size."""
        scale = self._max_side / max(height, width)
        if scale >= 1:
            return width, height
        return max(1, round(width * scale)), max(1, round(height * scale))

    def _prepared(self, frame: Frame, redacted: tuple[HiddenPart, ...]) -> Pixels:
        """Return the pixels as they may be seen, shrunk; the frame's own where nothing is done."""
        pixels = pixelated(frame.pixels, redacted) if redacted else frame.pixels
        height, width = pixels.shape[:2]
        size = self._stored_size(width, height)
        if size == (width, height):
            return pixels
        return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)

    def _encoded(
        self, pixels: Pixels, frame: Frame, redacted: tuple[HiddenPart, ...]
    ) -> EncodedImage:
        _, data = cv2.imencode(".jpg", pixels, self._parameters)
        height, width = pixels.shape[:2]
        return EncodedImage(data.tobytes(), width, height, hidden=_hidden(frame, redacted))


def faithful_jpeg(frame: Frame, *, quality: int) -> bytes:
    """Return a JPEG of the whole frame; empty if it is too large for one.

    It stays in memory as `Frame.jpeg`, and is neither stored nor shown but by `JpegEncoder`, which
    hides what must not be seen.
    """
    if max(frame.pixels.shape[:2]) > LONGEST_SIDE:
        return b""
    _, data = cv2.imencode(".jpg", frame.pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()


def pixels_of(jpeg: bytes) -> Pixels | None:
    """Return the pixels of a JPEG, turned as they are stored; None if it cannot be decoded."""
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        decoded: Any = cv2.imdecode(np.frombuffer(jpeg, np.uint8), flags)
    except cv2.error:  # of no bytes, or of more pixels than OpenCV reads
        return None
    return None if decoded is None else np.asarray(decoded, np.uint8)


def _hidden(frame: Frame, redacted: tuple[HiddenPart, ...]) -> tuple[HiddenPart, ...]:
    return _masked(frame) + redacted


def _masked(frame: Frame) -> tuple[HiddenPart, ...]:
    return tuple(HiddenPart(polygon=polygon) for polygon in frame.masks)


def _own_jpeg(frame: Frame) -> bytes | None:
    """Return the frame's JPEG if it is whole, of the frame's size, and shown by every reader.

    A camera knows nothing of the masks.
    """
    own = frame.jpeg
    is_unmasked = frame.masks and frame.encoded_by is not EncodedBy.AGENT
    if own is None or is_unmasked or len(own) > LARGEST_OWN:
        return None
    height, width = frame.pixels.shape[:2]
    return own if is_complete_jpeg(own, width, height) else None
