"""The boxes of a person compared with the model's: which are the same, which were added or removed.

Tools round positions, and scale them with the images that they export. So a box is the same as the
model's if each side differs by no more than such rounding; a person who corrects a box moves it by
more.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.dataset.annotations.boxes import AnnotatedBox
from agent.domain import Box, Polygon, VerdictKind
from agent.record.shapes import Keypoints, Visibility, area, bounds, visibility, within
from agent.record.summary import LabelledBox, confident, labelled_box

_OF_IMAGE = 0.005  # of the image's side: half of a pixel of an export that is 100 pixels wide
_OF_BOX = 0.1  # of the box's side, at most: with more, the IoU of a small box falls below 0.8
_LEAST = 1.0  # pixels
_OF_AREA = 0.05  # by which the areas of two drawings of one outline may differ

Sides = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a person made of the model's boxes."""

    same: tuple[tuple[AnnotatedBox, Mapping[str, Any]], ...]
    """Boxes with the model's detections that they are, at or above their thresholds."""

    raised: tuple[tuple[AnnotatedBox, Mapping[str, Any]], ...]
    """The same for detections below their thresholds: objects that the application did not see."""

    added: tuple[AnnotatedBox, ...]
    removed: tuple[Mapping[str, Any], ...]  # detections at or above their thresholds
    lower: int  # detections below their thresholds

    @property
    def is_untouched(self) -> bool:
        """Whether the boxes are what the model reported: at its thresholds, or all."""
        is_all = len(self.raised) == self.lower
        return not self.added and not self.removed and (not self.raised or is_all)

    @property
    def verdict(self) -> VerdictKind:
        """What it says of the model's output."""
        if self.removed:
            return VerdictKind.WRONG
        return VerdictKind.MISSING if self.added or self.raised else VerdictKind.RIGHT


def compare(
    record: Mapping[str, Any], boxes: Sequence[AnnotatedBox], grain: float = 1.0
) -> Comparison:
    """Compare all boxes of an image with the detections of its record.

    `grain` is how many pixels of the stored image one pixel of the tool's image has. Raises
    `ValueError` for a record that is not valid.
    """
    width, height = record["image"]["width"], record["image"]["height"]
    sure = [each for each in confident(record) if labelled_box(each, width, height)]
    known = set(map(id, sure))
    everything = confident({**record, "thresholds": {}})
    lower = [each for each in everything if id(each) not in known]
    lower = [each for each in lower if labelled_box(each, width, height)]
    same, left, removed = _matched(sure, boxes, record, grain)
    raised, added, _ = _matched(lower, left, record, grain)
    return Comparison(tuple(same), tuple(raised), tuple(added), tuple(removed), len(lower))


def _matched(
    detections: Sequence[Mapping[str, Any]],
    boxes: Sequence[AnnotatedBox],
    record: Mapping[str, Any],
    grain: float,
) -> tuple[list[tuple[AnnotatedBox, Mapping[str, Any]]], list[AnnotatedBox], list[Any]]:
    """Pair the nearest first; return the pairs, the boxes and the detections that are left."""
    width, height = record["image"]["width"], record["image"]["height"]
    size = width, height
    by_label = defaultdict[str, list[tuple[int, LabelledBox, tuple[float, float]]]](list)
    for place, detection in enumerate(detections):
        mine = labelled_box(detection, width, height)
        if mine is not None:
            by_label[mine.label].append((place, mine, _limits(mine, size, grain)))
    near = []
    for number, theirs in enumerate(boxes):
        if theirs.is_crowd:
            continue
        sides = _cut(theirs.box, size)
        for place, mine, limit in by_label.get(theirs.label, ()):
            # Of most pairs it is clear: there are many in a crowded image.
            if not theirs.is_bounds and abs(mine.x_min - sides[0]) > limit[0]:
                continue
            distance = _distance(mine, theirs, sides, size, limit)
            if distance is not None:
                near.append((distance, number, place))
    pairs: dict[int, int] = {}
    taken = set()
    for _, number, place in sorted(near):
        if number not in pairs and place not in taken:
            pairs[number] = place
            taken.add(place)
    return (
        [(boxes[number], detections[place]) for number, place in sorted(pairs.items())],
        [each for number, each in enumerate(boxes) if number not in pairs],
        [each for place, each in enumerate(detections) if place not in taken],
    )


