"""Whether two images, or one place in two images, look the same.

Images are compared by a difference hash of 256 bits. On a fixed camera all hashes are similar: an
object of 5 % of the frame changes 11 bits, sensor noise 1, another scene 122. So single places are
compared as well, by a small grey crop: a parked car looks the same all day, the next car that
passes the same place does not.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from agent.domain import Feature, FloatArray, Grey, Pixels

HASH_BITS = 256

NEAR_IDENTICAL_BITS = 8
"""Bits of the hash in which two images of one scene differ at most."""

FAR_BITS = 48
"""Hashes that differ in more bits are of different scenes."""

CUT_BITS = 80
"""Bits from which two consecutive images are of different scenes: no object moves like that."""

CROP_SIDE = 12
"""Width and height of a crop, in samples."""

Crop = bytes
"""`CROP_SIDE` x `CROP_SIDE` grey levels, row by row."""

COARSE_SIDE = 3
"""Blocks across and down of a crop of what nobody may recognize."""

SAME_FEATURE = 0.85
"""Cosine of two features from which they are of the same object.

Measured with the bundled model on doubtful boxes of two labelled sequences, seen again in other
light: of different objects at one place 2 to 3 % are at or above it, of the same persons 32 to
49 %, of the same places of the background 68 to 92 %. Grey crops: 1 to 3, 16 to 23, 26 to 79 %. As
the mean of the frame is subtracted, it is nearly the same for maps of other strides.
"""

_HASH_SIDE = 16
_BRIGHTER = 1.0  # grey levels; less is noise, so that a dark wall has the same hash in each frame
_WORDS, _WORD_MASK = HASH_BITS // 64, 2**64 - 1
_CONTEXT = 0.25  # of the box's size, on each side: a crop shows the object against its background
_SAMPLES = 8  # across and down, of the part that two crops share
_NOISE = 2.5  # grey levels, standard deviation: sensor noise that is left in a thumbnail
_SAME = 0.15  # largest difference of crops that look the same, as a share of their contrast


def difference_hash(grey: Grey) -> int:
    """Return 256 bits: whether each of 16 x 16 cells is clearly brighter than its right neighbour.

    `grey` is any `[height, width]` of at least 16 x 17 pixels.
    """
    import cv2  # not at the top: to load the runtime needs no OpenCV

    rows, columns, areas = _cells(*grey.shape)
    corners = cv2.integral(grey)[rows, columns]
    strips = corners[1:] - corners[:-1]
    means = (strips[:, 1:] - strips[:, :-1]) / areas
    return int.from_bytes(np.packbits(means[:, :-1] > means[:, 1:] + _BRIGHTER).tobytes())


@lru_cache(4)
def _cells(height: int, width: int) -> tuple[NDArray[np.intp], NDArray[np.intp], FloatArray]:
    """Return the edges of 16 x 17 cells, rows `[17, 1]` and columns `[18]`, and their areas."""
    rows = np.linspace(0, height, _HASH_SIDE + 1).astype(np.intp)
    columns = np.linspace(0, width, _HASH_SIDE + 2).astype(np.intp)
    areas = np.outer(np.diff(rows), np.diff(columns)).astype(np.float32)
    return rows[:, None], columns, areas


def hash_distance(a: int, b: int) -> int:
    """Return in how many of 256 bits two hashes differ."""
    return (a ^ b).bit_count()


def hash_words(bits: int) -> NDArray[np.uint64]:
    """Return a hash as 4 words of 64 bits, to compare it with many by `np.bitwise_count`."""
    return np.array([(bits >> 64 * word) & _WORD_MASK for word in range(_WORDS)], np.uint64)


def image_similarity(a: int, b: int) -> float:
    """Return 1 for equal hashes, falling to 0 for another scene."""
    return max(0.0, 1.0 - hash_distance(a, b) / FAR_BITS)


def grown(boxes: FloatArray) -> FloatArray:
    """Return the region that the crop of each box shows, `[n, 4]`, in the units of `boxes`."""
    size = (boxes[:, 2:] - boxes[:, :2]) * _CONTEXT
    return np.concatenate([boxes[:, :2] - size, boxes[:, 2:] + size], axis=1)


def crops(grey: Grey, pixels: Pixels, boxes: FloatArray) -> list[Crop]:
    """Cut the crop of each box, `[n, 4]` in normalized coordinates.

    Large boxes are cut from the thumbnail, whose pixels are means: less noise. Of a small one the
    thumbnail shows a blob that looks like any other, so it is cut from the frame (green channel).
    """
    size = (boxes[:, 2:] - boxes[:, :2]) * (grey.shape[1], grey.shape[0])
    is_small = size.min(axis=1) < CROP_SIDE
    found = np.empty((len(boxes), CROP_SIDE, CROP_SIDE), np.uint8)
    regions = grown(boxes)
    if not is_small.all():
        found[~is_small] = _means(grey, regions[~is_small])
    if is_small.any():
        green, small = pixels[:, :, 1], regions[is_small]
        parts = [_sampled(green, small, part).astype(np.uint16) for part in (0.25, 0.75)]
        found[is_small] = (parts[0] + parts[1]) // 2
    return [each.tobytes() for each in found]


def coarse(crop: Crop) -> Crop:
    """Return a crop of `COARSE_SIDE` x `COARSE_SIDE` blocks, each the mean of its samples.

    The box is about two of them wide: no face is in it, but a parked car still looks the same.
    """
    step = CROP_SIDE // COARSE_SIDE
    levels = np.frombuffer(crop, np.uint8).reshape(COARSE_SIDE, step, COARSE_SIDE, step)
    means: NDArray[np.uint8] = levels.mean(axis=(1, 3)).astype(np.uint8)
    return means.repeat(step, axis=0).repeat(step, axis=1).tobytes()


def _sampled(image: NDArray[np.uint8], regions: FloatArray, part: float) -> NDArray[np.uint8]:
    """Sample `[n, side, side]` values; `part` is the place in each cell of the grid, 0 to 1."""
    height, width = image.shape
    steps = (np.arange(CROP_SIDE, dtype=np.float32) + np.float32(part)) / CROP_SIDE
    x = regions[:, :1] + steps * (regions[:, 2:3] - regions[:, :1])
    y = regions[:, 1:2] + steps * (regions[:, 3:] - regions[:, 1:2])
    columns = np.clip(x * width, 0, width - 1).astype(np.intp)
    rows = np.clip(y * height, 0, height - 1).astype(np.intp)
    return np.asarray(image[rows[:, :, None], columns[:, None, :]])


def _means(image: NDArray[np.uint8], regions: FloatArray) -> NDArray[np.uint8]:
    """Return `[n, side, side]` samples, each the mean of its part of the image.

    So a crop hardly changes with a box that jitters by a pixel.
    """
    import cv2  # not at the top: to load the runtime needs no OpenCV

    height, width = image.shape
    steps = np.arange(CROP_SIDE + 1, dtype=np.float32) / CROP_SIDE
    x = (regions[:, :1] + steps * (regions[:, 2:3] - regions[:, :1])) * width
    y = (regions[:, 1:2] + steps * (regions[:, 3:] - regions[:, 1:2])) * height
    left, right = _edges(x, width)
    top, bottom = _edges(y, height)
    top, bottom, left, right = top[:, :, None], bottom[:, :, None], left[:, None], right[:, None]
    sums = cv2.integral(image)
    total = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
    means = total // ((bottom - top) * (right - left))
    return np.asarray(means, np.uint8)


def _edges(edges: FloatArray, size: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the first pixel of each sample, and the one after its last; at least one apart."""
    # Not `np.clip`, which takes longer on few numbers.
    inside = np.minimum(np.maximum(edges, 0), size).astype(np.intp)
    first, end = np.minimum(inside[:, :-1], size - 1), inside[:, 1:]
    return first, np.maximum(end, first + 1)


