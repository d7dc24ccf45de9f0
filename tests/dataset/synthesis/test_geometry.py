"""Labels of a variant fit its pixels, whatever was done to them."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.dataset.synthesis.affine import Affine, clip
from agent.dataset.synthesis.objects import (
    KEPT_MIN,
    SIDE_MIN,
    CutObjectError,
    mirrored_keypoints,
    moved,
    moved_masks,
)
from agent.dataset.synthesis.operations import (
    Crop,
    Flip,
    Light,
    Operation,
    Shift,
    ZoomOut,
    image_of,
    motion_of,
)
from agent.record.shapes import COCO_KEYPOINTS, bounds

WIDTH, HEIGHT = 96, 64
PAINT = np.array([0, 0, 255], np.uint8)


@st.composite
def windows(draw: st.DrawFn) -> tuple[int, int, int, int]:
    left, top = draw(st.integers(0, WIDTH - 16)), draw(st.integers(0, HEIGHT - 16))
    right, bottom = draw(st.integers(left + 16, WIDTH)), draw(st.integers(top + 16, HEIGHT))
    return left, top, right, bottom


OPERATIONS = st.lists(
    st.one_of(
        st.just(Flip()),
        windows().map(lambda sides: Crop(*sides)),
        windows().map(lambda sides: ZoomOut(*sides)),
        st.builds(Shift, st.integers(-40, 40), st.integers(-30, 30)),
        st.builds(Light, st.floats(0.5, 1.5), st.floats(0.5, 2.0)),
    ),
    min_size=1,
    max_size=3,
)


@st.composite
def boxes(draw: st.DrawFn) -> list[float]:
    left, top = draw(st.integers(0, WIDTH - 8)), draw(st.integers(0, HEIGHT - 8))
    right, bottom = draw(st.integers(left + 8, WIDTH)), draw(st.integers(top + 8, HEIGHT))
    return [float(left), float(top), float(right), float(bottom)]


def thing(box: list[float], **more: Any) -> dict[str, Any]:
    return {"label": "car", "class_id": 2, "confidence": 0.6, "box": box, **more}


def misplaced(geometry: list[Operation], box: list[float]) -> float:
    """Paint an object, move it as pixels and as a box; return by how many pixels they differ.

    What interpolation may do is subtracted: it spreads an edge over as many pixels as one pixel is
    enlarged to.
    """
    pixels = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    left, top, right, bottom = map(int, box)
    pixels[top:bottom, left:right] = PAINT
    motion = motion_of(geometry, WIDTH, HEIGHT)
    try:
        made = moved([thing(box)], motion, WIDTH, HEIGHT)
    except CutObjectError:
        return 0.0
    image = image_of(geometry, pixels).astype(int)
    painted = (image[:, :, 2] - image[:, :, 1] > 127) & (image[:, :, 0] < 128)
    rows, columns = np.nonzero(painted)
    if not made:
        return float(rows.size)
    found = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    resized = sum(isinstance(each, Crop | ZoomOut) for each in geometry)
    scale = max(abs(motion.affine.x_scale), abs(motion.affine.y_scale), 1.0)
    blur = 1.0 + scale * resized if resized else 0.0
    return max(0.0, float(np.abs(np.array(found) - made[0]["box"]).max()) - blur)


@given(OPERATIONS, boxes())
def test_a_box_goes_where_its_pixels_go(operations: list[Operation], box: list[float]) -> None:
    geometry = [each for each in operations if not isinstance(each, Light)]

    assert misplaced(geometry, box) == 0


class FlipOfPixelCentres(Flip):
    """The planted bug: pixel i goes to width - 1 - i, and so does the edge of a box."""

    def affine(self, width: int, height: int) -> Affine:
        return super().affine(width - 1, height)


class ShiftOfTheOtherSide(Shift):
    """The planted bug: the box goes left where the pixels go right."""

    def affine(self, width: int, height: int) -> Affine:
        return Shift(-self.x, self.y).affine(width, height)


@pytest.mark.parametrize("planted", [FlipOfPixelCentres(), ShiftOfTheOtherSide(3, 0)])
def test_a_planted_bug_is_found(planted: Operation) -> None:
    assert misplaced([planted], [20.0, 20.0, 60.0, 50.0]) > 0


@given(OPERATIONS, boxes())
def test_a_kept_box_is_the_clipped_transform_of_the_box(
    operations: list[Operation], box: list[float]
) -> None:
    motion = motion_of(operations, WIDTH, HEIGHT)
    whole = motion.affine.box(box)
    inside = clip(whole, motion.window)
    try:
        made = moved([thing(box)], motion, WIDTH, HEIGHT)
    except CutObjectError:
        if inside is not None:  # something of it would be visible, but not enough
            share = (inside[2] - inside[0]) * (inside[3] - inside[1])
            share /= (whole[2] - whole[0]) * (whole[3] - whole[1])
            shorter = min(inside[2] - inside[0], inside[3] - inside[1])
            assert share < KEPT_MIN or shorter < SIDE_MIN
        return
    assert [each["box"] for each in made] == (
        [] if inside is None else [pytest.approx(inside, abs=1e-3)]
    )


@given(OPERATIONS, st.lists(boxes(), min_size=1, max_size=5))
def test_no_object_is_visible_without_a_label(
    operations: list[Operation], several: list[list[float]]
) -> None:
    motion = motion_of(operations, WIDTH, HEIGHT)
    objects = [thing(box, label=str(number)) for number, box in enumerate(several)]
    try:
        made = moved(objects, motion, WIDTH, HEIGHT)
    except CutObjectError:
        return
    visible = {
        each["label"]
        for each in objects
        if clip(motion.affine.box(each["box"]), motion.window) is not None
    }
    assert {each["label"] for each in made} == visible


@given(OPERATIONS, boxes())
def test_shapes_move_with_their_box(operations: list[Operation], box: list[float]) -> None:
    left, top, right, bottom = box
    corners = [[left, top], [right, top], [right, bottom], [left, bottom]]
    points = [[left, top, 0.9], *[[right, bottom, 0.8]] * 16]
    motion = motion_of(operations, WIDTH, HEIGHT)
    try:
        made = moved(
            [thing(box, polygon=corners, corners=corners, keypoints=points)], motion, WIDTH, HEIGHT
        )
    except CutObjectError:
        return
    for each in made:
        assert bounds(each["polygon"]) == pytest.approx(each["box"], abs=1e-3)
        whole = motion.affine.box(box)
        assert bounds(each["corners"]) == pytest.approx(whole, abs=1e-3)
        for x, y, confidence in each["keypoints"]:
            assert 0 <= x <= WIDTH
            assert 0 <= y <= HEIGHT
            assert confidence or (x, y) == (0.0, 0.0)


@given(OPERATIONS, st.floats(0, WIDTH), st.floats(0, HEIGHT))
def test_operations_in_a_row_are_one_map(operations: list[Operation], x: float, y: float) -> None:
    step_by_step = (x, y)
    for operation in operations:
        step_by_step = operation.affine(WIDTH, HEIGHT).point(*step_by_step)

    assert motion_of(operations, WIDTH, HEIGHT).affine.point(x, y) == pytest.approx(step_by_step)


def test_a_mirror_swaps_left_and_right_keypoints() -> None:
    points = [[float(number), 1.0, 0.9] for number in range(len(COCO_KEYPOINTS))]
    mirror = motion_of([Flip()], WIDTH, HEIGHT)

    [made] = moved([thing([0.0, 0.0, 20.0, 20.0], keypoints=points)], mirror, WIDTH, HEIGHT)

    places = {name: made["keypoints"][n][0] for n, name in enumerate(COCO_KEYPOINTS)}
    assert places["nose"] == WIDTH - 0
    assert places["left_eye"] == WIDTH - COCO_KEYPOINTS.index("right_eye")
    assert places["right_ankle"] == WIDTH - COCO_KEYPOINTS.index("left_ankle")
    order = mirrored_keypoints(17)
    assert order is not None
    assert [order[number] for number in order] == list(range(17))


def test_keypoints_without_known_counterparts_are_never_mirrored() -> None:
    mirror = motion_of([Flip()], WIDTH, HEIGHT)

    assert mirrored_keypoints(5) is None
    with pytest.raises(CutObjectError):
        moved([thing([0.0, 0.0, 20.0, 20.0], keypoints=[[1.0, 1.0, 1.0]] * 5)], mirror, 96, 64)


def test_an_object_at_the_very_edge_of_a_window_makes_no_variant() -> None:
    """People draw boxes a little too small: a pixel of it could be in the window."""
    window = motion_of([Crop(40, 0, 96, 64)], WIDTH, HEIGHT)

    with pytest.raises(CutObjectError):
        moved([thing([10.0, 10.0, 39.5, 30.0])], window, WIDTH, HEIGHT)
    assert moved([thing([10.0, 10.0, 30.0, 30.0])], window, WIDTH, HEIGHT) == []


def test_what_is_hidden_stays_described() -> None:
    masks: list[dict[str, Any]] = [
        {"polygon": [[0.0, 0.0], [10.0, 0.0], [10.0, 10.0]]},
        {"label": "face", "box": [1, 1, 5, 5]},
    ]
    shift = motion_of([Shift(-4, 0)], WIDTH, HEIGHT)

    made = moved_masks(masks, shift, WIDTH, HEIGHT)

    assert made[1] == {"label": "face", "box": [0.0, 1.0, 1.0, 5.0]}
    assert bounds(made[0]["polygon"]) == pytest.approx((0.0, 0.0, 6.0, 10.0))
    assert moved_masks(masks, motion_of([Shift(-20, 0)], WIDTH, HEIGHT), WIDTH, HEIGHT) == []


def test_light_changes_levels_alone() -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint8)[None, :, None], (4, 1, 3))

    darker = Light(gamma=2.0).apply(ramp)

    assert darker[0, :, 0].tolist() == [round(255 * (n / 255) ** 2) for n in range(256)]
    assert (Light().apply(ramp) == ramp).all()
