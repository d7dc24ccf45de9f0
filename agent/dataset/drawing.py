"""Draws what a record says of its image: objects and suspects with their captions, as SVG."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from agent.record.captions import places
from agent.record.shape_drawing import joints
from agent.record.shapes import Visibility, visibility
from agent.record.summary import LabelledBox, labelled_box

_LETTER = 0.62  # width of a letter as a share of its height
_LINE = 1.25  # height of a caption, as a share of that of a letter
_DOT = 0.14  # radius of a keypoint, as a share of the height of a letter
_MOST_DRAWN = 8  # suspects, those with the highest `p`
_LEAST_DRAWN = 0.05  # `p` of a suspect that is drawn


def drawing(record: Mapping[str, Any]) -> str:
    """Return SVG to lie over the image of a valid record; the style is that of all pages."""
    image = record["image"]
    return f'<svg viewBox="0 0 {image["width"]} {image["height"]}">{"".join(_boxes(record))}</svg>'


def _boxes(record: Mapping[str, Any]) -> Iterator[str]:
    """Return the objects, in pixels of the stored image, then their captions on top of all."""
    width, height = record["image"]["width"], record["image"]["height"]
    size = width / 30
    drawn = list(_drawn(record, width, height))
    for kind, box, _ in reversed(drawn):
        yield from _shape(kind, box, size)
    room = [(len(words) * size * _LETTER, size * _LINE) for *_, words in drawn]
    sides = [(box.x_min, box.y_min, box.x_max, box.y_max) for _, box, _ in drawn]
    found = places(sides, room, width, height)
    for (kind, _, words), place in zip(drawn, found, strict=True):
        if place is not None:
            yield (
                f'<text class="{kind}" x="{place[0]:.1f}" y="{place[1] + size:.1f}" '
                f'font-size="{size:.1f}">{escape(words)}</text>'
            )


def _shape(kind: str, box: LabelledBox, size: float) -> Iterator[str]:
    """Return an object's outline or rotated box, else its box; and its keypoints."""
    outline = box.polygon or box.corners
    if outline:
        points = " ".join(f"{x:g},{y:g}" for x, y in outline)
        hollow = "" if box.polygon else " rotated"
        yield f'<polygon class="{kind}{hollow}" points="{points}"/>'
    else:
        yield (
            f'<rect class="{kind}" x="{box.x_min:g}" y="{box.y_min:g}" '
            f'width="{box.x_max - box.x_min:g}" height="{box.y_max - box.y_min:g}"/>'
        )
    for (x1, y1), (x2, y2) in joints(box.keypoints):
        yield f'<line class="{kind}" x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}"/>'
    for x, y, confidence in box.keypoints:
        if visibility(confidence) is not Visibility.NOT_LABELLED:
            yield f'<circle class="{kind}" cx="{x:g}" cy="{y:g}" r="{size * _DOT:.1f}"/>'


def _drawn(
    record: Mapping[str, Any], width: int, height: int
) -> Iterator[tuple[str, LabelledBox, str]]:
    """Return what is drawn, with a class and a caption: suspects, then detections below them."""
    limits = record["thresholds"]
    suspects: dict[tuple[float, ...], Mapping[str, Any]] = {}
    for suspect in sorted(record.get("suspects", []), key=lambda each: -each["p"]):
        if suspect["box"] is not None and suspect["p"] >= _LEAST_DRAWN:
            suspects.setdefault(tuple(suspect["box"]), suspect)
    detections = record.get("detections", [])
    by_box = {tuple(each["box"]): each for each in reversed(detections)}
    found = [
        ("suspect", by_box.get(box, suspect), f"{suspect['label']}? p {suspect['p']:.2f}")
        for box, suspect in list(suspects.items())[:_MOST_DRAWN]
    ]
    for detection in detections:
        label, confidence = detection["label"], detection["confidence"]
        is_certain = confidence >= limits["labels"].get(label, limits["default"])
        if is_certain and tuple(detection["box"]) not in suspects:
            found.append(("certain", detection, f"{label} {confidence:.2f}"))
    for kind, each, words in found:
        box = labelled_box({"confidence": 0.0, **each}, width, height)
        if box is not None:
            yield kind, box, words
