"""Which captures may become parents of variants."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.dataset.captures import DatasetCapture
from agent.dataset.reviews import LabelOrigin, Objects, Review, objects_of
from agent.dataset.synthesis.needs import Shown
from agent.dataset.synthesis.sides import may_flip
from agent.domain import Lane
from agent.record.synthetic import is_synthetic

_KNOWN = (LabelOrigin.REVIEWED, LabelOrigin.CORRECTED)


@dataclass(frozen=True, slots=True)
class Parent:
    """A reviewed capture whose variants are training material."""

    id: str
    record: Mapping[str, Any]
    image_path: Path
    shown: Shown
    may_flip: bool

    @property
    def camera(self) -> str:
        """Where it was taken."""
        return f"{self.record.get('device')} {self.record.get('camera')}"

    @property
    def is_classified(self) -> bool:
        """Whether it has classes instead of objects."""
        return "classes" in self.record


@dataclass(frozen=True, slots=True)
class Parents:
    """The captures of a dataset that may become parents, and why the others may not."""

    parents: tuple[Parent, ...]
    left_out: Mapping[str, int]  # captures by reason


def parents_of(
    captures: Mapping[str, DatasetCapture],
    reviews: Mapping[str, Review],
    *,
    classes: Collection[str],
    flips: bool = True,
    never_flip: Collection[str] = (),
) -> Parents:
    """Choose the parents; `classes` are all class names of the dataset.

    A capture drawn at random is never one: random captures are the test set, and a variant would
    carry their content into training.
    """
    parents, left_out = [], Counter[str]()
    for name, capture in sorted(captures.items()):
        found = objects_of(capture.record, reviews.get(name))
        if reason := _refusal(capture.record, found):
            left_out[reason] += 1
            continue
        objects, image = found.objects or (), capture.record["image"]
        parents.append(
            Parent(
                name,
                capture.record,
                capture.image_path,
                Shown(objects, found.classes or (), image["width"], image["height"]),
                flips and may_flip(_faces(found), classes, never_flip),
            )
        )
    return Parents(tuple(parents), dict(sorted(left_out.items())))


def _refusal(record: Mapping[str, Any], found: Objects) -> str:
    """Return why a capture is no parent; empty if it is one."""
    if is_synthetic(record):
        return "synthetic"
    if record["lane"] == Lane.RANDOM:
        return "random lane: the test set"
    if found.origin not in _KNOWN:
        return "not reviewed"
    return "" if found.is_known else "its objects are not known"


def _faces(found: Objects) -> tuple[Mapping[str, Any], ...]:
    """Return what must not be mirrored if it has a side: objects, or classes of the image."""
    return found.objects or tuple({"label": label} for label in found.classes or ())