def _distance(
    mine: LabelledBox,
    theirs: AnnotatedBox,
    sides: Sides,
    size: tuple[int, int],
    limit: tuple[float, float],
) -> float | None:
    """Return how far two boxes are apart, in parts of what rounding may do; None if by more."""
    nearest = min(_apart(each, sides, limit) for each in _places(mine, theirs, size))
    is_same = nearest <= 1 and _same_shape(mine, theirs, size, limit)
    return nearest if is_same else None


def _places(mine: LabelledBox, theirs: AnnotatedBox, size: tuple[int, int]) -> Iterator[Sides]:
    """Yield the box, and what else a tool may take for the bounds of the same object."""
    yield mine.sides
    if theirs.is_bounds:
        if mine.polygon:
            yield bounds(mine.polygon)
        if mine.corners:
            yield bounds(within(mine.corners, *size))
        seen = [(x, y) for x, y, seen in mine.keypoints if visibility(seen)]
        if seen and theirs.keypoints:
            yield bounds(seen)


def _limits(mine: LabelledBox, size: tuple[int, int], grain: float) -> tuple[float, float]:
    lengths = mine.x_max - mine.x_min, mine.y_max - mine.y_min
    across, down = (
        max(_LEAST, grain, min(_OF_IMAGE * side, _OF_BOX * length))
        for side, length in zip(size, lengths, strict=True)
    )
    return across, down


def _apart(mine: Sides, theirs: Sides, limit: tuple[float, float]) -> float:
    return max(
        abs(a - b) / limit[axis % 2] for axis, (a, b) in enumerate(zip(mine, theirs, strict=True))
    )


def _same_shape(
    mine: LabelledBox, theirs: AnnotatedBox, size: tuple[int, int], limit: tuple[float, float]
) -> bool:
    """Whether the shapes of an object are the same, as far as both have them."""
    outline = shape_of(theirs)
    if mine.corners and len(outline) == len(mine.corners):
        ours = mine.corners, within(mine.corners, *size)
        return any(_same_corners(each, outline, limit) for each in ours)
    if mine.polygon and outline:
        larger = max(area(mine.polygon), area(outline))
        smaller = min(area(mine.polygon), area(outline))
        if smaller < (1 - _OF_AREA) * larger - 2 * max(limit) * _around(mine.polygon):
            return False
    return not (mine.keypoints and theirs.keypoints) or _same_points(
        mine.keypoints, theirs.keypoints, limit
    )


def shape_of(box: AnnotatedBox) -> Polygon:
    """Return the outline that a person gave, if it is more than the upright box."""
    outline = box.corners or box.polygon
    if len(outline) < 3:  # noqa: PLR2004
        return ()
    sides = box.box.x_min, box.box.x_max, box.box.y_min, box.box.y_max
    is_upright = len(outline) == 4 and all(  # noqa: PLR2004
        min(abs(x - sides[0]), abs(x - sides[1])) < _LEAST / 2
        and min(abs(y - sides[2]), abs(y - sides[3])) < _LEAST / 2
        for x, y in outline
    )
    return () if is_upright else outline


def _same_corners(mine: Polygon, theirs: Polygon, limit: tuple[float, float]) -> bool:
    """Whether two outlines are the same from any corner on, in either direction."""
    turns = [(*each[n:], *each[:n]) for each in (theirs, theirs[::-1]) for n in range(len(theirs))]
    return any(
        all(
            abs(a[0] - b[0]) <= limit[0] and abs(a[1] - b[1]) <= limit[1]
            for a, b in zip(mine, turn, strict=True)
        )
        for turn in turns
    )


def _same_points(mine: Keypoints, theirs: Keypoints, limit: tuple[float, float]) -> bool:
    if len(mine) != len(theirs):
        return False
    for (x, y, ours), (across, down, other) in zip(mine, theirs, strict=True):
        seen = visibility(ours), visibility(other)
        if (seen[0] is Visibility.NOT_LABELLED) is not (seen[1] is Visibility.NOT_LABELLED):
            return False
        if all(seen) and (abs(x - across) > limit[0] or abs(y - down) > limit[1]):
            return False
    return True


def _around(polygon: Polygon) -> float:
    """Return half of the length around the bounds of a polygon."""
    left, top, right, bottom = bounds(polygon)
    return right - left + bottom - top


def _cut(box: Box, size: tuple[int, int]) -> Sides:
    """Return a box within the image, as the model's are cut."""
    width, height = size
    return (
        min(max(box.x_min, 0.0), width),
        min(max(box.y_min, 0.0), height),
        min(max(box.x_max, 0.0), width),
        min(max(box.y_max, 0.0), height),
    )
