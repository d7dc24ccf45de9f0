"""The nouns of the agent: frozen, slotted, with their units."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:  # numpy takes 0.1 s to import, and `status` needs none of it
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    """A frame's pixels as `[height, width, 3]`, BGR, 0 to 255."""

    Grey = NDArray[np.uint8]
    """A grey thumbnail of a frame as `[180, 320]`, 0 to 255, whatever the frame's own shape."""

    FloatArray = NDArray[np.float32]

    Feature = NDArray[np.float16]
    """What an object looks like to the model, as `[64 to 256]`; near objects look alike."""
else:
    Pixels = Grey = FloatArray = Feature = Any

EARLIEST_PLAUSIBLE = 1_704_067_200.0
"""Seconds since 1970: 2024-01-01 UTC, before this software existed. Earlier is no wall time."""

Polygon = tuple[tuple[float, float], ...]
"""Three or more corners (x, y) in pixels of the frame as read; the last joins the first."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels, origin top left; `x_max` and `y_max` are its outer edges."""

    x_min: float
    y_min: float
    x_max: float
    y_max: float


class Mask(Protocol):
    """The pixels of one object. They are computed when they are asked for: most never are."""

    def polygon(self) -> Polygon:
        """Return the outline of the object's largest part; empty if the mask has no area."""


class ObjectFeatures(Protocol):
    """What the model computed of one frame: gives features for any boxes of it, when asked."""

    @property
    def source(self) -> str:
        """Names the model and its tensor: only features of one source can be compared."""

    def features_of(self, boxes: Sequence[Box]) -> Sequence[Feature | None]:
        """Return the feature of each box in pixels of the frame as read, of length 1.

        The cosine of two features tells how alike they are. None if a box looks like the frame as
        a whole, or the model's numbers are not finite.
        """


@dataclass(frozen=True, slots=True)
class Keypoint:
    """A named point of an object, such as an elbow; its number in the tuple is its name."""

    x: float  # pixels of the frame as read
    y: float
    confidence: float  # 0 to 1, that the point is there and visible; 1 if the model does not say


@dataclass(frozen=True, slots=True)
class Detection:
    """One object that the model reported in one frame."""

    label: str
    class_id: int
    confidence: float  # 0 to 1
    box: Box  # pixels of the frame as read, not of the model's input
    mask: Mask | None = field(default=None, compare=False, repr=False)  # of a segmentation model
    keypoints: tuple[Keypoint, ...] = ()  # of a pose model
    corners: Polygon = ()  # the four of a rotated box; `box` is the upright box around them
    feature: Feature | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ClassScore:
    """A classifier's confidence that a whole frame is of one class."""

    label: str
    class_id: int
    confidence: float  # 0 to 1


class EncodedBy(StrEnum):
    """Who made the bytes of an image."""

    AGENT = "agent"  # the agent encoded the pixels
    CAMERA = "camera"  # the camera's own JPEG, unchanged


@dataclass(frozen=True, slots=True)
class Frame:
    """One image of one camera, as read."""

    camera: str
    sequence: int  # 0, 1, 2, ... per camera since the start, over the frames offered for analysis
    pixels: Pixels = field(repr=False)
    at: float  # seconds on the stream's own clock: monotonic for a camera, position in a recording
    captured_at: float  # seconds since 1970 UTC by the wall clock: data, never compared
    monotonic_ns: int
    source_frame: int | None = None  # 0-based index in the recording, as decoded
    stream: str = ""  # names the clock of `at`: the boot for a camera, the file for a recording
    jpeg: bytes | None = field(default=None, repr=False)
    """A JPEG of exactly these pixels; None if there is none."""
    masks: tuple[Polygon, ...] = ()  # regions that were painted over, of `AGENT_MASKS`
    encoded_by: EncodedBy = EncodedBy.CAMERA  # who made `jpeg`
    prediction: "Prediction | None" = field(default=None, compare=False, repr=False)
    """What the application's own model found in it; the agent's model does not run then."""


