"""What is examined: the images of a dataset with their labels, from whichever layout."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from agent.dataset.moments import Moment


class Layout(StrEnum):
    """How a dataset lies on disk."""

    CAPTURES = "captures"  # a dataset folder of the agent, with records
    YOLO = "yolo"  # images, label files and data.yaml
    COCO = "coco"  # images and JSON files of annotations
    FOLDERS = "folders"  # of a classifier: a folder for each class


class ProblemKind(StrEnum):
    """What is wrong with a file or label."""

    NO_IMAGE = "image missing"
    BAD_IMAGE = "image unreadable"
    BAD_RECORD = "record invalid"
    BAD_FILE = "file of labels unreadable"
    BAD_ROW = "label invalid"
    UNKNOWN_CLASS = "label outside of the class list"
    BOX_OUTSIDE = "box outside of the image"
    TINY_BOX = "box below 3 pixels"
    SAME_BOX = "box given twice"
    NO_RECORD = "image without record"
    ORPHAN_LABEL = "labels without image"
    BAD_VERDICT = "verdict invalid"
    IN_TWO_SPLITS = "image in two splits"
    OUTSIDE = "path outside of the dataset"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the dataset that cannot be used as it is."""

    kind: ProblemKind
    where: str  # file, below the dataset folder
    why: str = ""
    image: str = ""  # name of the image concerned, if it is one of the dataset


@dataclass(frozen=True, slots=True)
class HealthObject:
    """One object; left, top, right and bottom as shares of the image's width and height."""

    label: str
    box: tuple[float, float, float, float]

    @property
    def centre(self) -> tuple[float, float]:
        """The centre of the part inside of the image, each coordinate from 0 to 1."""
        left, top, right, bottom = (min(max(each, 0.0), 1.0) for each in self.box)
        return (left + right) / 2, (top + bottom) / 2

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the part inside of the image, as shares."""
        left, top, right, bottom = (min(max(each, 0.0), 1.0) for each in self.box)
        return max(0.0, right - left), max(0.0, bottom - top)


@dataclass(frozen=True, slots=True)
class HealthImage:
    """One image and what the dataset says of it."""

    name: str  # of its own in the dataset: id of the capture, or its path without suffix
    path: Path
    objects: tuple[HealthObject, ...] | None  # None = not known
    classes: tuple[str, ...] = ()  # of a classifier's image
    is_labelled: bool = True  # it has a file of labels, an entry or a record
    split: str = ""
    origin: str = ""
    review: str = ""
    lane: str = ""
    rules: tuple[str, ...] = ()
    moment: Moment | None = None

    @property
    def labels(self) -> set[str]:
        """The classes that it shows."""
        return {each.label for each in self.objects or ()} | set(self.classes)

    @property
    def is_empty(self) -> bool:
        """Whether it is known to show nothing."""
        return self.objects == () and not self.classes


@dataclass(slots=True)
class Subject:
    """A dataset as it was found."""

    directory: Path
    layout: Layout
    names: list[str] = field(default_factory=list)  # its class list
    images: list[HealthImage] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    synthetic: int = 0  # variants of other images, which are not examined

    def add_problem(self, kind: ProblemKind, path: Path, why: object = "", image: str = "") -> None:
        """Note a problem of a file."""
        self.problems.append(Problem(kind, self.name_of(path), str(why), image))

    def name_of(self, path: Path) -> str:
        """Return the path below the dataset folder."""
        if path.is_relative_to(self.directory):
            return path.relative_to(self.directory).as_posix()
        return path.as_posix()
