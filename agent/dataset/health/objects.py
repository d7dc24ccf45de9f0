"""What the labels of a dataset say: classes, places, sizes and counts of objects."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from agent.dataset.health.balance import class_balance
from agent.dataset.health.examine import Examined
from agent.dataset.health.findings import ImagesByKey
from agent.dataset.health.gaps import SIZES
from agent.dataset.health.subject import HealthObject, ProblemKind, Subject
from agent.domain import Box
from agent.pages.charts import bin_of
from agent.selection.tracker import iou_matrix

MAP_SIDE = 16
"""Cells across and down of the map of places."""

SMALL, MEDIUM = 32 * 32, 96 * 96
"""Areas in pixels of the image, below which COCO calls an object small and medium."""

SIDES = (0.0, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0)
"""Edges of the histogram of sizes: the square root of the share of the image's area."""

COUNTS_MAX = 10
"""Objects of one image from which on images are counted together."""

TINY = 3.0  # pixels of a side below which nothing can be learnt from a box
_SAME_IOU = 0.95  # of two boxes of one label, from which on one of them is superfluous
_COMPARED = 300  # objects of one image that are compared with each other
_FAR = 10.0  # sides of the image from it, beyond which a box is cut when it is compared
_SCALE = 1000.0  # of shares when they are compared: as if the image had so many pixels
_TOLERANCE = 0.01  # of a side of the image, by which a box may reach out of it


@dataclass(frozen=True, slots=True)
class Targets:
    """How many objects of each class are wanted."""

    every: int | None = None  # None: by the most frequent class
    single: tuple[tuple[str, int], ...] = ()


def classes(
    subject: Subject, examined: Sequence[Examined], targets: Targets, found: ImagesByKey
) -> list[dict[str, Any]]:
    """Return each class with its objects, images, target and deficit; the class list comes first.

    Of a classifier each image counts as an object of its class.
    """
    objects: Counter[str] = Counter(dict.fromkeys(subject.names, 0))
    images: Counter[str] = Counter()
    for number, each in enumerate(examined):
        objects.update(one.label for one in each.image.objects or ())
        objects.update(each.image.classes)
        for label in each.image.labels:
            images[label] += 1
            found.add(f"class:{label}", number)
    balance = class_balance(objects, images, target=targets.every, targets=dict(targets.single))
    return [
        {
            **asdict(each),
            "share": round(each.share, 4),
            "deficit": each.deficit,
            "representation": each.representation.value,
            "is_in_list": not subject.names or each.label in subject.names,
        }
        for each in balance
    ]


def places(examined: Sequence[Examined], found: ImagesByKey) -> dict[str, Any]:
    """Return maps of 16 x 16 cells, and of ninths: in which cell the centre of each object is.

    Rows come from the top, by label; `""` is all labels together.
    """
    maps: dict[str, list[list[int]]] = {"": _zeros(MAP_SIDE)}
    ninths: dict[str, list[list[int]]] = {}
    for number, one in _objects(examined):
        x, y = one.centre
        column, row = _cell(x, MAP_SIDE), _cell(y, MAP_SIDE)
        for label in ("", one.label):
            maps.setdefault(label, _zeros(MAP_SIDE))[row][column] += 1
            found.add(f"place:{row}:{column}:{label}", number)
        ninths.setdefault(one.label, _zeros(3))[_cell(y, 3)][_cell(x, 3)] += 1
    return {"side": MAP_SIDE, "maps": maps, "ninths": ninths}


def sizes(examined: Sequence[Examined], found: ImagesByKey) -> dict[str, Any]:
    """Return how many objects are small, medium and large, and a histogram of their sizes."""
    labels: dict[str, dict[str, int]] = {}
    histogram = [0] * (len(SIDES) - 1)
    for number, one in _objects(examined):
        across, down = one.size
        place = bin_of((across * down) ** 0.5, SIDES)
        histogram[place] += 1
        found.add(f"side:{place}", number)
        facts = examined[number].facts
        if facts is None:
            continue
        area = across * facts.width * down * facts.height
        size = SIZES[(area >= SMALL) + (area >= MEDIUM)]
        labels.setdefault(one.label, dict.fromkeys(SIZES, 0))[size] += 1
        found.add(f"size:{size}:{one.label}", number)
        found.add(f"size:{size}:", number)
    every = {size: sum(each[size] for each in labels.values()) for size in SIZES}
    return {"all": every, "labels": labels, "sides": list(SIDES), "histogram": histogram}


