"""The interface of a model format, and the description of a model that it gets.

A format knows one family of models: how an image becomes the model's input, and how the outputs
become boxes or classes. It is pure: arrays in, arrays out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Literal, Protocol

from agent.detector.letterbox import Padding, Size
from agent.domain import FloatArray, Task
from agent.printable import printable

if TYPE_CHECKING:  # they import numpy, which the settings do not need
    import numpy as np
    from numpy.typing import NDArray

    from agent.detector.formats.decoded import DecodedDetections


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output: its name, its shape (None: a dynamic axis), its numpy type name."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str

    def __str__(self) -> str:
        axes = ", ".join("?" if axis is None else str(axis) for axis in self.shape[:MOST_SHOWN])
        return f"{printable(self.name, 60)} {self.dtype} [{axes}]"


MOST_SHOWN = 10
"""Tensors of a model, and axes of a tensor, that a message shows."""


def listed(tensors: Sequence[Tensor]) -> str:
    """Return tensors for a message: the first few, and how many more there are."""
    shown = ", ".join(map(str, tensors[:MOST_SHOWN])) or "none"
    more = len(tensors) - MOST_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the exporter wrote into the file; None if an entry is missing or not readable."""

    labels: tuple[str, ...] | None = None  # by class id
    label_problem: str = ""  # why there are no labels although the file has an entry for them
    size: Size | None = None  # input size in training
    stride: int | None = None  # pixels
    task: str | None = None  # as written; it may be none of `Task`, for example "segment"
    entries: Mapping[str, str] = field(default_factory=dict)  # unchanged; none that is too long


@dataclass(frozen=True, slots=True)
class ModelSignature:
    """Inputs, outputs and metadata of a model, and the output values of a trial run."""

    input: Tensor  # the image
    outputs: tuple[Tensor, ...]  # shapes of the trial run, without dynamic axes
    size: Size  # input size of the trial run
    metadata: Metadata = field(default_factory=Metadata)
    values: tuple[FloatArray, ...] = field(default=(), repr=False)  # outputs of the trial run
    has_size_input: bool = False  # a second input takes the image size; boxes are in its pixels

    def __str__(self) -> str:
        outputs = listed(self.outputs)
        return f"input {self.input}; outputs {outputs} at {self.size}"


class ChannelOrder(Enum):
    """The order of the channels in a model's input; frames are BGR."""

    BGR = "bgr"
    RGB = "rgb"


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How a frame becomes the input: resize, pad, then `(value - mean) / std` per channel."""

    channel_order: ChannelOrder
    mean: tuple[float, float, float]  # of 0 to 255, in this channel order
    std: tuple[float, float, float]
    padding: Padding
    pad_value: int  # 0 to 255, before mean and std
    stride: int  # pixels; used if the input's axes are dynamic
    size: Size  # the largest input if the axes are dynamic
    crop: float | None = None  # centre crop, as a share of the shorter side; None: no crop


NO_CHANGE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
"""Mean and standard deviation for a model whose input is 0 to 255."""

TO_ONE = (0.0, 0.0, 0.0), (255.0, 255.0, 255.0)
"""Mean and standard deviation for a model whose input is 0 to 1."""

IMAGENET = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
"""Mean and standard deviation of ImageNet, RGB: 255 times .485 .456 .406 and .229 .224 .225."""


class ClassNumbering(Enum):
    """How a model's class ids map to the ordered labels."""

    PLAIN = "plain"  # class id i is label i
    BACKGROUND_LAST = "background last"  # the same; a last class may mean "no object"
    FROM_ONE = "from one"  # class id i is label i - 1, and 0 means "background"


@dataclass(frozen=True, slots=True)
class Columns:
    """A part of an output: a range of indices along one axis."""

    output: int  # which of `Layout.outputs`
    axis: int = 2
    begin: int = 0
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """How a format reads one model's outputs."""

    outputs: tuple[int, ...]  # indices of the outputs that the format reads, in its order
    classes: int | None  # the number of classes; None if the outputs contain class ids only
    numbering: ClassNumbering = ClassNumbering.PLAIN
    gaps: bool = False  # with the labels of COCO, class ids are the data set's: 1 to 90 with gaps
    confidences: tuple[Columns, ...] = ()  # the numbers that must be between 0 and 1
    logits: int | None = None  # which of `outputs` has class logits, before sigmoid or softmax


