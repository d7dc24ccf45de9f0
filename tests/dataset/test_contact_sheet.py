"""The contact sheet: the suspects of each capture on its image, for records of any version."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from agent.dataset.contact_sheet import contact_sheet, picked, sheet
from agent.dataset.folder import Dataset
from agent.domain import Pixels, StoredCapture
from agent.files import Disk
from agent.record.image import JpegEncoder
from tests.fakes.captures import CAR, observed_pixels, of_first_schema, stored_capture

ORANGE, GREEN = (0, 110, 240), (80, 160, 0)  # BGR: a suspect, and a detection at its threshold
FAINT_CAR = {**CAR, "confidence": 0.4}


def sheet_of(folder: Path, made: StoredCapture) -> Pixels:
    """Return the contact sheet of a dataset with one grey image."""
    data = (
        JpegEncoder(quality=90).encode(observed_pixels(np.full((100, 200, 3), 128, np.uint8))).data
    )
    image = {**made.record["image"], "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    record = {**made.record, "image": image, "sequence": 1, "source_frame": 1}
    Dataset(folder, Disk()).store(json.dumps(record).encode(), data)
    return contact_sheet(folder)


def has(sheet: Pixels, colour: tuple[int, int, int]) -> bool:
    return bool((sheet == np.array(colour, np.uint8)).all(axis=2).any())


@pytest.mark.parametrize(
    ("made", "colours"),
    [
        (stored_capture(1), {ORANGE}),  # the car is sure, and a suspect
        (stored_capture(1, suspects=[]), {GREEN}),
        (stored_capture(1, suspects=[], detections=[FAINT_CAR]), set()),
        (of_first_schema(1), {GREEN}),
    ],
)
def test_suspects_are_drawn_over_what_is_sure(
    tmp_path: Path, made: StoredCapture, colours: set[tuple[int, int, int]]
) -> None:
    sheet = sheet_of(tmp_path, made)

    assert {colour for colour in (ORANGE, GREEN) if has(sheet, colour)} == colours


@pytest.mark.parametrize("shape", [(1, 5000, 3), (5000, 1, 3), (1, 1, 3)])
def test_an_image_of_any_shape_makes_a_bounded_sheet(shape: tuple[int, int, int]) -> None:
    record = {**stored_capture(1).record, "suspects": [], "source_frame": None}
    drawn = sheet([picked(record, np.zeros(shape, np.uint8))] * 2, width=100)

    assert drawn.shape[0] <= 300
    assert drawn.shape[1] == 230


@pytest.mark.parametrize(
    "label", ["\x1b[2J", "\udcff", "a\0b", "\u0448\u043a\u043e\u043b\u0430", "x" * 5000]
)
def test_any_label_is_drawn(label: str) -> None:
    car = {**CAR, "label": label}
    record = {**stored_capture(1).record, "detections": [car], "suspects": [], "camera": label}

    sheet([picked({**record, "source_frame": 1}, np.zeros((100, 200, 3), np.uint8))])


def test_a_classifier_has_no_boxes_to_draw() -> None:
    record = {**stored_capture(1).record, "suspects": [], "source_frame": None, "classes": []}
    del record["detections"]

    sheet([picked(record, np.zeros((100, 200, 3), np.uint8))])


def test_a_dataset_without_captures_has_no_sheet(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        contact_sheet(tmp_path)
