"""A contact sheet of captures: images with boxes, and the reason under each."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from agent.camera.images.file import read_image
from agent.domain import Pixels
from agent.errors import UnusableImage
from agent.record.drawing import draw_record, put_text
from agent.record.seen import said_words

_WIDTH = 480  # pixels of one cell
_CAPTION = 46
_MARGIN = 10
_PAPER = (250, 250, 250)
_INK = (40, 40, 40)
_REASONS = 2  # that fit under a cell; the record has all


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
    said = said_words(record)
    reasons = "   ".join(filter(None, (reasons, said)))
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
    draw_record(small, chosen.record, scale=scale)
    cell = np.full((small.shape[0] + _CAPTION, width, 3), _PAPER, np.uint8)
    cell[: small.shape[0], : small.shape[1]] = small
    put_text(cell, chosen.lines[0], (4, small.shape[0] + 18), 0.48, _INK)
    put_text(cell, chosen.lines[1], (4, small.shape[0] + 38), 0.42, (110, 110, 110))
    return cell


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
