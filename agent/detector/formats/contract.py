"""What a model looks like from outside, and what a format must answer about it.

A format is the knowledge of one family of models: how an image becomes its input and how its
outputs become boxes or classes. It is pure: arrays in, arrays out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Literal, Protocol

from agent.detector.letterbox import Padding, Size
from agent.domain import FloatArray, Task

if TYPE_CHECKING:  # it needs numpy, which the settings do without
    from agent.detector.formats.decoded import DecodedDetections


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
class ModelSignature:
    """A model from outside."""

    input: Tensor  # the image
    outputs: tuple[Tensor, ...]  # shapes as a run at `size` gave them, no axis free
    size: Size  # the input of that run
    metadata: Metadata = field(default_factory=Metadata)
    values: tuple[FloatArray, ...] = field(default=(), repr=False)  # what that run gave
    sized: bool = False  # a second input takes the image's size, so boxes come in its pixels

    def __str__(self) -> str:
        outputs = ", ".join(str(output) for output in self.outputs)
        return f"input {self.input}; outputs {outputs} at {self.size.width}x{self.size.height}"


class ChannelOrder(Enum):
    """The order of the channels that a model wants; frames are BGR."""

    BGR = "bgr"
    RGB = "rgb"


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How a frame becomes the input: resized, padded, then `(value - mean) / std` per channel."""

    colours: ChannelOrder
    mean: tuple[float, float, float]  # of 0 to 255, in the order of `colours`
    std: tuple[float, float, float]
    padding: Padding
    pad_value: int  # 0 to 255, before mean and std
    stride: int  # pixels; matters where the input's axes are free
    size: Size  # the largest input where the axes are free
    crop: float | None = None  # the middle that is kept, as a share of the shorter side; None: all


NO_CHANGE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
"""Mean and deviation of a model that takes 0 to 255."""

TO_ONE = (0.0, 0.0, 0.0), (255.0, 255.0, 255.0)
"""Mean and deviation of a model that takes 0 to 1."""

IMAGENET = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
"""Mean and deviation of ImageNet's pixels, red first: 255 times .485 .456 .406, .229 .224 .225."""


class ClassNumbering(Enum):
    """How a model's class numbers go with the labels in their order."""

    PLAIN = "plain"  # number i is label i
    SPARE_LAST = "spare last"  # the same, and a last class may mean "nothing"
    FROM_ONE = "from one"  # number i is label i - 1, and 0 means "background"


@dataclass(frozen=True, slots=True)
class Layout:
    """How one model's outputs fit a format."""

    outputs: tuple[int, ...]  # which of the model's outputs the format reads, in its order
    classes: int | None  # how many they tell apart; None where they hold class numbers only
    numbering: ClassNumbering = ClassNumbering.PLAIN
    gaps: bool = False  # numbers of COCO's classes are those of its files, 1 to 90 with gaps


class Format(Protocol):
    """One family of models."""

    name: str
    """What AGENT_MODEL_FORMAT calls it."""

    def recognise(self, model: ModelSignature) -> str | None:
        """Say in a few words why this model is certainly of this family, or None."""

    def layout(self, model: ModelSignature) -> Layout:
        """Return how the model's outputs fit.

        Raises:
            ConfigurationError: They cannot be of this family; says what they would be.
        """

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""


class DetectionFormat(Format, Protocol):
    """A family of models that say what is where."""

    task: Literal[Task.DETECT]

    nms_iou: float | None
    """Boxes of one class that overlap more are one object; None where the graph has done it."""

    def decode(
        self, outputs: Sequence[FloatArray], *, size: Size, floor: float
    ) -> "DecodedDetections":
        """Return the detections at or above `floor`, in any order.

        Args:
            outputs: Those that `layout` names, in its order, float32.
            size: The input of this run, pixels.
            floor: 0 to 1.
        """


class ClassificationFormat(Format, Protocol):
    """A family of models that say what an image is, as a whole."""

    task: Literal[Task.CLASSIFY]

    def probabilities(self, outputs: Sequence[FloatArray]) -> FloatArray:
        """Return `[classes]`, 0 to 1 each, or NaN where the output is none."""


AnyFormat = DetectionFormat | ClassificationFormat
