"""The operations: what each does to the pixels, and where positions go.

Every operation keeps the size of the image, and the order of a variant's operations matters. The
part that the image does not cover becomes grey, as in the letterbox that trainers make themselves.
It is not filled with the mirrored image: objects near the edge would appear twice, the second time
without a label.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np

from agent.camera.images.file import BACKGROUND
from agent.dataset.synthesis.affine import Affine, Motion
from agent.domain import Pixels

_LEVELS = 256
_WHITE = 255.0


class Operation(Protocol):
    """One step from a parent to its variant."""

    def affine(self, width: int, height: int) -> Affine:
        """Return where positions of an image of this size go."""

    def apply(self, pixels: Pixels) -> Pixels:
        """Return the changed image `[height, width, 3]`; the given one stays as it is."""

    def facts(self) -> dict[str, Any]:
        """Return what the record says of it: `name`, and its numbers."""


@dataclass(frozen=True, slots=True)
class Flip:
    """Left and right change places."""

    def affine(self, width: int, height: int) -> Affine:
        """Mirror positions."""
        del height
        return Affine(x_scale=-1.0, x_offset=float(width))

    def apply(self, pixels: Pixels) -> Pixels:
        """Mirror pixels."""
        return np.asarray(cv2.flip(pixels, 1), np.uint8)

    def facts(self) -> dict[str, Any]:
        """Return its name."""
        return {"name": "flip"}


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of the image, enlarged to the size of the whole: objects become larger."""

    left: int  # pixels of the image
    top: int
    right: int
    bottom: int

    def affine(self, width: int, height: int) -> Affine:
        """Move and enlarge positions."""
        across, down = width / (self.right - self.left), height / (self.bottom - self.top)
        return Affine(across, -self.left * across, down, -self.top * down)

    def apply(self, pixels: Pixels) -> Pixels:
        """Cut out and enlarge."""
        height, width = pixels.shape[:2]
        part = pixels[self.top : self.bottom, self.left : self.right]
        return np.asarray(
            cv2.resize(part, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8
        )

    def facts(self) -> dict[str, Any]:
        """Return the part."""
        return {"name": "crop", "box": [self.left, self.top, self.right, self.bottom]}


@dataclass(frozen=True, slots=True)
class ZoomOut:
    """The whole image, made smaller, on grey: objects become smaller."""

    left: int  # where the image goes, in pixels
    top: int
    right: int
    bottom: int

    def affine(self, width: int, height: int) -> Affine:
        """Shrink and move positions."""
        across, down = (self.right - self.left) / width, (self.bottom - self.top) / height
        return Affine(across, float(self.left), down, float(self.top))

    def apply(self, pixels: Pixels) -> Pixels:
        """Shrink the image and put it on grey."""
        size = (self.right - self.left, self.bottom - self.top)
        made = np.full_like(pixels, BACKGROUND)
        made[self.top : self.bottom, self.left : self.right] = cv2.resize(
            pixels, size, interpolation=cv2.INTER_AREA
        )
        return made

    def facts(self) -> dict[str, Any]:
        """Return where the image is."""
        return {"name": "zoom_out", "box": [self.left, self.top, self.right, self.bottom]}


@dataclass(frozen=True, slots=True)
class Shift:
    """The image moved; what it leaves is grey, what it loses is cut off."""

    x: int  # pixels to the right
    y: int  # pixels down

    def affine(self, width: int, height: int) -> Affine:
        """Move positions."""
        del width, height
        return Affine(x_offset=float(self.x), y_offset=float(self.y))

    def apply(self, pixels: Pixels) -> Pixels:
        """Move pixels."""
        height, width = pixels.shape[:2]
        made = np.full_like(pixels, BACKGROUND)
        made[max(self.y, 0) : height + self.y, max(self.x, 0) : width + self.x] = pixels[
            max(-self.y, 0) : height - self.y, max(-self.x, 0) : width - self.x
        ]
        return made

    def facts(self) -> dict[str, Any]:
        """Return how far."""
        return {"name": "shift", "x": self.x, "y": self.y}


@dataclass(frozen=True, slots=True)
class Light:
    """Another light: grey levels g become 255 x (factor x g / 255) ^ gamma, at most 255."""

    factor: float = 1.0  # of brightness
    gamma: float = 1.0  # above 1: darker

    def affine(self, width: int, height: int) -> Affine:
        """Leave positions where they are."""
        del width, height
        return Affine()

    def table(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Return the new level of each of the 256 levels."""
        levels = np.clip(self.factor * np.arange(_LEVELS) / _WHITE, 0.0, 1.0)
        return np.asarray(np.rint(_WHITE * levels**self.gamma), np.uint8)

    def apply(self, pixels: Pixels) -> Pixels:
        """Change all levels alike."""
        return np.asarray(cv2.LUT(pixels, self.table()), np.uint8)

    def facts(self) -> dict[str, Any]:
        """Return both numbers."""
        return {"name": "light", "factor": self.factor, "gamma": self.gamma}


def motion_of(operations: Sequence[Operation], width: int, height: int) -> Motion:
    """Return where positions go by all operations, in their order."""
    motion = Motion(Affine(), (0.0, 0.0, float(width), float(height)))
    for operation in operations:
        motion = motion.then(operation.affine(width, height), width, height)
    return motion


def image_of(operations: Sequence[Operation], pixels: Pixels) -> Pixels:
    """Return the image after all operations, in their order."""
    for operation in operations:
        pixels = operation.apply(pixels)
    return pixels
