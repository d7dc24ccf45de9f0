"""What a model looks like from outside, and what a format must answer about it.

A format is the knowledge of one family of models: how a picture becomes its input and how its
outputs become boxes. It is pure: arrays in, arrays out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agent.detector.letterbox import Padding, Size
from agent.domain import FloatArray


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output: its name, its shape (None: a free axis), its numpy type name."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str

    def __str__(self) -> str:
        axes = ", ".join("?" if axis is None else str(axis) for axis in self.shape)
        return f"{self.name} {self.dtype} [{axes}]"


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the exporter wrote into the file; None where it says nothing that we can read."""

    labels: tuple[str, ...] | None = None  # by class id
    size: Size | None = None  # the input that it was trained at
    stride: int | None = None  # pixels
    task: str | None = None
    entries: Mapping[str, str] = field(default_factory=dict)  # all, as written


@dataclass(frozen=True, slots=True)
class Signature:
    """A model from outside."""

    input: Tensor  # [1, 3, height, width]
    outputs: tuple[Tensor, ...]  # shapes as a run at `size` gave them, no axis free
    size: Size  # the input of that run
    metadata: Metadata = field(default_factory=Metadata)

    def __str__(self) -> str:
        outputs = ", ".join(str(output) for output in self.outputs)
        return f"input {self.input}; outputs {outputs} at {self.size.width}x{self.size.height}"


class Colours(Enum):
    """The order of the channels that a model wants; frames are BGR."""

    BGR = "bgr"
    RGB = "rgb"


@dataclass(frozen=True, slots=True)
class Preparation:
    """How a frame becomes the input: resized, padded, then `(value - mean) / std` per channel."""

    colours: Colours
    mean: tuple[float, float, float]  # of 0 to 255, in the order of `colours`
    std: tuple[float, float, float]
    padding: Padding
    pad_value: int  # 0 to 255, before mean and std
    stride: int  # pixels; matters where the input's axes are free
    size: Size  # the largest input where the axes are free


@dataclass(frozen=True, slots=True)
class RawDetections:
    """Boxes as the model gave them, before overlapping ones are suppressed."""

    boxes: FloatArray  # [n, 4] x_min, y_min, x_max, y_max, pixels of the input, finite, with area
    confidences: FloatArray  # [n], 0 to 1
    class_ids: NDArray[np.intp]  # [n], 0 and up

    @classmethod
    def sound(
        cls, boxes: FloatArray, confidences: FloatArray, class_ids: NDArray[np.intp]
    ) -> "RawDetections":
        """Keep the rows that are a detection: all numbers finite, and an area.

        Half-precision models overflow to infinity and NaN on some hardware; such a row says
        nothing. Confidences that rounding put above 1 become 1.
        """
        with np.errstate(invalid="ignore", over="ignore"):
            sides = boxes[:, 2:] - boxes[:, :2]
            good = np.isfinite(sides).all(axis=1) & (sides > 0).all(axis=1)
        good &= np.isfinite(boxes).all(axis=1) & np.isfinite(confidences)
        return cls(boxes[good], np.minimum(confidences[good], np.float32(1)), class_ids[good])

    def taken(self, rows: NDArray[np.intp]) -> "RawDetections":
        """These rows, in this order."""
        return RawDetections(self.boxes[rows], self.confidences[rows], self.class_ids[rows])


class Format(Protocol):
    """One family of models."""

    name: str
    """What AGENT_MODEL_FORMAT calls it."""

    nms_iou: float | None
    """Boxes of one class that overlap more are one object; None where the graph has done it."""

    def recognise(self, model: Signature) -> str | None:
        """Say in a few words why this model is certainly of this family, or None."""

    def classes(self, model: Signature) -> int:
        """Return how many classes the outputs hold.

        Raises:
            ConfigurationError: The outputs cannot be of this family; says what they would be.
        """

    def preparation(self, model: Signature) -> Preparation:
        """Return how frames become this model's input."""

    def decode(self, outputs: Sequence[FloatArray], *, size: Size, floor: float) -> RawDetections:
        """Return the detections at or above `floor`, in any order.

        Args:
            outputs: The model's outputs, in its order, float32.
            size: The input of this run, pixels.
            floor: 0 to 1.
        """
