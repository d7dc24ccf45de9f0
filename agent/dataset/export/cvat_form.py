"""An export in the form "CVAT for images 1.1": `SPLIT/annotations.xml`, `SPLIT/images`.

Each folder of a split, as a ZIP file, is one upload. `labels.json` has the labels in the form that
CVAT's label editor takes. Format: docs.cvat.ai, "CVAT for images".
"""

import json
import math
import re
from collections.abc import Iterator
from io import StringIO
from pathlib import PurePosixPath
from typing import Any
from xml.etree import ElementTree as ET

from agent.dataset.export.contents import Contents, ExportedCapture, ExportedObject
from agent.dataset.reviews import LabelOrigin
from agent.dataset.splits import Split
from agent.domain import Polygon, Task
from agent.record.shapes import Visibility, keypoint_names, visibility

FOLDERS = tuple(Split)
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_OF_PERSON = (LabelOrigin.REVIEWED, LabelOrigin.CORRECTED)
_CORNERS = 4


def image_place(_contents: Contents, capture: ExportedCapture) -> PurePosixPath:
    """Return where the image of a capture goes."""
    return PurePosixPath(capture.split, "images", f"{capture.id}.jpg")


def folders(_contents: Contents) -> list[PurePosixPath]:
    """Return the folders that exist even if they are empty."""
    return [PurePosixPath(split, "images") for split in Split]


def files(contents: Contents) -> Iterator[tuple[PurePosixPath, str]]:
    """Yield one XML file for each split, and the labels."""
    for split in Split:
        yield PurePosixPath(split, "annotations.xml"), _document(contents, split)
    yield PurePosixPath("labels.json"), json.dumps(_labels(contents), indent=1)