def counts(examined: Sequence[Examined], found: ImagesByKey) -> dict[str, Any]:
    """Return how many images have 0, 1, 2, ... objects; the last entry has those with more."""
    histogram = [0] * (COUNTS_MAX + 1)
    known = [
        (number, len(each.image.objects))
        for number, each in enumerate(examined)
        if each.image.objects is not None and not each.image.classes
    ]
    for number, count in known:
        place = min(count, COUNTS_MAX)
        histogram[place] += 1
        found.add(f"count:{place}", number)
    total = sum(count for _, count in known)
    return {
        "histogram": histogram,
        "mean": round(total / len(known), 2) if known else None,
        "most": max((count for _, count in known), default=0),
    }


def note_problems(subject: Subject, examined: Sequence[Examined]) -> None:
    """Note images that are missing or unreadable, and boxes that cannot be right."""
    known = set(subject.names)
    for each in examined:
        image = each.image
        if each.facts is None:
            kind = ProblemKind.NO_IMAGE if each.is_missing else ProblemKind.BAD_IMAGE
            subject.add_problem(kind, image.path, each.why, image.name)
        for label in sorted(image.labels - known if known else ()):
            subject.add_problem(ProblemKind.UNKNOWN_CLASS, image.path, label, image.name)
        for kind, one in _odd_boxes(each):
            subject.add_problem(kind, image.path, one.label, image.name)


def _odd_boxes(each: Examined) -> Iterator[tuple[ProblemKind, HealthObject]]:
    objects = each.image.objects or ()
    for one in objects:
        left, top, right, bottom = one.box
        low, high = -_TOLERANCE, 1 + _TOLERANCE
        if min(left, top) < low or max(right, bottom) > high:
            yield ProblemKind.BOX_OUTSIDE, one
        across, down = one.size
        width, height = (each.facts.width, each.facts.height) if each.facts else (1e9, 1e9)
        if across * width < TINY or down * height < TINY:
            yield ProblemKind.TINY_BOX, one
    for label in sorted({one.label for one in objects}):
        of_label = [one for one in objects if one.label == label][:_COMPARED]
        boxes = [_scaled(one) for one in of_label]
        overlaps = np.triu(iou_matrix(boxes, boxes) >= _SAME_IOU, k=1).any(axis=0)
        yield from ((ProblemKind.SAME_BOX, of_label[place]) for place in np.flatnonzero(overlaps))


def _scaled(one: HealthObject) -> Box:
    """Return a box in thousandths of the image; of one far outside, the part near the image."""
    left, top, right, bottom = (min(max(side, -_FAR), _FAR) * _SCALE for side in one.box)
    return Box(left, top, right, bottom)


def _objects(examined: Sequence[Examined]) -> Iterator[tuple[int, HealthObject]]:
    for number, each in enumerate(examined):
        for one in each.image.objects or ():
            yield number, one


def _zeros(side: int) -> list[list[int]]:
    return [[0] * side for _ in range(side)]


def _cell(share: float, side: int) -> int:
    return min(int(share * side), side - 1)


def thirds_of(ninths: Mapping[str, list[list[int]]], label: str) -> dict[str, float]:
    """Return the share of a label's objects in each third of the image, across and down."""
    grid = ninths[label]
    total = sum(map(sum, grid)) or 1
    rows = [sum(row) / total for row in grid]
    columns = [sum(row[column] for row in grid) / total for column in range(3)]
    names = ("upper", "middle", "lower"), ("left", "centre", "right")
    return dict(zip(names[0], rows, strict=True)) | dict(zip(names[1], columns, strict=True))