@dataclass(frozen=True, slots=True)
class ClipSpan:
    """How much of what was analysed a clip holds, in seconds before and after its capture."""

    before: float
    after: float

    def __str__(self) -> str:
        return f"{self.before:g}s {self.after:g}s"


@dataclass(frozen=True, slots=True)
class ClipFrame:
    """One frame of a clip, encoded smaller than a capture's own image."""

    at: float  # seconds on the stream's own clock, as `Frame.at`
    data: bytes = field(repr=False)  # JPEG
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Clip:
    """What was analysed before and after a capture, in order; its own moment is in it."""

    frames: tuple[ClipFrame, ...]  # at least one; all of one size
    dropped: int = 0  # analysed frames between the first and the last that are not in it

    @property
    def data(self) -> bytes:
        """All images, one after the other: a Motion JPEG stream."""
        return b"".join(frame.data for frame in self.frames)


class Surroundings(Protocol):
    """The clip around one frame. It grows while later frames arrive."""

    def clip(self) -> Clip | None:
        """Return what there is so far; None if no frame of it was encoded."""


class Task(StrEnum):
    """What a model was trained for."""

    DETECT = "detect"  # objects in a frame, each with its box
    SEGMENT = "segment"  # objects, each with its box and mask
    POSE = "pose"  # objects, each with its box and keypoints
    OBB = "obb"  # objects, each with a rotated box
    CLASSIFY = "classify"  # the class of a frame as a whole


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The model that analysed a frame."""

    name: str
    sha256: str
    task: Task
    provider: str  # the onnxruntime execution provider really used
    labels: tuple[str, ...]  # by class id
    keypoint_count: int = 0  # keypoints of each object of a pose model


@dataclass(frozen=True, slots=True)
class Prediction:
    """A model's output for one image: detections or classes, by its task."""

    model: ModelInfo
    detections: tuple[Detection, ...] = ()  # highest confidence first
    classes: tuple[ClassScore, ...] = ()  # the best few of a classifier, highest confidence first
    invalid: bool = False  # some of the output was discarded: NaN or Inf, inverted boxes
    failure: str = ""  # why the model gave no output at all; `invalid` is then True
    features: ObjectFeatures | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The confidences from which the user's application acts, and the floor of the detector.

    Detections below the floor are discarded.
    """

    default: float
    labels: Mapping[str, float] = field(default_factory=dict)
    floor: float = 0.05

    def of(self, label: str) -> float:
        """Return the threshold of a label."""
        return self.labels.get(label, self.default)


@dataclass(frozen=True, slots=True)
class Observation:
    """A frame and the model's output for it, at or above the floor."""

    frame: Frame
    detections: tuple[Detection, ...]  # highest confidence first
    grey: Grey | None = field(default=None, repr=False)  # None if no rule or quality check needs it
    classes: tuple[ClassScore, ...] = ()  # of a classifier, highest confidence first
    invalid: bool = False  # some of the model's output was discarded
    model: ModelInfo | None = None  # None if there is only one model
    features: ObjectFeatures | None = field(default=None, compare=False, repr=False)
    is_still: bool = False
    """Nothing has moved, so the model did not run: the output is that of an earlier frame."""
    surroundings: Surroundings | None = field(default=None, compare=False, repr=False)
    """The clip around the frame; None without `AGENT_CLIP`."""

    @classmethod
    def of(cls, frame: Frame, prediction: Prediction, grey: Grey) -> "Observation":
        """Return a frame and what the model said of it; `grey` is its thumbnail."""
        return cls(
            frame,
            prediction.detections,
            grey=grey,
            classes=prediction.classes,
            invalid=prediction.invalid,
            model=prediction.model,
            features=prediction.features,
        )


OBJECT_TASKS = (Task.DETECT, Task.SEGMENT, Task.POSE, Task.OBB)
"""The tasks whose models report objects with boxes."""


class Lane(StrEnum):
    """How a capture was sampled."""

    RANDOM = "random"  # drawn at random: the unbiased sample
    INTERVAL = "interval"  # every nth frame
    SCORE = "score"  # a rule found it informative
    REQUESTED = "requested"  # a person or a program asked for it
    VERDICT = "verdict"  # a person said that the model is wrong there, or did not object to it
    AUTO = "auto"  # the model labelled it: all its detections are of trusted confidence


