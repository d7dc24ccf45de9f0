"""What is in an export: captures with their split and their objects, and its version. Pure.

The version is a hash of the content alone: the same captures, labels and splits have the same
version on whichever machine and in whichever order they arrived.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from agent.dataset.leakage import Leak
from agent.dataset.reviews import LabelOrigin, Objects, Review
from agent.dataset.splits import Split, SplitTerms
from agent.dataset.yolo import LabelForm
from agent.record.summary import LabelledBox, labelled_box
from agent.record.synthetic import parent_of
from agent.record.verdicts import own_verdicts

_DIGITS = 2  # of positions in pixels, as records have them

UNTOUCHED = (LabelOrigin.MODEL, LabelOrigin.AUTO)
"""Origins whose labels are the model's and nobody has looked at."""


@dataclass(frozen=True, slots=True)
class ExportedObject:
    """One object in the image of an exported capture."""

    number: int  # of its class
    box: LabelledBox
    is_crowd: bool = False  # the box is around many objects
    score: float | None = None  # the model's confidence; None where a person drew it


@dataclass(frozen=True, slots=True)
class ExportedCapture:
    """One capture of an export."""

    id: str
    split: Split
    record: Mapping[str, Any]
    image_path: Path  # of its image in the dataset folder
    origin: LabelOrigin
    review: Review | None
    objects: tuple[ExportedObject, ...] = ()
    classes: tuple[int, ...] = ()  # numbers of a classifier's classes, the main one first

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the image in pixels."""
        return self.record["image"]["width"], self.record["image"]["height"]

    @property
    def facts(self) -> dict[str, Any]:
        """What `captures.jsonl` says of it."""
        said = [line["verdict"] for line in own_verdicts(self.record)]
        facts: dict[str, Any] = {
            "id": self.id,
            "split": self.split.value,
            "device": self.record.get("device"),
            "camera": self.record.get("camera"),
            "captured_at": self.record.get("captured_at"),
            "lane": self.record.get("lane"),
            "origin": self.origin.value,
            "verdict": None if self.review is None else self.review.verdict.value,
            "by": None if self.review is None else self.review.by,
            "sha256": self.record["image"].get("sha256"),
            "objects": len(self.objects) if "detections" in self.record else None,
        }
        if said:  # by people beside the device, unasked
            facts["said"] = said
        if parent := parent_of(self.record):
            facts["parent"] = parent
        return facts


@dataclass(frozen=True)
class Contents:
    """All that an export is made of."""

    form: LabelForm | None  # of the labels; None for a classifier
    classes: Sequence[str]  # by number
    captures: Sequence[ExportedCapture]  # in the order of their ids
    left_out: Mapping[str, int]  # reason -> how many captures
    leaks: Mapping[Split, Sequence[Leak]]
    terms: SplitTerms
    origins: Sequence[LabelOrigin]
    parents: Sequence[Mapping[str, Any]] = ()  # the dataset folders that it was made from
    damaged: Sequence[str] = ()  # captures without a valid record, or without its image
    notes: Sequence[str] = field(default_factory=tuple)  # warnings for people

    @property
    def task(self) -> str:
        """Name of the task."""
        return "classify" if self.form is None else self.form.folder

    def of(self, split: Split) -> list[ExportedCapture]:
        """Return the captures of a split."""
        return [each for each in self.captures if each.split is split]

    def counts(self) -> dict[str, dict[str, int]]:
        """Return how many captures of each origin are in each split."""
        return {
            split.value: dict(sorted(Counter(each.origin.value for each in self.of(split)).items()))
            for split in Split
        }

    @cached_property
    def version(self) -> str:
        """The sha256 of the content in hex."""
        digest = hashlib.sha256()
        digest.update(_canonical([self.task, list(self.classes)]))
        for each in self.captures:
            digest.update(_canonical([each.facts, [_row(one) for one in each.objects]]))
            digest.update(_canonical(each.classes))
        return digest.hexdigest()


def exported_objects(
    known: Objects, review: Review | None, numbers: Sequence[int], width: int, height: int
) -> tuple[ExportedObject, ...]:
    """Return known objects within an image of `width` x `height` pixels, with their numbers.

    Raises `ValueError` for a box that is not four finite numbers.
    """
    made = []
    is_of_person = review is not None and review.boxes is not None
    for each, number in zip(known.objects or (), numbers, strict=True):
        box = labelled_box(each, width, height)
        if box is not None:
            score = None if is_of_person else round(box.confidence, 4)
            made.append(ExportedObject(number, box, bool(each.get("iscrowd")), score))
    return tuple(made)


def _row(one: ExportedObject) -> list[Any]:
    """Return an object as the version sees it."""
    box = one.box
    shapes = (box.polygon, box.keypoints, box.corners)
    return [
        one.number,
        [round(side, _DIGITS) for side in box.sides],
        [[[round(n, _DIGITS) for n in point] for point in shape] for shape in shapes],
        one.is_crowd,
        one.score,
    ]


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n"
