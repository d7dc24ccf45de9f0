"""How many objects and images a dataset has of each class, and how many it should have."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import ceil

LEAST_TARGET = 100
"""Objects of a class that are wanted at least."""

HIGHEST_TARGET = 1500
"""Objects of a class above which the default target does not rise."""

FEW_IMAGES = 25
"""Images of a class below which each more helps most, synthetic ones too."""

UNDER = 0.25
"""Share of the most frequent class's objects below which a class is under-represented."""


class Representation(StrEnum):
    """Whether a class has enough objects beside the most frequent one."""

    FAIR = "fair"
    UNDER = "under"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class ClassBalance:
    """One class of a dataset."""

    label: str
    objects: int
    images: int  # that show at least one of its objects
    target: int  # objects
    share: float  # of the most frequent class's objects, 0 to 1

    @property
    def deficit(self) -> int:
        """Objects that the class lacks."""
        return max(0, self.target - self.objects)

    @property
    def representation(self) -> Representation:
        """Whether the class is under-represented."""
        if not self.objects:
            return Representation.MISSING
        return Representation.UNDER if self.share < UNDER else Representation.FAIR


def default_target(objects: Mapping[str, int]) -> int:
    """Return a quarter of the most frequent class's objects, within 100 and 1,500."""
    most = max(objects.values(), default=0)
    return min(max(LEAST_TARGET, ceil(most * UNDER)), HIGHEST_TARGET)


def class_balance(
    objects: Mapping[str, int],
    images: Mapping[str, int],
    *,
    target: int | None = None,
    targets: Mapping[str, int] | None = None,
) -> list[ClassBalance]:
    """Return the balance of each class of `objects`, in that order.

    `objects` and `images`: objects, and images that show one, by label; a class of the list that
    was never seen has 0. `target`: objects wanted of each class, `default_target` if None;
    `targets` has those of single classes.
    """
    wanted = default_target(objects) if target is None else target
    most = max(objects.values(), default=0)
    return [
        ClassBalance(
            label=label,
            objects=count,
            images=images.get(label, 0),
            target=(targets or {}).get(label, wanted),
            share=count / most if most else 0.0,
        )
        for label, count in objects.items()
    ]