def look_same(
    regions_a: FloatArray, crops_a: Sequence[Crop], regions_b: FloatArray, crops_b: Sequence[Crop]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return, pair by pair, whether two crops look the same, and whether both show nothing.

    They do if the part of the image that both show is the same (a box that jitters around a
    standing object), or if the objects are, each within its own box (one that moved a little).
    Regions are `[n, 4]`, as `grown` makes them; those of a pair overlap. Brightness does not count,
    only contrast does. Crops without any contrast beyond noise prove nothing and are not the same.
    """
    inner_min = np.maximum(regions_a[:, :2], regions_b[:, :2])
    inner_max = np.minimum(regions_a[:, 2:], regions_b[:, 2:])
    place = _equal(
        _resampled(regions_a, crops_a, inner_min, inner_max),
        _resampled(regions_b, crops_b, inner_min, inner_max),
    )
    whole_a, whole_b = _levels(crops_a), _levels(crops_b)
    return place | _equal(whole_a, whole_b), ~_has_contrast(whole_a, whole_b)


def features_agree(a: Sequence[Feature], b: Sequence[Feature]) -> NDArray[np.bool_]:
    """Return, pair by pair, whether two features of one source are of the same object."""
    cosines = (np.array(a, np.float32) * np.array(b, np.float32)).sum(axis=1)
    return np.asarray(cosines >= SAME_FEATURE)


def _equal(a: FloatArray, b: FloatArray) -> NDArray[np.bool_]:
    """Compare grey levels less their mean, `[n, samples]`."""
    difference = np.maximum(((a - b) ** 2).mean(axis=1) - 2 * _NOISE**2, 0)
    contrast = (a**2).mean(axis=1) + (b**2).mean(axis=1)
    return np.asarray(_has_contrast(a, b) & (difference <= _SAME * contrast))


def _has_contrast(a: FloatArray, b: FloatArray) -> NDArray[np.bool_]:
    """Return where at least one of the two shows more than noise."""
    return np.asarray((a**2).mean(axis=1) + (b**2).mean(axis=1) > 4 * _NOISE**2)


def _levels(found: Sequence[Crop]) -> FloatArray:
    """Return the grey levels of whole crops, less their mean, `[n, samples]`."""
    levels = np.frombuffer(b"".join(found), np.uint8).reshape(-1, CROP_SIDE * CROP_SIDE)
    values = levels.astype(np.float32)
    return np.asarray(values - values.mean(axis=1, keepdims=True), np.float32)


def _resampled(
    regions: FloatArray, found: Sequence[Crop], inner_min: FloatArray, inner_max: FloatArray
) -> FloatArray:
    """Return grey levels, less their mean, on a grid over the inner part, `[n, samples]`."""
    levels = np.frombuffer(b"".join(found), np.uint8).reshape(-1, CROP_SIDE, CROP_SIDE)
    steps = (np.arange(_SAMPLES, dtype=np.float32) + 0.5) / _SAMPLES
    places = []
    for axis in (0, 1):
        inner = inner_min[:, axis, None] + steps * (inner_max - inner_min)[:, axis, None]
        size = np.maximum(regions[:, 2 + axis] - regions[:, axis], 1e-9)[:, None]
        share = (inner - regions[:, axis, None]) / size
        places.append(np.clip(share * CROP_SIDE - 0.5, 0, CROP_SIDE - 1.001))
    x, y = places[0][:, None], places[1][:, :, None]
    column, row = x.astype(np.intp), y.astype(np.intp)
    right, down = x - column, y - row
    each = np.arange(len(levels))[:, None, None]
    above = levels[each, row, column] * (1 - right) + levels[each, row, column + 1] * right
    below = levels[each, row + 1, column] * (1 - right) + levels[each, row + 1, column + 1] * right
    values = (above * (1 - down) + below * down).reshape(len(levels), -1)
    return np.asarray(values - values.mean(axis=1, keepdims=True), np.float32)