class BudgetPart(StrEnum):
    """The part of the labelling budget that pays for a capture."""

    RANDOM = "random"  # the share that `AGENT_RANDOM_SHARE` reserves
    SCORE = "score"  # the rest
    AUTO = "auto"  # no labelling credit: a budget of its own, `AGENT_AUTO_PER_DAY`


class EvictionClass(StrEnum):
    """The order in which captures are evicted from a full spool."""

    FIRST = "first"  # before all others, the lowest value first: the camera shows the like again
    BY_VALUE = "by value"  # the lowest value first
    BY_TAG = "by tag"  # by a random tag, so that what stays is still a random sample
    LAST = "last"  # only if no other capture is left; the oldest first


@dataclass(frozen=True, slots=True)
class LaneTraits:
    """The properties of a lane that the other parts of the agent use."""

    letter: str  # begins the name of a record file
    paid_from: BudgetPart
    eviction: EvictionClass
    send_order: int  # a lane with a lower number is tried first
    budget_limit: float | None = None  # share of a day's credits that the lane may take at most


LANES: Mapping[Lane, LaneTraits] = MappingProxyType(
    {
        Lane.VERDICT: LaneTraits("v", BudgetPart.SCORE, EvictionClass.LAST, 0, 0.1),
        Lane.REQUESTED: LaneTraits("q", BudgetPart.SCORE, EvictionClass.LAST, 1, 0.1),
        Lane.RANDOM: LaneTraits("r", BudgetPart.RANDOM, EvictionClass.BY_TAG, 2),
        Lane.INTERVAL: LaneTraits("i", BudgetPart.RANDOM, EvictionClass.BY_VALUE, 3),
        Lane.SCORE: LaneTraits("s", BudgetPart.SCORE, EvictionClass.BY_VALUE, 4),
        Lane.AUTO: LaneTraits("a", BudgetPart.AUTO, EvictionClass.FIRST, 5),
    }
)
"""The one table of lanes: a lane without a row here cannot be stored, paid for or sent."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """One place in a frame where the model is probably wrong."""

    rule: str
    p: float  # probability that a labeller finds an error there, 0 to 1
    label: str = ""
    box: Box | None = None  # pixels of the frame as read; None = the whole frame
    track: int | None = None  # number of the object, or of the event of a rule, over several frames
    reason: str = ""  # for people, for example "crosses the threshold on both sides"
    prior: float | None = None  # `p` before the feedback file changed it; None without such a file


@dataclass(frozen=True, slots=True)
class RuleHit:
    """A reason for a capture: a rule that named suspects, or a lane that does not look at any."""

    name: str
    score: float  # the highest `p` of that rule, 0 to 1


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a random-lane capture was drawn, so that it can be weighted."""

    slot_start: float  # seconds since 1970 UTC, by the wall clock at the capture
    slot_seconds: float
    weight: float  # seconds of the stream that this capture stands for


