"""A contact sheet of captures: images with boxes, and the reason under each."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from agent.camera.images.file import read_image
from agent.dataset.captions import Sides, places
from agent.dataset.shape_drawing import Colour, draw_shape
from agent.domain import Pixels
from agent.errors import UnusableImage
from agent.printable import printable
from agent.record.summary import LabelledBox, labelled_box

_WIDTH = 480  # pixels of one cell
_CAPTION = 46
_MARGIN = 10
_PAPER = (250, 250, 250)
_INK = (40, 40, 40)
_SURE = (80, 160, 0)  # BGR: green, at or above the threshold
_SUSPECT = (0, 110, 240)  # orange: the model is probably wrong here
_SUSPECTS_DRAWN = 5  # those with the highest `p`
_LABEL_LENGTH = 60  # characters beside a box
_LETTERS = 0.36  # size of a label's letters, as OpenCV counts
_REASONS = 2  # that fit under a cell; the record has all
_FONT = cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True, slots=True)
class Picked:
    """An image for a sheet, with its record and two lines of text."""

    image: Pixels
    record: Mapping[str, Any]
    lines: tuple[str, str]


def contact_sheet(dataset: Path, *, most: int = 12, columns: int = 3) -> Pixels:
    """Draw up to `most` captures of a dataset folder, spread over it in the order of capture.

    Raises `OSError` when there is none or one cannot be read.
    """
    records = sorted(
        (json.loads(path.read_text("utf-8")) for path in (dataset / "records").glob("*.json")),
        key=lambda record: record["sequence"],
    )
    if not records:
        raise FileNotFoundError(f"no captures in {dataset}")
    step = max(1.0, len(records) / most)
    chosen = [records[int(n * step)] for n in range(min(most, len(records)))]
    return sheet([picked(record, _image(dataset, record)) for record in chosen], columns=columns)


def picked(record: Mapping[str, Any], image: Pixels) -> Picked:
    """Return a capture for a sheet."""
    rules = record["rules"]
    reasons = ", ".join(f"{rule['name']} {rule['score']:.2f}" for rule in rules[:_REASONS])
    if len(rules) > _REASONS:
        reasons += f", {len(rules) - _REASONS} more"
    frame = record["source_frame"]
    where = record["camera"] if frame is None else f"{record['camera']} frame {frame}"
    line = f"{where}   lane {record['lane']}   {record['value']:.2f} expected new failures"
    return Picked(image, record, (reasons, line))


def sheet(chosen: Sequence[Picked], *, columns: int = 3, width: int = _WIDTH) -> Pixels:
    """Draw images of at least one capture side by side, each `width` pixels wide."""
    return _grid([_cell(each, width) for each in chosen], min(columns, len(chosen)), width)


def _image(dataset: Path, record: Mapping[str, Any]) -> Pixels:
    path = dataset / "images" / f"{record['id']}.jpg"
    try:
        return read_image(path)
    except UnusableImage as exc:
        raise OSError(f"cannot read {path}: {exc}") from exc


def _cell(chosen: Picked, width: int) -> Pixels:
    height = chosen.image.shape[0]
    # A tall image gets the height of two squares: one of 1 x 65,000 pixels would fill the memory.
    scale = min(width / chosen.image.shape[1], 2 * width / height)
    size = max(1, round(chosen.image.shape[1] * scale)), max(1, round(height * scale))
    small = cv2.resize(chosen.image, size)
    _draw(small, list(_objects(chosen)), scale)
    cell = np.full((small.shape[0] + _CAPTION, width, 3), _PAPER, np.uint8)
    cell[: small.shape[0], : small.shape[1]] = small
    _text(cell, chosen.lines[0], (4, small.shape[0] + 18), 0.48, _INK)
    _text(cell, chosen.lines[1], (4, small.shape[0] + 38), 0.42, (110, 110, 110))
    return cell


def is_sure(detection: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    """Whether a detection reaches its threshold."""
    thresholds = record["thresholds"]
    threshold = thresholds["labels"].get(detection["label"], thresholds["default"])
    return bool(detection["confidence"] >= threshold)


def _objects(chosen: Picked) -> Iterator[tuple[LabelledBox, str, Colour]]:
    """Return what is drawn, with a caption: suspects, the highest `p` first, then detections."""
    record = chosen.record
    height, width = chosen.image.shape[:2]
    detections = record.get("detections", ())  # a classifier has none
    by_box = {tuple(each["box"]): each for each in reversed(detections)}
    suspects: dict[tuple[float, ...], Mapping[str, Any]] = {}  # records of schema 1 have none
    for suspect in sorted(record.get("suspects", ()), key=lambda each: -each["p"]):
        if suspect["box"] is not None and len(suspects) < _SUSPECTS_DRAWN:
            suspects.setdefault(tuple(suspect["box"]), suspect)
    drawn = [
        (
            by_box.get(box, {**suspect, "confidence": 0.0}),
            _SUSPECT,
            f"{suspect['label']}? p {suspect['p']:.2f}",
        )
        for box, suspect in suspects.items()
    ]
    drawn += [
        (each, _SURE, f"{each['label']} {each['confidence']:.2f}")
        for each in detections
        if tuple(each["box"]) not in suspects and is_sure(each, record)
    ]
    for detection, colour, words in drawn:
        box = labelled_box(detection, width, height)
        if box is not None:
            yield box, words, colour


def _draw(cell: Pixels, objects: Sequence[tuple[LabelledBox, str, Colour]], scale: float) -> None:
    """Draw objects, the first on top, then captions that leave each other readable."""
    words = [printable(text, _LABEL_LENGTH) for _, text, _ in objects]
    sizes = [cv2.getTextSize(text, _FONT, _LETTERS, 1)[0] for text in words]
    for box, _, colour in reversed(objects):
        draw_shape(cell, box, scale, colour)
    sides: list[Sides] = [
        (box.x_min * scale, box.y_min * scale, box.x_max * scale, box.y_max * scale)
        for box, *_ in objects
    ]
    room = [(width + 4, height + 4) for width, height in sizes]
    found = places(sides, room, cell.shape[1], cell.shape[0])
    for place, text, (width, height), (_, _, colour) in zip(
        found, words, room, objects, strict=True
    ):
        if place is not None:
            left, top = int(place[0]), int(place[1])
            end = (left + width - 1, top + height - 1)
            cv2.rectangle(cell, (left, top), end, colour, cv2.FILLED)
            _text(cell, text, (left + 2, top + height - 3), _LETTERS, (255, 255, 255))


def _grid(cells: Sequence[Pixels], columns: int, width: int) -> Pixels:
    rows = math.ceil(len(cells) / columns)
    height = max(cell.shape[0] for cell in cells)
    sheet = np.full(
        (
            rows * (height + _MARGIN) + _MARGIN,
            columns * (width + _MARGIN) + _MARGIN,
            3,
        ),
        _PAPER,
        np.uint8,
    )
    for n, cell in enumerate(cells):
        y = _MARGIN + n // columns * (height + _MARGIN)
        x = _MARGIN + n % columns * (width + _MARGIN)
        sheet[y : y + cell.shape[0], x : x + width] = cell
    return sheet


def _text(
    image: Pixels, text: str, at: tuple[int, int], size: float, colour: tuple[int, int, int]
) -> None:
    cv2.putText(image, printable(text), at, _FONT, size, colour, 1, cv2.LINE_AA)
