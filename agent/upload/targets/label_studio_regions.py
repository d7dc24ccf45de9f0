"""The objects of a capture as Label Studio regions, and sentences on what a project cannot show.

Label Studio refuses a prediction whole, or hides it, for one label or number that it does not take.
Limits of numbers: `RectangleValue`, `PolygonValue` and `KeyPointValue` in label-studio-sdk
(Apache-2.0), which take at most 100 percent and 360 degrees.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.domain import Polygon, Task
from agent.printable import printable
from agent.record.shapes import Visibility, keypoint_names, visibility, within
from agent.record.summary import LabelledBox, Labels
from agent.upload.targets.label_names import missing

_POINT_WIDTH = 1.0  # percent of the image's width, as large as a keypoint is drawn
_NO_POLYGONS = "the project has no <PolygonLabels>, so outlines arrive as rectangles"
_NO_RECTANGLES = "the project has no <RectangleLabels>, so rotated boxes arrive as polygons"
_NO_KEYPOINTS = "the project has no <KeyPointLabels>, so keypoints do not arrive, only their boxes"
_TOO_FAR = "a rotated box reaches too far out of its image, so it arrives as an upright rectangle"
_SHOWN = 100  # characters of a list of keypoints


@dataclass(frozen=True, slots=True)
class Control:
    """A tag of a labelling interface that takes regions of one kind."""

    name: str
    labels: frozenset[str] = frozenset()

    def takes(self, label: str) -> bool:
        """Whether a region may have this label."""
        return label in self.labels


@dataclass(frozen=True, slots=True)
class Controls:
    """The tags of one image that take regions; None where there is none."""

    image: str  # name of the tag that shows the image
    boxes: Control | None = None
    polygons: Control | None = None
    keypoints: Control | None = None

    @property
    def labels(self) -> frozenset[str]:
        """All labels that an object may have."""
        return frozenset().union(*(c.labels for c in (self.boxes, self.polygons) if c is not None))


@dataclass(slots=True)
class Regions:
    """What arrives of the objects of one image."""

    result: list[dict[str, Any]] = field(default_factory=list)
    confidences: list[float] = field(default_factory=list)  # of the objects that arrive
    left_out: dict[str, None] = field(default_factory=dict)  # sentences, each once


def regions_of(labels: Labels, controls: Controls) -> Regions:
    """Return the regions of all objects that have a label in the project."""
    made = Regions()
    for number, box in enumerate(labels.boxes):
        shape = _shape(box, labels, controls, made)
        if shape is None:
            continue
        made.confidences.append(box.confidence)
        made.result.append(shape)
        if box.keypoints:
            points = list(_keypoints(box, labels, controls, made))
            if points:
                shape["id"] = f"object-{number}"
                made.result += [{**point, "parentID": shape["id"]} for point in points]
    made.left_out |= dict.fromkeys(missing({box.label for box in labels.boxes}, controls.labels))
    return made


def cannot_show(task: Task, controls: Controls) -> str | None:
    """Return what of a model's output would not arrive as it is; None if all would."""
    if task is Task.SEGMENT and controls.polygons is None:
        return f"{_NO_POLYGONS}; add <PolygonLabels> with your labels"
    if task is Task.POSE and controls.keypoints is None:
        return f"{_NO_KEYPOINTS}; add <KeyPointLabels> with the names of the keypoints"
    return None


