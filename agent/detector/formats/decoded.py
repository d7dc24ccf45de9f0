"""Decoded boxes of a model before NMS: the result of every detection format."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.domain import FloatArray

MOST_CLASSES = 1 << 20  # class ids from here on are damage, and could not be stored in an integer
CONFIDENCE_LIMIT = 1.01  # values up to here are rounding errors and become 1; above: invalid


@dataclass(frozen=True, slots=True)
class DecodedDetections:
    """Boxes of one frame before NMS."""

    boxes: FloatArray  # [n, 4] x_min, y_min, x_max, y_max, pixels of the input, finite, with area
    confidences: FloatArray  # [n], 0 to 1
    class_ids: NDArray[np.intp]  # [n], the model's own ids
    invalid: bool = False  # some rows were invalid and are removed
    removed: int = 0  # how many of them had impossible boxes or confidences
    rows: NDArray[np.intp] | None = None
    """`[n]`, which row of the output each one is: a format finds its mask or keypoints there."""
    rotated: FloatArray | None = None
    """`[n, 5]` of rotated boxes: centre x and y, width, height, angle as in `rotated_corners`."""

    @classmethod
    def validated(
        cls,
        boxes: FloatArray,
        confidences: FloatArray,
        class_ids: NDArray[np.intp],
        *,
        invalid: bool = False,
        rows: NDArray[np.intp] | None = None,
        rotated: FloatArray | None = None,
    ) -> "DecodedDetections":
        """Keep the valid rows: finite values, an area, a confidence up to 1.

        Half-precision models overflow to infinity and NaN on some hardware, and a damaged model
        returns anything. Such a row is removed, and the result is marked as invalid. A box without
        width or height is removed without the mark, because graphs fill unused rows with them.

        Args:
            boxes: `[n, 4]`, corners, of the rows at or above the floor.
            confidences: `[n]`.
            class_ids: `[n]`.
            invalid: Whether the format found invalid values in the rows that it removed.
            rows: `[n]`, the rows of the output, or None.
            rotated: `[n, 5]`, or None.
        """
        with np.errstate(invalid="ignore", over="ignore"):
            sides = boxes[:, 2:] - boxes[:, :2]
            # Nearly always all rows are valid. A sum is finite only if all its terms are; the test
            # of each row below takes ten times as long.
            finite_sums = len(boxes) > 0 and np.isfinite(boxes.sum()) and np.isfinite(sides.sum())
            if finite_sums and sides.min() > 0 and confidences.max() <= 1:
                return cls(boxes, confidences, class_ids, invalid, rows=rows, rotated=rotated)
            finite = np.isfinite(sides).all(axis=1) & np.isfinite(boxes).all(axis=1)
            right = finite & (sides >= 0).all(axis=1) & (confidences <= CONFIDENCE_LIMIT)
            good = right & (sides > 0).all(axis=1)
        return cls(
            boxes[good],
            np.minimum(confidences[good], np.float32(1)),
            class_ids[good],
            invalid or not bool(right.all()),
            int((~right).sum()),
            None if rows is None else rows[good],
            None if rotated is None else rotated[good],
        )

    @classmethod
    def empty(cls, *, invalid: bool = False) -> "DecodedDetections":
        """Return no detections."""
        empty = np.empty((0, 4), np.float32)
        return cls(empty, empty[:, 0], np.empty(0, np.intp), invalid)

    def select(self, rows: NDArray[np.intp]) -> "DecodedDetections":
        """Return these rows, in this order."""
        return self.relabelled(rows, self.class_ids)

    def relabelled(
        self, rows: NDArray[np.intp], class_ids: NDArray[np.intp]
    ) -> "DecodedDetections":
        """Return these rows, in this order, of other class ids.

        Args:
            rows: Indices of detections.
            class_ids: `[n]`, for all detections.
        """
        return DecodedDetections(
            self.boxes[rows],
            self.confidences[rows],
            class_ids[rows],
            self.invalid,
            rows=None if self.rows is None else self.rows[rows],
            rotated=None if self.rotated is None else self.rotated[rows],
        )
