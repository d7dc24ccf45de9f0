"""Draws a chosen capture as an HTML card: the image with its boxes, and the reasons."""

import json
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

from agent.dataset.small_image import small_image_url
from agent.errors import UnusableImage
from agent.record.captions import places
from agent.record.shape_drawing import joints
from agent.record.shapes import Visibility, visibility
from agent.record.summary import LabelledBox, labelled_box

_LETTER = 0.62  # width of a letter as a share of its height
_LINE = 1.25  # height of a caption, as a share of that of a letter
_DOT = 0.14  # radius of a keypoint, as a share of the height of a letter
_MOST_DRAWN = 8  # suspects, those with the highest `p`
_LEAST_DRAWN = 0.05  # `p` of a suspect that is drawn


def card(capture: Mapping[str, Any], dataset: Path, *, with_source: bool) -> str:
    """Return the card of a report's capture; raise `OSError` if the dataset lacks it.

    `with_source`: the page has several recordings, so each card names its own.
    """
    name = capture["id"]
    record = json.loads((dataset / "records" / f"{name}.json").read_text(encoding="utf-8"))
    image = record["image"]
    source = f"{escape(capture['source'])}, " if with_source else ""
    reasons = "".join(
        f"<li><span>{escape(rule['name'])}</span> {rule['score']:.2f}</li>"
        for rule in capture["rules"]
    )
    return (
        f'<article><div class="image"><img alt="frame {capture["frame"]}" loading="lazy" '
        f'src="{_data_url(dataset / "images" / f"{name}.jpg")}">'
        f'<svg viewBox="0 0 {image["width"]} {image["height"]}">{"".join(_boxes(record))}</svg>'
        f'</div><ul class="reasons">{reasons}</ul><p><b class="{escape(capture["lane"])}">'
        f"{escape(capture['lane'])}</b> {source}frame {capture['frame']} "
        f"at {capture['at']:.2f}\u00a0s, "
        f"adds {capture['added']:.2f} expected new failures, "
        f"purchased at {capture['purchased_at']:.2f}\u00a0s"
        f"{_classes(record)}</p></article>"
    )


def _data_url(path: Path) -> str:
    """Return an image, made smaller, as a data URL."""
    try:
        return small_image_url(path)
    except UnusableImage as exc:
        raise OSError(f"cannot read {path}: {exc}") from exc


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


def _classes(record: Mapping[str, Any]) -> str:
    """Return a classifier's output as HTML; empty for a detector."""
    classes = record.get("classes", [])
    words = ", ".join(f"{each['label']} {each['confidence']:.2f}" for each in classes)
    return f"<br>{escape(words)}" if words else ""
