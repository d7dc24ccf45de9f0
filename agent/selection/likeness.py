"""How alike two captures are: to the eye by a hash, to the model by what it saw where.

Both are needed. On a fixed camera all pictures look alike: an object of 5 % of the frame changes
11 of the 256 bits, sensor noise 1, another scene 122; what the model saw tells a person on the left
from one on the right, and an empty scene at noon from one at night only the hash.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from agent.domain import Detection, FloatArray, Frame, Grey

HASH_SIDE = 16
GRID = 4

DUPLICATE_BITS = 8
DUPLICATE_SIGNATURE = 0.15
DUPLICATE_SECONDS = 300.0

_FAR_BITS = 48  # hashes that differ more show other scenes
_FAR_SIGNATURE = 0.6

Signature = Mapping[str, FloatArray]
"""Per label a `[16]` grid (4 x 4 cells, row by row) of summed confidences."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """What two captures are compared by."""

    bits: int  # difference hash, 256 bits
    signature: Signature

    @property
    def text(self) -> str:
        """Short enough for the index."""
        cells = {
            label: base64.b85encode(grid.astype(np.float16).tobytes()).decode()
            for label, grid in self.signature.items()
        }
        return json.dumps([f"{self.bits:x}", cells], separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> "Likeness":
        """Read what `text` wrote; raises `ValueError` for anything else."""
        bits, cells = json.loads(text)
        signature = {
            label: np.frombuffer(base64.b85decode(code), np.float16).astype(np.float32)
            for label, code in cells.items()
        }
        return cls(int(bits, 16), signature)

    def is_duplicate_of(self, other: "Likeness") -> bool:
        """Whether a person would call it the same picture of the same scene."""
        return (self.bits ^ other.bits).bit_count() <= DUPLICATE_BITS and signature_distance(
            self.signature, other.signature
        ) <= DUPLICATE_SIGNATURE

    def similarity(self, other: "Likeness") -> float:
        """1 for the same picture, falling to 0 for another scene or other objects."""
        seen = (self.bits ^ other.bits).bit_count() / _FAR_BITS
        if seen >= 1:
            return 0.0
        meant = signature_distance(self.signature, other.signature) / _FAR_SIGNATURE
        return max(0.0, 1.0 - seen) * max(0.0, 1.0 - meant)


def likeness_of(grey: Grey, detections: tuple[Detection, ...], frame: Frame) -> Likeness:
    """From a small grey picture of the frame and what the model saw in it."""
    height, width = frame.pixels.shape[:2]
    return Likeness(difference_hash(grey), signature_of(detections, width, height))


def difference_hash(grey: Grey) -> int:
    """256 bits: whether each of 16 x 16 cells is brighter than its right neighbour.

    Any `[height, width]` of at least 16 x 17.
    """
    rows = np.linspace(0, grey.shape[0], HASH_SIDE + 1).astype(int)[:-1]
    columns = np.linspace(0, grey.shape[1], HASH_SIDE + 2).astype(int)[:-1]
    sums = np.add.reduceat(np.add.reduceat(grey, rows, 0, np.uint32), columns, 1)
    widths = np.diff(np.append(columns, grey.shape[1]))
    means = sums / widths
    return int.from_bytes(np.packbits(means[:, :-1] > means[:, 1:]).tobytes())


def signature_of(detections: tuple[Detection, ...], width: int, height: int) -> Signature:
    """Per label, the confidences summed in the cell that holds each box's centre."""
    found: dict[str, FloatArray] = {}
    for detection in detections:
        box = detection.box
        column = int((box.x_min + box.x_max) / 2 / width * GRID)
        row = int((box.y_min + box.y_max) / 2 / height * GRID)
        cell = min(max(row, 0), GRID - 1) * GRID + min(max(column, 0), GRID - 1)
        grid = found.setdefault(detection.label, np.zeros(GRID * GRID, np.float32))
        grid[cell] += detection.confidence
    return found


def signature_distance(a: Signature, b: Signature) -> float:
    """|a - b| / (|a| + |b|) in the L1 norm: 0 for the same, 1 for nothing in common."""
    difference = total = 0.0
    for label in a.keys() | b.keys():
        left, right = a.get(label), b.get(label)
        if left is None or right is None:
            only = float(np.abs(left if left is not None else right).sum())  # type: ignore[arg-type]
            difference += only
            total += only
        else:
            difference += float(np.abs(left - right).sum())
            total += float(left.sum() + right.sum())
    return difference / (total + 1e-6)
