"""The feature of a box is the mean of the map under it, whatever the letterbox did."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.detector.features import MOST_NUMBERS, FeatureMap, grouped
from agent.detector.letterbox import Letterbox, Padding, Size
from agent.domain import Box, Feature
from tests.detector.planted_models import bundled, street
from tests.search import examples

FINE = 32  # samples of a cell, in each direction

sizes = st.builds(Size, st.integers(200, 700), st.integers(200, 700))
shares = st.floats(0, 1, width=32)


@settings(max_examples=examples(50))
@given(sizes, st.sampled_from(list(Padding)), st.lists(shares, min_size=4, max_size=4), st.data())
def test_it_is_the_mean_over_the_box_less_that_over_the_frame(
    frame: Size, padding: Padding, corners: list[float], data: st.DataObject
) -> None:
    """Compared with the mean over a fine grid of points of the frame."""
    letterbox = Letterbox.fit(frame, Size(96, 64), padding=padding)
    values = np.random.default_rng(data.draw(st.integers(0, 9))).normal(size=(8, 4, 6))
    cell = 16 / min(letterbox.resized.width / frame.width, letterbox.resized.height / frame.height)
    x_min, x_max = stretch(corners[0], corners[1], frame.width, least=cell)
    y_min, y_max = stretch(corners[2], corners[3], frame.height, least=cell)
    box = Box(x_min, y_min, x_max, y_max)
    mean = sampled(values, letterbox, box) - sampled(
        values, letterbox, Box(0, 0, frame.width, frame.height)
    )
    if np.linalg.norm(mean) < 0.3:  # nearly the whole frame
        return

    [feature] = FeatureMap(values.astype(np.float32), letterbox, "model").features_of([box])

    assert feature is not None
    assert feature.dtype == np.float16
    assert cosine(feature, mean / np.linalg.norm(mean)) == pytest.approx(1, abs=0.02)


def stretch(begin: float, length: float, most: float, *, least: float) -> tuple[float, float]:
    """Return a stretch of at least `least` between 0 and `most`, from two shares."""
    first = begin * max(0.0, most - least)
    return first, min(most, first + least + length * max(0.0, most - least - first))


def sampled(values: np.ndarray, letterbox: Letterbox, box: Box) -> np.ndarray:
    """Return the mean of the map at points of the frame that are evenly spread over a box."""
    points = (np.arange(FINE * 6) + 0.5) / (FINE * 6)
    x = (box.x_min + points * (box.x_max - box.x_min)) / letterbox.frame.width
    y = (box.y_min + points * (box.y_max - box.y_min)) / letterbox.frame.height
    columns = (x * letterbox.resized.width + letterbox.left) // 16
    rows = (y * letterbox.resized.height + letterbox.top) // 16
    columns, rows = columns.clip(0, 5).astype(int), rows.clip(0, 3).astype(int)
    return np.asarray(values[:, rows][:, :, columns].mean(axis=(1, 2)))


@given(shares, shares, shares, shares)
def test_any_box_has_a_feature_of_length_1(x: float, y: float, width: float, height: float) -> None:
    """A box of less than one cell has that of the cell's area around it."""
    letterbox = Letterbox.fit(Size(1280, 720), Size(416, 256), padding=Padding.BOTTOM_RIGHT)
    values = np.random.default_rng(0).normal(size=(70, 16, 26)).astype(np.float32)
    left, top = x * 1280, y * 720
    box = Box(left, top, left + width * (1280 - left), top + height * (720 - top))
    whole = box.x_max - box.x_min > 1200 and box.y_max - box.y_min > 650

    [feature] = FeatureMap(values, letterbox, "model").features_of([box])

    assert whole or feature is not None
    if feature is not None:
        assert feature.shape == (70,)
        assert cosine(feature, feature) == pytest.approx(1, abs=0.01)


@given(st.lists(st.tuples(shares, shares, shares, shares), max_size=6))
def test_boxes_have_the_same_features_together_as_alone(
    places: list[tuple[float, float, float, float]],
) -> None:
    letterbox = Letterbox.fit(Size(1280, 720), Size(416, 256), padding=Padding.BOTTOM_RIGHT)
    values = np.random.default_rng(0).normal(size=(70, 16, 26)).astype(np.float32)
    boxes = [
        Box(x * 1280, y * 720, (x + width * (1 - x)) * 1280, (y + height * (1 - y)) * 720)
        for x, y, width, height in places
    ]

    together = FeatureMap(values, letterbox, "model").features_of(boxes)

    alone = [FeatureMap(values, letterbox, "model").features_of([box])[0] for box in boxes]
    assert [None if each is None else each.tobytes() for each in together] == [
        None if each is None else each.tobytes() for each in alone
    ]


def test_what_looks_like_the_whole_frame_has_none() -> None:
    letterbox = Letterbox.fit(Size(96, 64), Size(96, 64), padding=Padding.CENTRED)
    even = FeatureMap(np.ones((64, 4, 6), np.float32), letterbox, "model")

    draw = np.random.default_rng(0).normal(size=(64, 4, 6)).astype(np.float32)
    varied = FeatureMap(draw, letterbox, "model")

    assert even.features_of([Box(10, 10, 50, 50)]) == [None]
    assert varied.features_of([Box(0, 0, 96, 64)]) == [None]


@pytest.mark.parametrize("odd", [math.nan, math.inf, 3e38])
def test_numbers_that_are_not_finite_have_none(odd: float) -> None:
    letterbox = Letterbox.fit(Size(96, 64), Size(96, 64), padding=Padding.CENTRED)
    values = np.zeros((64, 4, 6), np.float32)
    values[:, 1, 1] = odd

    assert FeatureMap(values, letterbox, "model").features_of([Box(10, 10, 50, 50)]) == [None]


@given(st.integers(64, 1100))
def test_a_feature_has_at_most_256_numbers(channels: int) -> None:
    found = grouped(np.arange(channels, dtype=np.float32))
    size = -(-channels // MOST_NUMBERS)

    assert 64 <= len(found) <= MOST_NUMBERS
    assert found[0] == pytest.approx((size - 1) / 2)
    assert (np.diff(found) > 0).all()


def test_the_bundled_model_recognizes_objects_that_moved_in_weaker_light() -> None:
    frame = street()[125]
    moved = np.roll(frame, 24, axis=1) // 8 * 7
    before, after = bundled().detect(frame), bundled().detect(moved)
    assert before.features is not None
    assert after.features is not None
    assert before.features.source == after.features.source
    boxes = [each.box for each in before.detections if each.confidence > 0.2]
    boxes = [box for box in boxes if box.x_max < 600]
    features = before.features.features_of(boxes)
    again = after.features.features_of(
        [Box(box.x_min + 24, box.y_min, box.x_max + 24, box.y_max) for box in boxes]
    )
    alike = [[cosine(one, other) for other in again] for one in features]

    assert len(boxes) > 2
    assert [int(np.argmax(row)) for row in alike] == list(range(len(boxes)))


def cosine(one: Feature | None, other: Feature | None) -> float:
    assert one is not None
    assert other is not None
    return float(one.astype(np.float64) @ other.astype(np.float64))
