"""Draws a chosen capture as an HTML card: the image with its boxes, and the reasons."""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import cv2

from agent.camera.images.file import read_image
from agent.errors import UnusableImage

_WIDTH = 480  # of an image on the page, in pixels
_QUALITY = 72  # of its JPEG
_LETTER = 0.62  # width of a letter as a share of its height
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
        pixels = read_image(path)
    except UnusableImage as exc:
        raise OSError(f"cannot read {path}: {exc}") from exc
    height, width = pixels.shape[:2]
    if width > _WIDTH:
        size = (_WIDTH, max(1, round(height * _WIDTH / width)))
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    else:
        small = pixels
    _, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}"


def _boxes(record: Mapping[str, Any]) -> Iterator[str]:
    """Return rectangles, in pixels of the stored image, then their captions on top of all."""
    width = record["image"]["width"]
    size = width / 30
    taken: list[tuple[float, float, float]] = []  # left, right and baseline of captions
    captions = []
    for kind, box, words in _drawn(record):
        x_min, y_min, x_max, y_max = box
        yield (
            f'<rect class="{kind}" x="{x_min:g}" y="{y_min:g}" width="{x_max - x_min:g}" '
            f'height="{y_max - y_min:g}"/>'
        )
        long = len(words) * size * _LETTER
        left = max(0.0, min(x_min, width - long))
        foot = max(y_min - size * 0.25, size)
        while any(
            left < end and begin < left + long and abs(foot - other) < size
            for begin, end, other in taken
        ):
            foot += size * 0.25
        taken.append((left, left + long, foot))
        captions.append(
            f'<text class="{kind}" x="{left:.1f}" y="{foot:.1f}" font-size="{size:.1f}">'
            f"{escape(words)}</text>"
        )
    yield from captions


def _drawn(record: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[float], str]]:
    """Return the boxes to draw, with a class and a caption: detections, then suspects on top."""
    limits = record["thresholds"]
    suspects: dict[tuple[float, ...], Mapping[str, Any]] = {}
    for suspect in sorted(record.get("suspects", []), key=lambda each: -each["p"]):
        if suspect["box"] is not None and suspect["p"] >= _LEAST_DRAWN:
            suspects.setdefault(tuple(suspect["box"]), suspect)
    for detection in reversed(record.get("detections", [])):
        label, confidence = detection["label"], detection["confidence"]
        is_certain = confidence >= limits["labels"].get(label, limits["default"])
        if is_certain and tuple(detection["box"]) not in suspects:
            yield "certain", detection["box"], f"{label} {confidence:.2f}"
    for box, suspect in reversed(list(suspects.items())[:_MOST_DRAWN]):
        yield "suspect", box, f"{suspect['label']}? p {suspect['p']:.2f}"


def _classes(record: Mapping[str, Any]) -> str:
    """Return a classifier's output as HTML; empty for a detector."""
    classes = record.get("classes", [])
    words = ", ".join(f"{each['label']} {each['confidence']:.2f}" for each in classes)
    return f"<br>{escape(words)}" if words else ""
