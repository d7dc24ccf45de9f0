"""How alike two captures are: to the eye by a hash, to the model by what it saw where.

Both are needed. On a fixed camera all images look alike: an object of 5 % of the frame changes
11 of the 256 bits, sensor noise 1, another scene 122; what the model saw tells a person on the left
from one on the right, and an empty scene at noon from one at night only the hash.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from agent.domain import Detection, Frame, Grey

HASH_SIDE = 16
GRID = 4

DUPLICATE_BITS = 8
DUPLICATE_SIGNATURE = 0.15
DUPLICATE_SECONDS = 300.0

_FAINT = 0.2  # detections below it are clutter: a hundred of them would outweigh what is there
_FAR_BITS = 48  # hashes that differ more show other scenes
_FAR_SIGNATURE = 0.6

DetectionGrid = Mapping[str, tuple[float, ...]]
"""Per label a grid of 4 x 4 cells, row by row, of summed confidences."""

_NOTHING = (0.0,) * GRID * GRID


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What two captures are compared by."""

    bits: int  # difference hash, 256 bits
    signature: DetectionGrid

    @property
    def text(self) -> str:
        """Short enough for the index."""
        cells = {
            label: base64.b85encode(np.array(grid, np.float16).tobytes()).decode()
            for label, grid in self.signature.items()
        }
        return json.dumps([f"{self.bits:x}", cells], separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> "Fingerprint":
        """Read what `text` wrote; raises `ValueError` for anything else."""
        bits, cells = json.loads(text)
        if not isinstance(bits, str) or not isinstance(cells, dict):
            raise ValueError("this is no likeness")  # noqa: TRY004 (of a text, not of an argument)
        signature = {
            label: tuple(np.frombuffer(base64.b85decode(code), np.float16).tolist())
            for label, code in cells.items()
        }
        if any(len(grid) != len(_NOTHING) for grid in signature.values()):
            raise ValueError("this is no likeness")
        return cls(int(bits, 16), signature)

    def is_duplicate_of(self, other: "Fingerprint") -> bool:
        """Whether a person would call it the same image of the same scene."""
        return (self.bits ^ other.bits).bit_count() <= DUPLICATE_BITS and grid_distance(
            self.signature, other.signature
        ) <= DUPLICATE_SIGNATURE

    def similarity(self, other: "Fingerprint") -> float:
        """1 for the same image, falling to 0 for another scene or other objects."""
        seen = (self.bits ^ other.bits).bit_count() / _FAR_BITS
        if seen >= 1:
            return 0.0
        meant = grid_distance(self.signature, other.signature) / _FAR_SIGNATURE
        return max(0.0, 1.0 - seen) * max(0.0, 1.0 - meant)


def fingerprint_of(grey: Grey, detections: tuple[Detection, ...], frame: Frame) -> Fingerprint:
    """From a small grey image of the frame and what the model saw in it."""
    height, width = frame.pixels.shape[:2]
    return Fingerprint(difference_hash(grey), detection_grid(detections, width, height))


def difference_hash(grey: Grey) -> int:
    """256 bits: whether each of 16 x 16 cells is brighter than its right neighbour.

    Any `[height, width]` of at least 16 x 17.
    """
    rows = np.linspace(0, grey.shape[0], HASH_SIDE + 1).astype(int)[:-1]
    columns = np.linspace(0, grey.shape[1], HASH_SIDE + 2).astype(int)
    sums = np.add.reduceat(np.add.reduceat(grey, rows, 0, np.uint16), columns[:-1], 1, np.uint32)
    means = sums / np.diff(columns)
    return int.from_bytes(np.packbits(means[:, :-1] > means[:, 1:]).tobytes())


def detection_grid(detections: tuple[Detection, ...], width: int, height: int) -> DetectionGrid:
    """Per label, the confidences summed in the cell that holds each box's centre.

    Only of what is more than clutter: a low floor reports a hundred faint boxes, elsewhere in each
    frame, and they would make any two frames differ.
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
    """|a - b| / (|a| + |b|) in the L1 norm: 0 for the same, 1 for nothing in common."""
    difference = total = 0.0
    for label in a.keys() | b.keys():
        left, right = a.get(label, _NOTHING), b.get(label, _NOTHING)
        difference += sum(abs(x - y) for x, y in zip(left, right, strict=True))
        total += sum(left) + sum(right)
    return difference / (total + 1e-6)
