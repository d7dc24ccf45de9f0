"""What a CVAT task says of captures: `CVAT for images 1.1`, as XML.

It lists all images of the task, with what is drawn in each. It does not say who looked at which:
its user is the assignee of the task or job.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from agent.dataset.annotations.boxes import AnnotatedBox
from agent.dataset.annotations.source import ReviewError, capture_in, finite, require_first
from agent.dataset.importing.said import Export, Said, verdict_on
from agent.dataset.importing.xml_events import read_xml
from agent.dataset.records import Records
from agent.domain import Box, Polygon
from agent.printable import printable
from agent.record.shapes import Visibility, bounds, confidence_of, keypoint_count, keypoint_names

TOOL = "cvat"
_SHAPES = frozenset({"box", "polygon", "ellipse", "mask", "skeleton"})
_NOT_READ = frozenset({"polyline", "points", "cuboid"})
_ELLIPSE_CORNERS = 36
_UPRIGHT = 1e-6  # degrees


def read_cvat(file: Path, records: Records) -> Export:
    """Return what the XML file says; raises `ReviewError` for what is not understood."""
    reader = _CvatReader(file, records)
    read_xml(file, start=reader.start, end=reader.end)
    if not reader.is_cvat:
        raise ReviewError(
            f"cannot read {printable(file)}: it is no XML of CVAT; export as `CVAT for images 1.1`"
        )
    return reader.export()


def read_cvat_files(files: Sequence[Path], records: Records) -> Export:
    """Return what the files of several tasks or splits say, of each capture one.

    Raises `ReviewError` for what is not understood, or a capture that is in two of them.
    """
    found = [read_cvat(file, records) for file in files]
    said: dict[str, Said] = {}
    for file, export in zip(files, found, strict=True):
        for name, each in export.said.items():
            require_first(name, said, file)
            said[name] = each
    labels = [export.labels for export in found if export.labels is not None]
    return Export(
        TOOL,
        said,
        foreign=sum(export.foreign for export in found),
        labels=frozenset().union(*labels) if labels else None,
        sizes={name: size for export in found for name, size in export.sizes.items()},
    )


class _CvatReader:
    """Follows the elements of the file."""

    def __init__(self, file: Path, records: Records) -> None:
        self._file = file
        self._records = records
        self._path: list[str] = []
        self._labels: set[str] = set()
        self._facts: dict[str, str] = {}
        self._name: str | None = None  # of the capture whose image is open
        self._scale = 1.0, 1.0
        self._boxes: list[AnnotatedBox] = []
        self._tags: list[str] = []
        self._skeleton: str | None = None
        self._points: dict[str, tuple[float, float, float]] = {}
        self._said: dict[str, tuple[list[AnnotatedBox], list[str]]] = {}
        self._sizes: dict[str, tuple[float, float]] = {}
        self._foreign = 0
        self.is_cvat = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._path.append(name)
        if len(self._path) == 1:
            self.is_cvat = name == "annotations"
            return
        if not self.is_cvat:
            return
        try:
            if name == "track":
                raise ValueError("it is `CVAT for video`; export as `CVAT for images 1.1`")
            if name == "image" and self._path[-2] == "annotations":
                self._open_image(attributes)
            elif self._name is not None:
                self._shape(name, attributes)
        except KeyError as error:
            raise ValueError(f"an element `{name}` has no {error}") from error

    def end(self, name: str, text: str) -> None:
        parents = self._path[:-1]
        self._path.pop()
        if parents[-2:] == ["labels", "label"] and name == "name":
            self._labels.add(text)
        elif parents[-1:] and "meta" in parents and name in {"username", "updated"}:
            self._facts["/".join((*parents[-1:], name))] = text
        if name == "skeleton" and self._skeleton is not None:
            self._close_skeleton()
        elif name == "image" and self._name is not None and parents == ["annotations"]:
            self._said[self._name] = self._boxes, self._tags
            self._name = None

    def export(self) -> Export:
        by = self._facts.get("assignee/username", "")
        updated = self._facts.get("task/updated") or self._facts.get("job/updated")
        at = _seconds(updated or self._facts.get("project/updated", ""))
        said = {name: self._meaning(name, by, at) for name in self._said}
        return Export(
            TOOL,
            said,
            foreign=self._foreign,
            labels=frozenset(self._labels) if self._labels else None,
            sizes=self._sizes,
        )

    def _meaning(self, name: str, by: str, at: float | None) -> Said:
        boxes, tags = self._said[name]
        record = self._records[name]
        verdicts = {verdict for tag in tags if (verdict := verdict_on(tag, record))}
        if len(verdicts) > 1:
            raise ReviewError(
                f"cannot use {printable(self._file)}: the capture {name} has the tags "
                f"{' and '.join(sorted(verdicts))}"
            )
        verdict = next(iter(verdicts), None)
        classes = tuple(tag for tag in tags if verdict_on(tag, record) is None)
        if "classes" in record:
            has_classes = bool(classes) or verdict is None
            return Said(None, classes if has_classes else None, verdict, by=by, at=at)
        return Said(boxes if boxes or verdict is None else None, None, verdict, by=by, at=at)

    def _open_image(self, attributes: Mapping[str, str]) -> None:
        name = capture_in(attributes["name"], self._records)
        if name is None:
            self._foreign += 1
            return
        require_first(name, self._said, self._file)
        size = self._records[name]["image"]
        width = finite(attributes.get("width") or size["width"])
        height = finite(attributes.get("height") or size["height"])
        if min(width, height) <= 0:
            raise ValueError(f"the image of the capture {name} has no size")
        self._name = name
        self._sizes[name] = width, height
        self._scale = size["width"] / width, size["height"] / height
        self._boxes, self._tags, self._skeleton = [], [], None

    def _shape(self, kind: str, attributes: Mapping[str, str]) -> None:
        if self._skeleton is not None:
            if kind == "points":
                self._point(attributes)
            return
        if kind in _NOT_READ:
            raise ValueError(
                f"shapes of the kind {kind} are not read; draw boxes, polygons, masks, ellipses or "
                "skeletons"
            )
        if kind == "tag":
            self._tags.append(attributes["label"])
        elif kind == "skeleton":
            self._skeleton, self._points = attributes["label"], {}
        elif kind in _SHAPES:
            self._boxes.append(self._object(kind, attributes))

    def _object(self, kind: str, attributes: Mapping[str, str]) -> AnnotatedBox:
        label = attributes["label"]
        if kind == "mask":  # its bounds: an outline of run lengths is not read
            left, top, width, height = _numbers(attributes, "left", "top", "width", "height")
            box = self._scaled([(left, top), (left + width, top + height)])
            return AnnotatedBox(label, Box(*bounds(box)), is_bounds=True)
        turn = finite(attributes.get("rotation") or 0)
        is_turned = turn % 360 > _UPRIGHT
        if kind == "polygon":
            outline = self._scaled(_places(attributes["points"]))
            return AnnotatedBox(label, Box(*bounds(outline)), is_bounds=True, polygon=outline)
        if kind == "ellipse":
            x, y, across, down = _numbers(attributes, "cx", "cy", "rx", "ry")
            steps = [2 * math.pi * step / _ELLIPSE_CORNERS for step in range(_ELLIPSE_CORNERS)]
            around = [(x + across * math.cos(a), y + down * math.sin(a)) for a in steps]
            outline = self._scaled(_turned(around, (x, y), turn))
            return AnnotatedBox(label, Box(*bounds(outline)), is_bounds=True, polygon=outline)
        left, top, right, bottom = _numbers(attributes, "xtl", "ytl", "xbr", "ybr")
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        middle = (left + right) / 2, (top + bottom) / 2
        outline = self._scaled(_turned(corners, middle, turn))
        return AnnotatedBox(
            label,
            Box(*bounds(outline)),
            is_bounds=is_turned,
            corners=outline if is_turned else (),
        )

    def _point(self, attributes: Mapping[str, str]) -> None:
        ((x, y),) = self._scaled(_places(attributes["points"])[:1])
        is_outside = attributes.get("outside") == "1"
        seen = Visibility.HIDDEN if attributes.get("occluded") == "1" else Visibility.VISIBLE
        confidence = 0.0 if is_outside else confidence_of(seen)
        self._points[attributes["label"]] = (x, y, confidence) if confidence else (0.0, 0.0, 0.0)

    def _close_skeleton(self) -> None:
        """Make an object of a skeleton: it has no box of its own, so the one around its points."""
        label, self._skeleton = self._skeleton, None
        seen = [(x, y) for x, y, confidence in self._points.values() if confidence]
        if label is None or not seen or self._name is None:
            return
        count = keypoint_count(self._records[self._name])
        names = keypoint_names(count)
        if not self._points.keys() <= set(names):
            names = list(self._points)  # of another spelling: in the order of the skeleton
        points = tuple(self._points.get(name, (0.0, 0.0, 0.0)) for name in names)
        box = Box(*bounds(seen))
        self._boxes.append(AnnotatedBox(label, box, is_bounds=True, keypoints=points))

    def _scaled(self, points: list[tuple[float, float]]) -> Polygon:
        across, down = self._scale
        return tuple((x * across, y * down) for x, y in points)


def _numbers(attributes: Mapping[str, str], *names: str) -> list[float]:
    return [finite(attributes[name]) for name in names]


def _places(text: str) -> list[tuple[float, float]]:
    """Return points that are written as `x,y;x,y`."""
    found = []
    for pair in text.split(";"):
        x, _, y = pair.partition(",")
        found.append((finite(x), finite(y)))
    return found


def _turned(
    points: list[tuple[float, float]], middle: tuple[float, float], degrees: float
) -> list[tuple[float, float]]:
    """Return points turned clockwise about a middle."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x, y = middle
    return [
        (x + (a - x) * cos - (b - y) * sin, y + (a - x) * sin + (b - y) * cos) for a, b in points
    ]


def _seconds(text: str) -> float | None:
    try:
        at = datetime.fromisoformat(text.replace(" ", "T", 1))
    except ValueError:
        return None
    return at.timestamp() if at.tzinfo is not None else None
