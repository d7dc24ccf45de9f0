"""Builders of chosen images."""

import json
from typing import Any

import cv2
import numpy as np

from agent.pool.items import ItemKind, PoolItem
from agent.pool.output.captures import OutputCapture
from agent.pool.output.chosen import ChosenImage, ChosenSuspect
from agent.pool.rows import PoolRow, RowSuspect
from agent.selection.feedback import Side
from tests.fakes.captures import capture_id, record_of


def jpeg_of(number: int) -> bytes:
    """Return a JPEG of 200 x 100 pixels, another one for each number."""
    pixels = np.full((100, 200, 3), number % 200, np.uint8)
    cv2.rectangle(pixels, (10, 20), (110, 70), (0, 0, 255 - number % 200), -1)
    return cv2.imencode(".jpg", pixels)[1].tobytes()


def chosen_image(
    number: int,
    *,
    order: int = 1,
    value: float = 0.5,
    label: str = "car",
    kind: ItemKind = ItemKind.CAPTURE,
    **changes: Any,
) -> ChosenImage:
    """Return a chosen image; `changes` are of its record."""
    record = record_of(number, jpeg_of(number), **changes)
    suspect = RowSuspect("low_confidence", Side.BELOW, 0.5, label, (0.05, 0.2, 0.55, 0.7), None)
    row = PoolRow(
        key=f"/pool/{number}.jpg",
        id=capture_id(number),
        camera="test/gate",
        width=200,
        height=100,
        sha256=record["image"]["sha256"],
        digest=f"{number:016x}",
        suspects=(suspect,),
        record=json.dumps(record).encode(),
    )
    item = PoolItem(row.key, kind, row.camera)
    added = (ChosenSuspect(suspect, 0.5, value),)
    return ChosenImage(order, row, item, value, label, added)


def output_capture(number: int, **more: Any) -> OutputCapture:
    """Return a chosen image as it is stored; `more` as of `chosen_image`."""
    chosen = chosen_image(number, **more)
    return OutputCapture(chosen, chosen.row.record, jpeg_of(number))