def _document(contents: Contents, split: Split) -> str:
    captures = contents.of(split)
    root = ET.Element("annotations")
    _text(root, "version", "1.1")
    task = ET.SubElement(ET.SubElement(root, "meta"), "task")
    for name, text in (
        ("name", f"{split} {contents.version[:12]}"),
        ("size", str(len(captures))),
        ("mode", "annotation"),
        ("overlap", "0"),
        ("subset", split.value),
        ("start_frame", "0"),
        ("stop_frame", str(max(0, len(captures) - 1))),
    ):
        _text(task, name, text)
    _add_labels(task, contents)
    for number, capture in enumerate(captures):
        width, height = capture.size
        image = ET.SubElement(
            root,
            "image",
            id=str(number),
            name=f"{capture.id}.jpg",
            width=str(width),
            height=str(height),
        )
        for each in capture.objects:
            _add_object(image, each, capture, contents)
        for place in capture.classes:
            tag = ET.SubElement(
                image, "tag", label=_xml(contents.classes[place]), source=_source(capture)
            )
            _add_facts(tag, capture)
    ET.indent(root)
    document = StringIO()
    ET.ElementTree(root).write(document, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{document.getvalue()}\n'


def _add_object(
    image: ET.Element, one: ExportedObject, capture: ExportedCapture, contents: Contents
) -> None:
    form, box = contents.form, one.box
    label = _xml(contents.classes[one.number])
    common = {"label": label, "source": _source(capture), "occluded": "0", "z_order": "0"}
    if form is not None and form.task is Task.POSE:
        shape = ET.SubElement(image, "skeleton", common)
        _add_keypoints(shape, one, form.keypoints, common)
    elif form is not None and form.task is Task.SEGMENT:
        shape = ET.SubElement(image, "polygon", {**common, "points": _points(box.outline)})
    else:
        sides, turned = box.sides, {}
        if form is not None and form.task is Task.OBB and len(box.corners) == _CORNERS:
            sides, degrees = upright(box.corners)
            turned = {"rotation": f"{degrees:.2f}"} if round(degrees, 2) else {}
        names = ("xtl", "ytl", "xbr", "ybr")
        places = {name: f"{side:.2f}" for name, side in zip(names, sides, strict=True)}
        shape = ET.SubElement(image, "box", {**common, **places, **turned})
    _add_facts(shape, capture)
    if one.score is not None:
        _attribute(shape, "confidence", f"{one.score:g}")


def upright(corners: Polygon) -> tuple[tuple[float, float, float, float], float]:
    """Return left, top, right and bottom of a rotated box before its rotation, and the degrees.

    `corners` are four, clockwise on the screen. The rotation is clockwise around the centre, 0 to
    below 360.
    """
    (x0, y0), (x1, y1), (x2, y2), _ = corners
    across, down = math.dist((x0, y0), (x1, y1)), math.dist((x1, y1), (x2, y2))
    x, y = (sum(point[axis] for point in corners) / _CORNERS for axis in (0, 1))
    degrees = math.degrees(math.atan2(y1 - y0, x1 - x0)) % 360
    return (x - across / 2, y - down / 2, x + across / 2, y + down / 2), degrees


def _add_keypoints(
    shape: ET.Element, one: ExportedObject, count: int, common: dict[str, str]
) -> None:
    """Add all points of a skeleton; those that the model did not see are outside."""
    found = one.box.keypoints[:count]
    for name, (x, y, confidence) in zip(
        keypoint_names(count), (*found, *[(0.0, 0.0, 0.0)] * (count - len(found))), strict=True
    ):
        seen = visibility(confidence)
        ET.SubElement(
            shape,
            "points",
            {
                **common,
                "label": name,
                "occluded": str(int(seen is Visibility.HIDDEN)),
                "outside": str(int(seen is Visibility.NOT_LABELLED)),
                "points": f"{x:.2f},{y:.2f}",
            },
        )


def _add_facts(shape: ET.Element, capture: ExportedCapture) -> None:
    _attribute(shape, "origin", capture.origin.value)


def _attribute(shape: ET.Element, name: str, value: str) -> None:
    ET.SubElement(shape, "attribute", name=name).text = value


def _source(capture: ExportedCapture) -> str:
    """Return CVAT's word for who made a shape."""
    return "manual" if capture.origin in _OF_PERSON else "auto"


def _kind(contents: Contents) -> str:
    """Return CVAT's type of the labels."""
    if contents.form is None:
        return "tag"
    kinds = {Task.POSE: "skeleton", Task.SEGMENT: "polygon"}
    return kinds.get(contents.form.task, "rectangle")


def _labels(contents: Contents) -> list[dict[str, Any]]:
    """Return the labels as CVAT's editor takes them."""
    kind = _kind(contents)
    made = []
    for name in contents.classes:
        label: dict[str, Any] = {
            "name": _xml(name),
            "type": kind,
            "attributes": [
                {
                    "name": "origin",
                    "mutable": False,
                    "input_type": "select",
                    "default_value": LabelOrigin.MODEL.value,
                    "values": [origin.value for origin in LabelOrigin],
                },
                {
                    "name": "confidence",
                    "mutable": False,
                    "input_type": "text",
                    "default_value": "",
                    "values": [""],
                },
            ],
        }
        if kind == "skeleton" and contents.form is not None:
            names = keypoint_names(contents.form.keypoints)
            label["sublabels"] = [{"name": each, "type": "points"} for each in names]
            label["svg"] = _drawing(names)
        made.append(label)
    return made


def _drawing(names: list[str]) -> str:
    """Return the drawing of a skeleton that the editor wants: the points on a circle."""
    points = []
    for number, name in enumerate(names, start=1):
        turn = 2 * math.pi * number / len(names)
        points.append(
            f'<circle r="1.5" cx="{50 + 40 * math.cos(turn):.1f}" '
            f'cy="{50 + 40 * math.sin(turn):.1f}" data-type="element node" '
            f'data-element-id="{number}" data-node-id="{number}" data-label-name="{name}" />'
        )
    return "".join(points)


def _add_labels(task: ET.Element, contents: Contents) -> None:
    labels = ET.SubElement(task, "labels")
    for each in _labels(contents):
        label = ET.SubElement(labels, "label")
        _text(label, "name", each["name"])
        _text(label, "type", each["type"])
        attributes = ET.SubElement(label, "attributes")
        for attribute in each["attributes"]:
            made = ET.SubElement(attributes, "attribute")
            _text(made, "name", attribute["name"])
            _text(made, "mutable", "False")
            _text(made, "input_type", attribute["input_type"])
            _text(made, "default_value", attribute["default_value"])
            _text(made, "values", "\n".join(attribute["values"]))
        for name in each.get("sublabels", ()):
            label = ET.SubElement(labels, "label")
            _text(label, "name", name["name"])
            _text(label, "type", "points")
            _text(label, "parent", each["name"])


def _text(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, name).text = text


def _points(outline: Polygon) -> str:
    return ";".join(f"{x:.2f},{y:.2f}" for x, y in outline)


def _xml(text: str) -> str:
    """Return a text without the characters that XML cannot have."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
