"""Measures the pixels of one image: brightness, contrast, sharpness, and hashes.

The definitions are those that CleanVision 0.3 documents, so that figures can be compared.
Sharpness and the difference hash are the device's own, from the same thumbnail.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.camera.thumbnail import small_grey
from agent.domain import Pixels
from agent.selection.image_quality import laplacian_variance
from agent.selection.similarity import difference_hash

_RED, _GREEN, _BLUE = 0.241, 0.691, 0.068
"""Weights of squared channels in perceived brightness (HSP model, Finley 2006)."""

_WHITE = 255.0
_SAMPLES = 100_000  # pixels from which percentiles of brightness are taken
_DARKEST, _BRIGHTEST = 5, 99  # percentiles
_EDGE_SIDE = 64  # pixels of the longer side on which edges are measured
_OVERSAMPLED = 8  # pixels for each of the small copy, at least, of which the cubic filter takes
_EDGES = np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]], np.float32)


@dataclass(frozen=True, slots=True)
class PixelFacts:
    """What the pixels of one image are like."""

    width: int  # pixels
    height: int
    brightness: float  # perceived, of the mean colour, 0 to 1
    brightness_5: float  # perceived, below which 5 % of the pixels are, 0 to 1
    brightness_99: float
    entropy: float  # bits of the distribution of all channel values
    edges: float  # standard deviation of the edges in an image of 64 pixels
    level_spread: float  # standard deviation of that image's histogram of grey levels
    sharpness: float  # variance of the Laplacian of the thumbnail of 320 x 180
    is_grey: bool  # all three channels are equal
    hash: int  # the difference hash of 256 bits


def measure_pixels(pixels: Pixels) -> PixelFacts:
    """Return the facts of BGR `[height, width, 3]`, 0 to 255."""
    height, width = pixels.shape[:2]
    is_grey = _is_grey(pixels)
    low, high = _percentiles(pixels)
    edges, spread = _edges(pixels)
    thumbnail = small_grey(pixels)
    blue, green, red = cv2.mean(pixels)[:3]
    return PixelFacts(
        width=width,
        height=height,
        brightness=_perceived(red, green, blue),
        brightness_5=low,
        brightness_99=high,
        entropy=_entropy(pixels, 1 if is_grey else 3),
        edges=edges,
        level_spread=spread,
        sharpness=laplacian_variance(thumbnail),
        is_grey=is_grey,
        hash=difference_hash(thumbnail),
    )


def _perceived(red: float, green: float, blue: float) -> float:
    """Return the perceived brightness of one colour, 0 to 1."""
    return float(np.sqrt(_RED * red**2 + _GREEN * green**2 + _BLUE * blue**2)) / _WHITE


def _percentiles(pixels: Pixels) -> tuple[float, float]:
    """Return the perceived brightness of the 5th and 99th percentile, from evenly spread pixels."""
    height, width = pixels.shape[:2]
    step = max(1, int((height * width / _SAMPLES) ** 0.5))
    sample = pixels[::step, ::step].reshape(-1, 3).astype(np.float32)
    squares = (sample * sample) @ np.array([_BLUE, _GREEN, _RED], np.float32)
    low, high = np.percentile(squares, [_DARKEST, _BRIGHTEST])  # squares have the same order
    return float(np.sqrt(low)) / _WHITE, float(np.sqrt(high)) / _WHITE


def _is_grey(pixels: Pixels) -> bool:
    for part in (pixels[::16, ::16], pixels):  # a few pixels decide for nearly each image
        blue, green, red = part[:, :, 0], part[:, :, 1], part[:, :, 2]
        if not (np.array_equal(blue, green) and np.array_equal(green, red)):
            return False
    return True


def _entropy(pixels: Pixels, channels: int) -> float:
    """Return the entropy in bits of the values of all channels, each channel with its own."""
    counts = np.concatenate(
        [cv2.calcHist([pixels], [n], None, [256], [0, 256]).ravel() for n in range(channels)]
    )
    shares = counts[counts > 0].astype(np.float64) / counts.sum()
    return float(-(shares * np.log2(shares)).sum())


def _edges(pixels: Pixels) -> tuple[float, float]:
    """Return how strong the edges of a small grey copy are, and how its levels are spread."""
    height, width = pixels.shape[:2]
    ratio = max(height, width) / _EDGE_SIDE
    small = pixels
    if ratio > 1:
        small = _reduced(pixels, max(int(width // ratio), 1), max(int(height // ratio), 1))
    grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    edges = grey.copy()  # its outermost pixels stay what they are
    if min(grey.shape) > 2:  # noqa: PLR2004 (there are pixels with neighbours on each side)
        found = cv2.filter2D(grey.astype(np.float32), -1, _EDGES)[1:-1, 1:-1]
        edges[1:-1, 1:-1] = np.clip(found, 0, _WHITE).astype(np.uint8)
    levels = np.bincount(grey.ravel(), minlength=256)
    return float(edges.std()), float(levels.std())


def _reduced(pixels: Pixels, width: int, height: int) -> Pixels:
    """Reduce BGR pixels by a cubic filter whose reach grows with the ratio: no aliasing.

    Large images are averaged first, which is faster and changes the result by less than one level.
    """
    factor = int(min(pixels.shape[1] / width, pixels.shape[0] / height) // _OVERSAMPLED)
    if factor > 1:
        size = (pixels.shape[1] // factor, pixels.shape[0] // factor)
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    across, down = _weights(pixels.shape[1], width), _weights(pixels.shape[0], height)
    flat = pixels.reshape(pixels.shape[0], -1).astype(np.float32)
    lines = (down @ flat).reshape(height, pixels.shape[1], 3)
    result = np.einsum("xw,hwc->hxc", across, lines, optimize=True)
    return np.asarray(np.clip(np.rint(result), 0, _WHITE), np.uint8)


def _weights(size: int, wanted: int) -> NDArray[np.float32]:
    """Return the weight of each of `size` pixels in each of `wanted` ones, `[wanted, size]`."""
    ratio = size / wanted
    centres = (np.arange(wanted) + 0.5) * ratio
    away = np.abs((np.arange(size) + 0.5 - centres[:, None]) / max(ratio, 1.0))
    near = 1.5 * away**3 - 2.5 * away**2 + 1  # Keys, 1981, with a = -0.5
    far = -0.5 * away**3 + 2.5 * away**2 - 4 * away + 2
    found = np.where(away < 1, near, np.where(away < 2, far, 0.0))  # noqa: PLR2004
    return np.asarray(found / found.sum(axis=1, keepdims=True), np.float32)
