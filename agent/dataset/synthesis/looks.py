"""How an image looks: its scene and its light, to tell near-duplicates and to choose a light."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.domain import Grey, Pixels
from agent.selection.similarity import NEAR_IDENTICAL_BITS, difference_hash, hash_distance

OTHER_LIGHT = 20.0
"""Grey levels by which two images of one scene must differ in the mean, to be worth having both."""

_LEAST_HASHED = (17, 16)  # width and height of an image that has a hash

Levels = NDArray[np.float64]
"""Share of an image's pixels with each of the 256 grey levels."""


@dataclass(frozen=True, slots=True)
class Look:
    """What two images of one parent are compared by."""

    bits: int
    light: float  # mean grey level

    def resembles(self, other: "Look") -> bool:
        """Whether the images are near-duplicates."""
        is_same_scene = hash_distance(self.bits, other.bits) <= NEAR_IDENTICAL_BITS
        return is_same_scene and abs(self.light - other.light) < OTHER_LIGHT


def look_of(pixels: Pixels) -> Look:
    """Return the look of an image."""
    grey = _grey(pixels)
    light = float(cv2.mean(grey)[0])
    height, width = grey.shape
    if width < _LEAST_HASHED[0] or height < _LEAST_HASHED[1]:
        grey = np.asarray(cv2.resize(grey, _LEAST_HASHED), np.uint8)
    return Look(difference_hash(grey), light)


def levels_of(pixels: Pixels) -> Levels:
    """Return the share of each grey level."""
    counts = np.bincount(_grey(pixels).ravel(), minlength=256)
    return np.asarray(counts / counts.sum(), np.float64)


def _grey(pixels: Pixels) -> Grey:
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8)