class VerdictKind(StrEnum):
    """What a person says of the model's output for one frame."""

    RIGHT = "right"
    WRONG = "wrong"  # something that the model reported is false, or has the wrong label
    MISSING = "missing"  # something is not reported
    UNUSABLE = "unusable"  # the image cannot be judged
    UNOBJECTED = "unobjected"  # it was shown, and nobody contradicted: no review

    @property
    def contradicts(self) -> bool:
        """Whether it says that the model failed."""
        return self in {VerdictKind.WRONG, VerdictKind.MISSING}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person said of one frame of one camera; a fact that is never changed."""

    verdict: VerdictKind
    camera: str
    moment: float  # when the frame was captured, in seconds since 1970 UTC
    at: float  # when the verdict was given, in seconds since 1970 UTC
    capture: str = ""  # id of the capture of that frame; empty if there is none
    by: str = ""  # who gave it
    note: str = ""
    inclusion_probability: float | None = None  # of `UNOBJECTED`: with which it was sampled
    of: str = ""  # id of the other capture that it was said of, which `capture` has the image of


@dataclass(frozen=True, slots=True)
class TrustedClass:
    """A class that the model may label itself, by reviews of random captures."""

    label: str
    confidence: float  # from which on it is trusted, 0 to 1
    precision_low: float  # lower bound of its precision from there on, 95 % confidence


@dataclass(frozen=True, slots=True)
class AutoLabel:
    """Why the model labelled a frame itself."""

    precision: float  # that was required of each class, `AGENT_AUTO_PRECISION`
    classes: tuple[TrustedClass, ...]  # those of the frame
    lowest: float  # confidence of its faintest object
    is_audited: bool = False  # a person is asked to review it


@dataclass(frozen=True, slots=True)
class Capture:
    """A frame to keep, with the reasons, before its image is encoded."""

    observation: Observation
    lane: Lane
    rules: tuple[RuleHit, ...]  # the highest score first
    value: float  # what eviction and delivery order by; see `expected_failures`
    sampling: Sampling | None = None
    id: str = ""
    is_degraded: bool = False  # dark, overexposed or blurred
    suspects: tuple[Suspect, ...] = ()  # the highest `p` first
    hint: str = ""  # what the purchase of credits compares, as `SendHint.text` writes it
    replaces: str | None = None  # id of a stored capture that this one makes unnecessary
    clip: Clip | None = None  # what was analysed before and after
    note: str = ""  # of the person or program that asked for it
    verdict: Verdict | None = None  # why it is a capture of the lane `verdict`
    feedback: str | None = None  # sha256 of the feedback file that its `p` rest on; None = priors
    auto: AutoLabel | None = None  # why it is a capture of the lane `auto`

    @property
    def expected_failures(self) -> float:
        """The new failures that a label is expected to show, 0 and up.

        That is the value, but for auto labels: these are ordered by their number of new objects.
        """
        return 0.0 if self.auto is not None else self.value


@dataclass(frozen=True, slots=True)
class HiddenPart:
    """A part of a frame that nobody can recognize in the stored image."""

    polygon: Polygon = ()  # a region of `AGENT_MASKS`
    box: Box | None = None  # or the place of a label of `AGENT_REDACT`; in pixels of the frame
    label: str = ""


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """An image as stored and sent: encoded once, the bytes never change."""

    data: bytes = field(repr=False)
    width: int
    height: int
    media_type: str = "image/jpeg"
    encoded_by: EncodedBy = EncodedBy.AGENT
    hidden: tuple[HiddenPart, ...] = ()
    sha256: str = ""  # hex digest of `data` where it is known; empty = not computed yet


@dataclass(frozen=True, slots=True)
class StoredCapture:
    """A capture read back from the spool, its checksum verified."""

    id: str
    record_json: bytes = field(repr=False)  # as made at capture time; sent unchanged
    record: Mapping[str, Any] = field(repr=False)  # the same, parsed
    image: bytes = field(repr=False)
    clip: bytes = field(default=b"", repr=False)  # JPEGs, one after the other; empty if it has none

    @property
    def image_sha256(self) -> str:
        """Hex digest of the image bytes, as the record states it."""
        return str(self.record["image"]["sha256"])

    @property
    def clip_sha256(self) -> str | None:
        """Hex digest of the clip's bytes, as the record states it; None if it has none."""
        return str(self.record["clip"]["sha256"]) if self.clip else None


@dataclass(frozen=True, slots=True)
class SpoolEntry:
    """What the spool's index holds of a capture."""

    id: str
    lane: Lane
    value: float  # expected new failures, 0 to 999.999, in thousandths
    sequence: int  # order in which captures were stored
    size: int  # bytes of the record file

    @property
    def random_tag(self) -> float:
        """A uniform number in [0, 1) drawn when the id was made; decides random evictions."""
        return int(self.id[-12:], 16) / 2**48


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that the endpoint stored a capture."""

    id: str
    sha256: str
    duplicate: bool = False  # the endpoint had it already
    left_out: tuple[str, ...] = ()  # sentences: what of the capture it has no place for
    clip_sha256: str | None = None  # of the clip, if the endpoint stored it too
