import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.detector.letterbox import Letterbox, Padding, Size, smallest_input

SIDES = st.integers(1, 5000)
SIZES = st.builds(Size, SIDES, SIDES)
INPUTS = st.builds(Size, st.integers(16, 1300), st.integers(16, 1300))
PADDINGS = st.sampled_from(Padding)


@pytest.mark.parametrize(
    ("frame", "into", "padding", "resized", "corner"),
    [
        (Size(640, 272), Size(416, 416), Padding.BOTTOM_RIGHT, Size(416, 177), (0, 0)),
        (Size(1280, 720), Size(640, 640), Padding.CENTRED, Size(640, 360), (0, 140)),
        (Size(720, 1280), Size(640, 640), Padding.CENTRED, Size(360, 640), (140, 0)),
        (Size(640, 640), Size(640, 640), Padding.CENTRED, Size(640, 640), (0, 0)),
        (Size(320, 240), Size(640, 640), Padding.BOTTOM_RIGHT, Size(640, 480), (0, 0)),
        (Size(1, 1), Size(416, 416), Padding.BOTTOM_RIGHT, Size(416, 416), (0, 0)),
        (Size(4000, 1), Size(640, 640), Padding.CENTRED, Size(640, 1), (0, 319)),
        (Size(1, 4000), Size(640, 640), Padding.BOTTOM_RIGHT, Size(1, 640), (0, 0)),
    ],
)
def test_the_whole_frame_is_in_the_input_as_large_as_possible(
    frame: Size, into: Size, padding: Padding, resized: Size, corner: tuple[int, int]
) -> None:
    letterbox = Letterbox.fit(frame, into, padding=padding)

    assert letterbox.resized == resized
    assert (letterbox.left, letterbox.top) == corner


@given(SIZES, INPUTS, PADDINGS)
def test_the_resized_frame_is_always_inside_the_input(
    frame: Size, into: Size, side: Padding
) -> None:
    letterbox = Letterbox.fit(frame, into, padding=side)

    assert 1 <= letterbox.resized.width <= into.width - letterbox.left
    assert 1 <= letterbox.resized.height <= into.height - letterbox.top
    assert into.width == letterbox.resized.width or into.height == letterbox.resized.height


@given(SIZES, INPUTS, PADDINGS, st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_a_box_is_converted_to_the_input_and_back(
    frame: Size, into: Size, side: Padding, normalized: list[float]
) -> None:
    letterbox = Letterbox.fit(frame, into, padding=side)
    box = np.array(normalized) * np.array([frame.width, frame.height] * 2)
    across = letterbox.resized.width / frame.width
    down = letterbox.resized.height / frame.height
    placed = box * [across, down, across, down] + [letterbox.left, letterbox.top] * 2

    back = letterbox.to_frame(placed[None].astype(np.float32))[0]

    tolerance = 1e-3 * max(1, 1 / across, 1 / down)
    assert np.abs(back - box).max() <= tolerance + 1e-3


def test_boxes_in_the_padding_are_clipped_to_the_edge_of_the_frame() -> None:
    letterbox = Letterbox.fit(Size(200, 100), Size(400, 400), padding=Padding.CENTRED)

    boxes = letterbox.to_frame(
        np.array([[-50, 50, 200, 500], [0, 310, 400, 390], [100, 120, 300, 280]], np.float32)
    )

    assert boxes.tolist() == [[0, 0, 100, 100], [0, 100, 200, 100], [50, 10, 150, 90]]


def test_a_very_large_box_is_clipped_without_overflow() -> None:
    letterbox = Letterbox.fit(Size(2000, 1000), Size(400, 400), padding=Padding.CENTRED)
    largest = float(np.finfo(np.float32).max)

    boxes = letterbox.to_frame(np.array([[-largest, -largest, largest, largest]], np.float32))

    assert boxes.tolist() == [[0, 0, 2000, 1000]]


def test_an_empty_array_of_boxes_stays_empty() -> None:
    letterbox = Letterbox.fit(Size(200, 100), Size(400, 400), padding=Padding.BOTTOM_RIGHT)

    assert letterbox.to_frame(np.empty((0, 4), np.float32)).shape == (0, 4)


@pytest.mark.parametrize(
    ("frame", "limit", "smallest"),
    [
        (Size(1280, 720), Size(640, 640), Size(640, 384)),
        (Size(720, 1280), Size(640, 640), Size(384, 640)),
        (Size(640, 480), Size(640, 640), Size(640, 480)),
        (Size(320, 240), Size(640, 640), Size(640, 480)),
        (Size(1000, 1), Size(640, 640), Size(640, 32)),
        (Size(1, 1), Size(640, 640), Size(640, 640)),
        (Size(1280, 720), Size(650, 650), Size(640, 384)),
        (Size(1280, 720), Size(20, 20), Size(32, 32)),
    ],
)
def test_the_smallest_input_is_a_multiple_of_the_stride_that_holds_the_frame(
    frame: Size, limit: Size, smallest: Size
) -> None:
    assert smallest_input(frame, limit, stride=32) == smallest


@given(SIZES, INPUTS, st.sampled_from([1, 16, 32, 64]))
def test_the_smallest_input_has_at_most_one_stride_of_padding(
    frame: Size, limit: Size, stride: int
) -> None:
    size = smallest_input(frame, limit, stride=stride)
    letterbox = Letterbox.fit(frame, size, padding=Padding.BOTTOM_RIGHT)

    assert (size.width % stride, size.height % stride) == (0, 0)
    assert size.width <= max(limit.width, stride)
    assert size.height <= max(limit.height, stride)
    spare = (size.width - letterbox.resized.width, size.height - letterbox.resized.height)
    assert max(spare) <= stride