class Format(Protocol):
    """One family of models."""

    name: str
    """The name in AGENT_MODEL_FORMAT."""

    def recognise(self, model: ModelSignature) -> str | None:
        """Return the reason why the model has this format, in a few words, or None.

        What every format must obey is not repeated here: `contradictions.py` compares the trial
        run's boxes, confidences and class ids with what is possible.
        """

    def layout(self, model: ModelSignature) -> Layout:
        """Return how to read the model's outputs.

        Raises:
            ConfigurationError: The outputs cannot have this format; the message describes it.
        """

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""


class BoxFormat(Format, Protocol):
    """A family of models that report objects, each with a box."""

    nms_iou: float | None
    """IoU above which NMS removes boxes of one class; None if the graph contains NMS."""

    def decode(
        self, outputs: Sequence[FloatArray], *, size: Size, floor: float
    ) -> "DecodedDetections":
        """Return the detections at or above `floor`, in any order.

        Args:
            outputs: The outputs that `layout` selects, in its order, float32; not changed.
            size: Input size of this run, pixels.
            floor: Lowest confidence, 0 to 1.
        """


class DetectionFormat(BoxFormat, Protocol):
    """A family of models that report nothing else."""

    task: Literal[Task.DETECT]


class RotatedFormat(BoxFormat, Protocol):
    """A family of models whose boxes are rotated. `decode` sets `rotated`."""

    task: Literal[Task.OBB]


class MaskFormat(BoxFormat, Protocol):
    """A family of models that report a mask of each object. `decode` sets the rows."""

    task: Literal[Task.SEGMENT]

    def masks(
        self, outputs: Sequence[FloatArray], rows: "NDArray[np.intp]", size: Size
    ) -> "PrototypeMasks | ImageMasks":
        """Return what the masks of these rows are computed from; nothing is computed yet.

        Args:
            outputs: As for `decode`.
            rows: Of the detections.
            size: Input size of this run, pixels.
        """


class PoseFormat(BoxFormat, Protocol):
    """A family of models that report keypoints of each object. `decode` sets the rows."""

    task: Literal[Task.POSE]

    keypoint_count: int
    """Keypoints of each object; 0 before `for_model` found out."""

    def for_model(self, model: ModelSignature, labels: Sequence[str] | None) -> "PoseFormat":
        """Return the format as it reads this model: with its number of keypoints.

        Raises:
            ConfigurationError: Neither the metadata nor the shapes and labels tell the number, or
                they contradict each other.
        """

    def keypoints(self, outputs: Sequence[FloatArray], rows: "NDArray[np.intp]") -> FloatArray:
        """Return `[n, keypoints, 3]` of these rows: x, y in pixels of the input, confidence."""


@dataclass(frozen=True, slots=True)
class PrototypeMasks:
    """Masks as sums of prototypes: above 0 is inside."""

    coefficients: FloatArray  # [n, prototypes]
    prototypes: FloatArray  # [prototypes, height, width], over the whole input


@dataclass(frozen=True, slots=True)
class ImageMasks:
    """Masks as probabilities: above 0.5 is inside."""

    images: FloatArray  # [rows, height, width], of all rows of the output
    rows: "NDArray[np.intp]"  # [n], those of the detections
    over_box: bool  # whether each covers its box; otherwise it covers the input


class ClassificationFormat(Format, Protocol):
    """A family of models that classify a whole image."""

    task: Literal[Task.CLASSIFY]

    def probabilities(self, outputs: Sequence[FloatArray]) -> FloatArray:
        """Return `[classes]`, 0 to 1 each; NaN if the output is not a set of probabilities."""


ObjectFormat = DetectionFormat | RotatedFormat | MaskFormat | PoseFormat
AnyFormat = ObjectFormat | ClassificationFormat