def _shape(
    box: LabelledBox, labels: Labels, controls: Controls, made: Regions
) -> dict[str, Any] | None:
    """Return the region of one object; None if the project has no label for it."""
    boxes = controls.boxes if controls.boxes and controls.boxes.takes(box.label) else None
    polygons = controls.polygons
    polygons = polygons if polygons is not None and polygons.takes(box.label) else None
    if box.polygon and polygons is not None:
        return _polygon(box, box.polygon, labels, controls, polygons)
    if boxes is None and polygons is not None:
        if box.corners and controls.boxes is None:
            made.left_out[_NO_RECTANGLES] = None
        outline = within(box.corners, labels.width, labels.height) or box.rectangle
        return _polygon(box, outline, labels, controls, polygons)
    if boxes is None:
        return None
    if box.polygon:
        text = _NO_POLYGONS
        if controls.polygons is not None:
            label = printable(box.label, _SHOWN)
            text = f"<PolygonLabels> has no label {label}, so its outlines arrive as rectangles"
        made.left_out[text] = None
    if box.corners:
        rotated = _rotated(box.corners, labels)
        if rotated is not None:
            return _region(box, "rectanglelabels", rotated, labels, controls, boxes)
        made.left_out[_TOO_FAR] = None
    upright = {
        "x": 100 * box.x_min / labels.width,
        "y": 100 * box.y_min / labels.height,
        "width": 100 * (box.x_max - box.x_min) / labels.width,
        "height": 100 * (box.y_max - box.y_min) / labels.height,
        "rotation": 0,
    }
    return _region(box, "rectanglelabels", upright, labels, controls, boxes)


def _rotated(corners: Polygon, labels: Labels) -> dict[str, float] | None:
    """Return a rotated box as its first corner, its sides and the angle of the first one.

    Sides are in percent of the image's width and height before the rotation, so one that is
    upright in a wide image may have more than 100: then another corner is the first.
    None if no corner gives numbers that Label Studio takes.
    """
    for first in range(len(corners)):
        start, along, _, down = (*corners[first:], *corners[:first])
        angle = math.degrees(math.atan2(along[1] - start[1], along[0] - start[0])) % 360
        made = {
            "x": 100 * start[0] / labels.width,
            "y": 100 * start[1] / labels.height,
            "width": 100 * math.dist(start, along) / labels.width,
            "height": 100 * math.dist(start, down) / labels.height,
        }
        if all(abs(value) <= 100 for value in made.values()):  # noqa: PLR2004
            return {**made, "rotation": angle}
    return None


def _polygon(
    box: LabelledBox, points: Polygon, labels: Labels, controls: Controls, control: Control
) -> dict[str, Any]:
    value = {"points": _percent(points, labels), "closed": True}
    return _region(box, "polygonlabels", value, labels, controls, control)


def _keypoints(
    box: LabelledBox, labels: Labels, controls: Controls, made: Regions
) -> Iterator[dict[str, Any]]:
    """Return a region for each keypoint that the model saw or guessed.

    It has the keypoint's name as label, or the object's where the project has that one alone.
    """
    control, names = controls.keypoints, keypoint_names(len(box.keypoints))
    if control is None:
        made.left_out[_NO_KEYPOINTS] = None
        return
    known = [name if control.takes(name) else box.label for name in names]
    absent = [name for name, label in zip(names, known, strict=True) if not control.takes(label)]
    if absent:
        shown = printable(", ".join(absent), _SHOWN)
        made.left_out[f"<KeyPointLabels> has no label {shown}; these keypoints do not arrive"] = (
            None
        )
    for label, (x, y, confidence) in zip(known, box.keypoints, strict=True):
        if control.takes(label) and visibility(confidence) is not Visibility.NOT_LABELLED:
            ((across, down),) = _percent([(x, y)], labels)
            value = {"x": across, "y": down, "width": _POINT_WIDTH}
            point = _region(box, "keypointlabels", value, labels, controls, control)
            point["value"]["keypointlabels"] = [label]
            yield {**point, "score": confidence}


def _percent(points: Sequence[tuple[float, float]], labels: Labels) -> list[list[float]]:
    return [
        [min(100 * x / labels.width, 100.0), min(100 * y / labels.height, 100.0)] for x, y in points
    ]


def _region(
    box: LabelledBox,
    kind: str,
    value: dict[str, Any],
    labels: Labels,
    controls: Controls,
    control: Control,
) -> dict[str, Any]:
    return {
        "from_name": control.name,
        "to_name": controls.image,
        "type": kind,
        "original_width": labels.width,
        "original_height": labels.height,
        "image_rotation": 0,
        "score": box.confidence,
        "value": {**value, kind: [box.label]},
    }
