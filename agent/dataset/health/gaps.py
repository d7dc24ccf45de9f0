"""What a dataset lacks, as amounts that `capture-agent dataset synthesize` can fill."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import ceil
from typing import Any

SIZES = ("small", "medium", "large")
"""Sizes of objects, as COCO counts them: area below 32 x 32 pixels, below 96 x 96, and above."""

LIGHTS = ("dark", "medium", "bright")
"""Thirds of the mean brightness of an image."""

PLACES = (
    ("top left", "top", "top right"),
    ("left", "centre", "right"),
    ("bottom left", "bottom", "bottom right"),
)
"""Ninths of an image, row by row; an object is where its centre is."""

WANTED_SHARE = 0.1
"""Share of the images in each light, and of a class's objects in each size, that is wanted."""

FEWEST = 20
"""Images, or objects of a class, below which their distribution says nothing."""

_RARE_PLACE = 0.02  # share of a class's objects below which a place is missing
_USED_PLACE = 0.05  # share of the other classes' objects from which objects can be at a place


class GapKind(StrEnum):
    """What is missing."""

    CLASS = "class"
    LIGHT = "light"
    SIZE = "size"
    PLACE = "place"


@dataclass(frozen=True, slots=True, order=True)
class Gap:
    """One thing that a dataset has too little of."""

    kind: GapKind
    label: str  # of the class that lacks it; empty: images of any class
    value: str  # one of LIGHTS, SIZES or PLACES; of a class `objects`
    have: int  # objects; images for a light
    wanted: int

    @property
    def missing(self) -> int:
        """Objects, or images for a light, that are missing."""
        return self.wanted - self.have


def gaps(health: Mapping[str, Any]) -> list[Gap]:
    """Return what is missing by a `health.json`, the largest share first in each kind.

    The kinds come in the order of `GapKind`. A class that was never seen is no gap: variants of
    images cannot show it. A place is missing only where other classes have objects.
    """
    found = [
        *_classes(health["classes"]),
        *_lights(health["light"]["levels"]),
        *_sizes(health["sizes"]["labels"]),
        *_places(health["places"]["ninths"]),
    ]
    order = list(GapKind)
    return sorted(found, key=lambda gap: (order.index(gap.kind), -gap.missing / gap.wanted, gap))


def _classes(classes: list[Mapping[str, Any]]) -> Iterator[Gap]:
    for each in classes:
        if 0 < each["objects"] < each["target"]:
            yield Gap(GapKind.CLASS, each["label"], "objects", each["objects"], each["target"])


def _lights(levels: Mapping[str, int]) -> Iterator[Gap]:
    total = sum(levels.values())
    for light in LIGHTS:
        yield from _below(GapKind.LIGHT, "", light, levels.get(light, 0), total)


def _sizes(labels: Mapping[str, Mapping[str, int]]) -> Iterator[Gap]:
    for label, sizes in labels.items():
        total = sum(sizes.values())
        for size in SIZES:
            yield from _below(GapKind.SIZE, label, size, sizes.get(size, 0), total)


def _below(kind: GapKind, label: str, value: str, have: int, total: int) -> Iterator[Gap]:
    wanted = ceil(total * WANTED_SHARE)
    if total >= FEWEST and have < wanted:
        yield Gap(kind, label, value, have, wanted)


def _places(ninths: Mapping[str, list[list[int]]]) -> Iterator[Gap]:
    totals = [[sum(map_[row][column] for map_ in ninths.values()) for column in range(3)]
              for row in range(3)]  # fmt: skip
    every = sum(map(sum, totals))
    for label, counts in ninths.items():
        own = sum(map(sum, counts))
        others = every - own
        if own < FEWEST or not others:
            continue
        for row, names in enumerate(PLACES):
            for column, name in enumerate(names):
                have = counts[row][column]
                used = (totals[row][column] - have) / others
                if have < _RARE_PLACE * own and used >= _USED_PLACE:
                    yield Gap(GapKind.PLACE, label, name, have, ceil(own * _USED_PLACE))
