"""What a dataset lacks, and how much of it a capture adds."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.dataset.health.gaps import LIGHTS, PLACES, SIZES, Gap, GapKind
from agent.dataset.synthesis.affine import Sides
from agent.record.summary import sides

_SIZE_LIMITS = (0.0, 32.0**2, 96.0**2, math.inf)  # square pixels, between COCO's sizes
_LIGHT_LIMITS = (0.0, 256 / 3, 512 / 3, 256.0)  # mean grey levels, between the thirds

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Need:
    """One gap, with the numbers that a variant is held against."""

    kind: GapKind
    label: str  # of the class that lacks it; empty: images of any class
    value: str  # as the health check names it, such as `dark` or `small`
    missing: float  # objects, or images for a light; above 0
    target: float  # how many there should be
    low: float = 0.0  # of a light: mean grey level 0 to 255; of a size: area in square pixels
    high: float = math.inf  # the first value above the range
    place: Sides = (0.0, 0.0, 1.0, 1.0)  # in shares of the image's width and height

    def __str__(self) -> str:
        words = (self.value, self.label) if self.kind is not GapKind.CLASS else (self.label,)
        return " ".join(filter(None, (f"{self.kind}:", *words)))

    def wants(self, shown: Object, width: int, height: int) -> bool:
        """Whether an object in an image of this size is one of those that are missing."""
        if self.kind is GapKind.LIGHT or (self.label and shown["label"] != self.label):
            return False
        left, top, right, bottom = sides(shown)
        if self.kind is GapKind.SIZE:
            return self.low <= (right - left) * (bottom - top) < self.high
        x, y = (left + right) / 2 / width, (top + bottom) / 2 / height
        return self.place[0] <= x < self.place[2] and self.place[1] <= y < self.place[3]

    def of_label(self, objects: Sequence[Object]) -> list[Object]:
        """Return the objects that an operation may bring into the range."""
        return [each for each in objects if not self.label or each["label"] == self.label]


@dataclass(frozen=True, slots=True)
class Shown:
    """What an image shows: of a detector its objects, of a classifier its classes."""

    objects: Sequence[Object]
    classes: Collection[str]
    width: int  # pixels
    height: int
    light: float | None = None  # mean grey level; None while the image was not read

    def adds(self, need: Need) -> float:
        """Return how much of a need this image fills, in the unit of `Need.missing`."""
        if need.kind is GapKind.LIGHT:
            return float(self.light is not None and need.low <= self.light < need.high)
        found = sum(need.wants(each, self.width, self.height) for each in self.objects)
        return float(found + (need.kind is GapKind.CLASS and need.label in self.classes))


def needs_of(gaps: Sequence[Gap]) -> list[Need]:
    """Return what variants can fill of what the health check found."""
    return [_need(gap) for gap in gaps if gap.missing > 0 and gap.wanted > 0]


def _need(gap: Gap) -> Need:
    low, high, place = 0.0, math.inf, (0.0, 0.0, 1.0, 1.0)
    if gap.kind is GapKind.LIGHT:
        number = LIGHTS.index(gap.value)
        low, high = _LIGHT_LIMITS[number], _LIGHT_LIMITS[number + 1]
    elif gap.kind is GapKind.SIZE:
        number = SIZES.index(gap.value)
        low, high = _SIZE_LIMITS[number], _SIZE_LIMITS[number + 1]
    elif gap.kind is GapKind.PLACE:
        row, column = next(
            (row, names.index(gap.value)) for row, names in enumerate(PLACES) if gap.value in names
        )
        place = (column / 3, row / 3, (column + 1) / 3, (row + 1) / 3)
    return Need(
        gap.kind, gap.label, gap.value, float(gap.missing), float(gap.wanted), low, high, place
    )
