"""Similarity of two captures: by an image hash, and by what the model detected where.

Both are needed. On a fixed camera all hashes are similar: an object of 5 % of the frame changes
11 of the 256 bits, sensor noise 1, another scene 122. Only the detections separate a person on the
left from one on the right; only the hash separates an empty scene at noon from one at night.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from agent.domain import Detection, Frame, Grey

HASH_SIDE = 16
GRID = 4

DUPLICATE_BITS = 8  # of the hash; near-duplicates differ in at most so many
DUPLICATE_SIGNATURE = 0.15  # largest `grid_distance` of near-duplicates
DUPLICATE_SECONDS = 300.0  # captures further apart are never compared

_FAINT = 0.2  # confidence; fainter detections are clutter, and many would outweigh real objects
_FAR_BITS = 48  # hashes that differ in more bits are of different scenes
_FAR_SIGNATURE = 0.6  # `grid_distance` from which the similarity is 0

DetectionGrid = Mapping[str, tuple[float, ...]]
"""Summed confidences of each label in a grid of 4 x 4 cells, row by row."""

_NOTHING = (0.0,) * GRID * GRID
_UNREADABLE = "cannot read the fingerprint: unknown format"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What the similarity of two captures is computed from."""

    bits: int  # difference hash, 256 bits
    signature: DetectionGrid

    @property
    def text(self) -> str:
        """The fingerprint as text, short enough for the spool's index."""
        cells = {
            label: base64.b85encode(np.array(grid, np.float16).tobytes()).decode()
            for label, grid in self.signature.items()
        }
        return json.dumps([f"{self.bits:x}", cells], separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> "Fingerprint":
        """Read a fingerprint as `text` writes it; raise `ValueError` for anything else."""
        bits, cells = json.loads(text)
        if not isinstance(bits, str) or not isinstance(cells, dict):
            raise ValueError(_UNREADABLE)  # noqa: TRY004 (the text is wrong, not the argument's type)
        signature = {
            label: tuple(np.frombuffer(base64.b85decode(code), np.float16).tolist())
            for label, code in cells.items()
        }
        if any(len(grid) != len(_NOTHING) for grid in signature.values()):
            raise ValueError(_UNREADABLE)
        return cls(int(bits, 16), signature)

    def is_duplicate_of(self, other: "Fingerprint") -> bool:
        """Whether the two are near-duplicates: the same scene with the same objects."""
        return (self.bits ^ other.bits).bit_count() <= DUPLICATE_BITS and grid_distance(
            self.signature, other.signature
        ) <= DUPLICATE_SIGNATURE

    def similarity(self, other: "Fingerprint") -> float:
        """Return 1 for the same image, down to 0 for another scene or other objects."""
        image_distance = (self.bits ^ other.bits).bit_count() / _FAR_BITS
        if image_distance >= 1:
            return 0.0
        object_distance = grid_distance(self.signature, other.signature) / _FAR_SIGNATURE
        return max(0.0, 1.0 - image_distance) * max(0.0, 1.0 - object_distance)


def fingerprint_of(grey: Grey, detections: tuple[Detection, ...], frame: Frame) -> Fingerprint:
    """Make a fingerprint from the frame's grey thumbnail and its detections."""
    height, width = frame.pixels.shape[:2]
    return Fingerprint(difference_hash(grey), detection_grid(detections, width, height))


def difference_hash(grey: Grey) -> int:
    """Return 256 bits: whether each of 16 x 16 cells is brighter than its right neighbour.

    `grey` is any `[height, width]` of at least 16 x 17 pixels.
    """
    rows = np.linspace(0, grey.shape[0], HASH_SIDE + 1).astype(int)[:-1]
    columns = np.linspace(0, grey.shape[1], HASH_SIDE + 2).astype(int)
    sums = np.add.reduceat(np.add.reduceat(grey, rows, 0, np.uint16), columns[:-1], 1, np.uint32)
    means = sums / np.diff(columns)
    return int.from_bytes(np.packbits(means[:, :-1] > means[:, 1:]).tobytes())


def detection_grid(detections: tuple[Detection, ...], width: int, height: int) -> DetectionGrid:
    """Return the summed confidences of each label in the cell of each box's centre.

    Faint detections are left out: with a low floor a frame has about a hundred of them, at other
    places in each frame, and they would make any two frames differ.
    """
    found: dict[str, list[float]] = {}
    for detection in detections:
        if detection.confidence < _FAINT:
            continue
        box = detection.box
        column = int((box.x_min + box.x_max) / 2 / width * GRID)
        row = int((box.y_min + box.y_max) / 2 / height * GRID)
        cell = min(max(row, 0), GRID - 1) * GRID + min(max(column, 0), GRID - 1)
        found.setdefault(detection.label, [0.0] * GRID * GRID)[cell] += detection.confidence
    return {label: tuple(grid) for label, grid in found.items()}


def grid_distance(a: DetectionGrid, b: DetectionGrid) -> float:
    """Return |a - b| / (|a| + |b|) in the L1 norm: 0 for equal grids, 1 for nothing in common."""
    difference = total = 0.0
    for label in a.keys() | b.keys():
        left, right = a.get(label, _NOTHING), b.get(label, _NOTHING)
        difference += sum(abs(x - y) for x, y in zip(left, right, strict=True))
        total += sum(left) + sum(right)
    return difference / (total + 1e-6)
