"""Boxes as a model gave them: what every detection format answers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.domain import FloatArray

ROUNDING = 1.01  # a confidence up to here is 1; above it is no confidence


@dataclass(frozen=True, slots=True)
class DecodedDetections:
    """Boxes as the model gave them, before overlapping ones are suppressed."""

    boxes: FloatArray  # [n, 4] x_min, y_min, x_max, y_max, pixels of the input, finite, with area
    confidences: FloatArray  # [n], 0 to 1
    class_ids: NDArray[np.intp]  # [n], as the model numbers them
    invalid: bool = False  # some of the output was no detection and is left out

    @classmethod
    def sound(
        cls,
        boxes: FloatArray,
        confidences: FloatArray,
        class_ids: NDArray[np.intp],
        *,
        invalid: bool = False,
    ) -> "DecodedDetections":
        """Keep the rows that are a detection: numbers finite, an area, a confidence up to 1.

        Half-precision models overflow to infinity and NaN on some hardware, and a damaged one
        gives anything: such a row says nothing, and the answer is marked as invalid. A box without
        width or height is dropped in silence: graphs fill their last rows with them.

        Args:
            boxes: `[n, 4]`, corners, of the rows at or above the floor.
            confidences: `[n]`.
            class_ids: `[n]`.
            invalid: Whether the format has seen something odd in the rows that it left out.
        """
        with np.errstate(invalid="ignore", over="ignore"):
            sides = boxes[:, 2:] - boxes[:, :2]
            finite = np.isfinite(sides).all(axis=1) & np.isfinite(boxes).all(axis=1)
            right = finite & (sides >= 0).all(axis=1) & (confidences <= ROUNDING)
            good = right & (sides > 0).all(axis=1)
        return cls(
            boxes[good],
            np.minimum(confidences[good], np.float32(1)),
            class_ids[good],
            invalid or not bool(right.all()),
        )

    @classmethod
    def nothing(cls, *, invalid: bool = False) -> "DecodedDetections":
        """No detection at all."""
        empty = np.empty((0, 4), np.float32)
        return cls(empty, empty[:, 0], np.empty(0, np.intp), invalid)

    def taken(self, rows: NDArray[np.intp]) -> "DecodedDetections":
        """These rows, in this order."""
        return DecodedDetections(
            self.boxes[rows], self.confidences[rows], self.class_ids[rows], self.invalid
        )
