"""The contact sheet: the suspects of each capture on its image, for records of any version."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.dataset.contact_sheet import contact_sheet, picked, sheet
from agent.dataset.folder import Dataset
from agent.domain import Pixels, StoredCapture
from agent.files import Disk
from agent.record.captions import places
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


def painted(**shapes: object) -> Pixels:
    """Which pixels of a white image of 200 x 100 a sure detection without caption changes."""
    car = {**CAR, "label": "", **shapes}
    record = {**stored_capture(1, detections=[car], suspects=[], source_frame=1).record}
    drawn = sheet([picked(record, np.full((100, 200, 3), 255, np.uint8))], width=200)
    image = drawn[10:110, 10:210]
    changed: Pixels = (image != 255).any(axis=2)
    return changed


def test_an_outline_is_drawn_filled_in_place_of_the_box() -> None:
    """The centre of the triangle is coloured, the corner of the box is not."""
    drawn = painted(polygon=[[10, 20], [110, 20], [60, 70]])

    assert drawn[22:69, 60].all()
    assert drawn[25, 17:104].all()
    assert not drawn[66:70, 11:30].any()
    assert not painted()[45, 60], "a box is hollow"


def test_a_rotated_box_is_drawn_by_its_corners() -> None:
    drawn = painted(corners=[[60, 20], [110, 45], [60, 70], [10, 45]])

    assert drawn[70, 60]
    assert drawn[45, 10]
    assert not drawn[66:70, 11:40].any()


def test_keypoints_are_dots_and_those_of_coco_are_joined() -> None:
    three = painted(keypoints=[[30, 60, 0.9], [90, 60, 0.9], [60, 40, 0.1]])
    assert three[60, 30]
    assert three[60, 90]
    assert not three[40, 60], "too unsure to be drawn"
    assert not three[60, 60], "not joined"

    shoulders = [[0, 0, 0.0]] * 5 + [[30, 60, 0.9], [90, 60, 0.9]] + [[0, 0, 0.0]] * 10
    assert painted(keypoints=shoulders)[60, 60]


numbers = st.floats(-1e10, 1e10) | st.floats(-50, 300)


@given(
    st.lists(st.lists(numbers, min_size=2, max_size=2), max_size=8),
    st.lists(st.lists(numbers, min_size=3, max_size=3), max_size=18),
    st.lists(st.lists(numbers, min_size=2, max_size=2), min_size=4, max_size=4),
)
def test_any_shape_is_drawn(
    polygon: list[list[float]], keypoints: list[list[float]], corners: list[list[float]]
) -> None:
    painted(polygon=polygon, keypoints=keypoints, corners=corners)


@given(
    st.lists(
        st.tuples(
            *[st.floats(-20, 120)] * 2, *[st.floats(0, 80)] * 2, st.floats(1, 60), st.floats(1, 12)
        ),
        max_size=25,
    )
)
def test_no_caption_covers_another_or_leaves_the_image(
    made: list[tuple[float, float, float, float, float, float]],
) -> None:
    boxes = [(x, y, x + width, y + height) for x, y, width, height, *_ in made]
    sizes = [(wide, high) for *_, wide, high in made]
    found = [
        (left, top, left + wide, top + high)
        for (left, top), (wide, high) in (
            (place, size)
            for place, size in zip(places(boxes, sizes, 100, 80), sizes, strict=True)
            if place is not None
        )
    ]
    for number, (left, top, right, bottom) in enumerate(found):
        assert 0 <= left <= right <= 100.001
        assert 0 <= top <= bottom <= 80.001
        for others_left, others_top, others_right, others_bottom in found[:number]:
            assert (
                left >= others_right
                or others_left >= right
                or top >= others_bottom
                or others_top >= bottom
            )


def test_boxes_at_one_place_have_a_readable_caption_each() -> None:
    found = places([(40, 40, 80, 80)] * 8, [(30, 10)] * 8, 200, 200)

    assert None not in found
    assert len(set(found)) == 8
    assert found[0] == (40, 30), "above its box"
