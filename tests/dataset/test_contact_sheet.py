"""The contact sheet: the suspects of each capture on its image, for records of any version."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from agent.dataset.contact_sheet import contact_sheet
from agent.dataset.folder import Dataset
from agent.domain import Pixels, StoredCapture
from agent.files import Disk
from agent.record.image import JpegEncoder
from tests.fakes.captures import CAR, of_first_schema, stored_capture

ORANGE, GREEN = (0, 110, 240), (80, 160, 0)  # BGR: a suspect, and a detection at its threshold
FAINT_CAR = {**CAR, "confidence": 0.4}


def sheet_of(folder: Path, made: StoredCapture) -> Pixels:
    """Return the contact sheet of a dataset with one grey image."""
    data = JpegEncoder(quality=90).encode(np.full((100, 200, 3), 128, np.uint8)).data
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


def test_a_dataset_without_captures_has_no_sheet(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        contact_sheet(tmp_path)
