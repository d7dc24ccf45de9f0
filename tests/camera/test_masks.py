"""AGENT_MASKS: what is read, what is refused, and what of a frame a mask covers."""

import re
from math import cos, pi, sin

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agent.camera.mask_area import rectangles, touched
from agent.camera.masks import MOST_CORNERS, CameraMask, masks_of, parse_masks
from agent.camera.polygons import area, clipped, crosses_itself, hull
from agent.domain import Polygon

Point = tuple[float, float]

SQUARE = ((0.0, 0.0), (640.0, 0.0), (640.0, 200.0), (0.0, 200.0))
SHARES = ((0.0, 0.0), (1.0, 0.0), (1.0, 0.3), (0.0, 0.3))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gate:0,0 640,0 640,200 0,200", [("gate", SQUARE, False)]),
        ("0,0 640,0 640,200 0,200", [("", SQUARE, False)]),
        ("gate: 0, 0  640 ,0 640,200\n0,200 ;", [("gate", SQUARE, False)]),
        ("gate : 0,0 640,0 640,200 0,200", [("gate", SQUARE, False)]),
        ("gate:0,0 640,0 640,200 0,200 0,0", [("gate", SQUARE, False)]),  # closed
        ("gate:0,0 0,0 640,0 640,200 0,200", [("gate", SQUARE, False)]),  # a corner twice
        ("gate:0,0 1,0 1,0.3 0,.3", [("gate", SHARES, True)]),
        ("gate:0,0 1,0 1,1 0,1", [("gate", ((0, 0), (1, 0), (1, 1), (0, 1)), True)]),
        ("gate:0,0 1,0 1,0.3 0,0.3;gate:0,0 640,0 640,200 0,200", [
            ("gate", SHARES, True),
            ("gate", SQUARE, False),
        ]),
        ("gate:0,0 1,0 1,0.3 0,0.3 yard:0,0 640,0 640,200 0,200", [
            ("gate", SHARES, True),
            ("yard", SQUARE, False),
        ]),
        ("gate:-5,0 640.0,0 640,200", [("gate", ((-5, 0), (640, 0), (640, 200)), False)]),
        # Edges that cross: the hull, so that nothing between the corners stays visible.
        ("gate:0,0 640,200 640,0 0,200", [("gate", SQUARE, False)]),
    ],
)  # fmt: skip
def test_masks_are_read(text: str, expected: list[tuple[str, Polygon, bool]]) -> None:
    found = [(mask.camera, mask.corners, mask.in_shares) for mask in parse_masks(text)]

    assert found == expected


def test_the_size_of_the_frames_may_be_stated() -> None:
    [mask] = parse_masks("gate@1280x720:0,0 640,0 640,200", ["gate", "yard"])

    assert (mask.camera, mask.size) == ("gate", (1280, 720))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no polygon"),
        (" ; ", "no polygon"),
        ("gate:", "a polygon needs 3 different corners or more, not 0"),
        ("gate:0,0 640,0", "a polygon needs 3 different corners or more, not 2"),
        ("gate:0,0 640,0 0,0 640,0", "a polygon needs 3 different corners or more, not 2"),
        ("gate:0,0 64O,0 640,200", "'64O,0': a corner is x,y, such as 640,200 or 0.5,0.25"),
        ("gate:0,0 640 640,200", "'640': a corner is x,y"),
        ("gate=0,0 640,0 640,200", "a colon, not =, is between the camera's name"),
        ("gate:0,0 nan,0 640,200", "'nan,0': a corner is x,y"),
        ("gate:0,0 1e3,0 640,200", "'1e3,0': a corner is x,y"),
        ("gate:0,0 9999999999,0 640,200", "'9999999999,0': a corner is x,y"),
        ("gate:0,0 50%,0 640,200", "'50%,0': a corner is x,y"),
        ("gate:0,0 10,10 20,20", "its corners lie on one line"),
        ("gate:0,0 0.5,0 640,200", "all in pixels, whole numbers, or all in shares"),
        ("gate:-0.1,0 1,0 1,1", "all in pixels, whole numbers, or all in shares"),
        ("gat:0,0 640,0 640,200", "there is no camera gat; did you mean gate?"),
        ("GATE:0,0 640,0 640,200", "there is no camera GATE; did you mean gate?"),
        ("roof:0,0 640,0 640,200", "there is no camera roof; the cameras are gate, yard"),
        ("0,0 640,0 640,200", "Write the camera before it; the cameras are gate, yard"),
        (":0,0 640,0 640,200", "no name before the colon"),
        ("gate@1280:0,0 640,0 640,200", "such as @1280x720, not @1280"),
        ("gate@640x480:700,0 900,0 900,200", "it lies outside of an image of 640x480"),
        ("gate@640x480:0,0 1,0 1,1", "shares fit each size: leave @640x480 away"),
        ("gate:" + " ".join(f"{n},{n * n}" for n in range(MOST_CORNERS + 1)), "has 101 corners"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        parse_masks(text, ["gate", "yard"])


def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(ValueError, match="did you mean gate") as raised:
        parse_masks("gat:0,0 a,b 640,200; yard:0,0 1,1; gate:0,0 5,5 9,9", ["gate", "yard"])

    text = str(raised.value)
    for part in ("'a,b'", "not 2", "one line"):
        assert part in text


def test_a_mask_without_a_name_is_of_the_only_camera() -> None:
    masks = parse_masks("0,0 1,0 1,0.5; camera:0,0 9,0 9,9", ["camera"])

    assert len(masks_of(masks, "camera")) == 2
    assert len(masks_of(masks, "other")) == 1


@given(st.text(alphabet="gate:@x0123456789.,;- \n", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        masks = parse_masks(text, ["gate"])
    except ValueError:
        return
    for mask in masks:
        assert area(hull(mask.corners)) > 0
        assert not crosses_itself(mask.corners)


coordinates = st.integers(-40, 80) | st.floats(-40, 80, allow_nan=False, width=32)
corners = st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=7)


def simple(points: list[Point]) -> Polygon:
    """Return the polygon that the settings make of these corners."""
    unique = list(dict.fromkeys((float(x), float(y)) for x, y in points))
    assume(len(unique) > 2 and area(hull(unique)) > 1e-3)
    return hull(unique) if crosses_itself(unique) else tuple(unique)


def is_inside(polygon: Polygon, x: float, y: float) -> bool:
    """Return by the winding number whether a point is inside, by angles: another way than ours."""
    turned = 0.0
    for (ax, ay), (bx, by) in zip(polygon, polygon[1:] + polygon[:1], strict=True):
        one, other = complex(ax - x, ay - y), complex(bx - x, by - y)
        if abs(one) < 1e-9 or abs(other) < 1e-9:
            return False
        turned += np.angle(other / one)
    return abs(turned) > pi


@given(corners, st.integers(1, 50), st.integers(1, 40))
def test_each_pixel_whose_centre_is_inside_is_covered(
    points: list[Point], width: int, height: int
) -> None:
    polygon = simple(points)
    part = clipped(polygon, width, height)
    found = touched([part] if part else [], width, height)

    for row in range(height):
        for column in range(width):
            if is_inside(polygon, column + 0.5, row + 0.5):
                assert found[row, column]


@given(corners, st.integers(1, 30), st.integers(1, 30), st.data())
def test_no_point_of_the_region_is_visible(
    points: list[Point], width: int, height: int, data: st.DataObject
) -> None:
    polygon = simple(points)
    part = clipped(polygon, width, height)
    found = touched([part] if part else [], width, height)
    x = data.draw(st.floats(0.01, width - 0.01))
    y = data.draw(st.floats(0.01, height - 0.01))
    near = [(x + cos(n) * 1e-4, y + sin(n) * 1e-4) for n in range(7)]
    assume(all(is_inside(polygon, *point) for point in near))  # not on an edge

    assert found[int(y), int(x)]


@given(corners, st.integers(1, 50), st.integers(1, 40))
def test_a_clipped_polygon_lies_within_the_frame(
    points: list[Point], width: int, height: int
) -> None:
    part = clipped(simple(points), width, height)

    assert all(-1e-6 <= x <= width + 1e-6 and -1e-6 <= y <= height + 1e-6 for x, y in part)


@given(st.integers(1, 12), st.integers(1, 12), st.data())
def test_rectangles_cover_exactly_the_area(width: int, height: int, data: st.DataObject) -> None:
    cells = data.draw(st.lists(st.booleans(), min_size=width * height, max_size=width * height))
    wanted = np.array(cells, np.bool_).reshape(height, width)
    counts = np.zeros((height, width), int)
    for rows, columns in rectangles(wanted):
        counts[rows, columns] += 1

    assert (counts == wanted).all()


@pytest.mark.parametrize(
    ("polygon", "pixels"),
    [
        (((0, 0), (6, 0), (6, 2), (0, 2)), 12),  # edges between pixels: nothing more
        (((0, 0), (6.1, 0), (6.1, 2), (0, 2)), 14),  # a tenth of a column is one
        (((0, 0.5), (6, 0.5), (6, 1.5), (0, 1.5)), 12),
        (((0, 0), (8, 0), (0, 8)), 36),  # the diagonal's pixels, and those above it
    ],
)
def test_an_area_has_each_pixel_that_the_polygon_touches(polygon: Polygon, pixels: int) -> None:
    assert touched([polygon], 10, 10).sum() == pixels


def test_a_concave_polygon_leaves_its_bay_visible() -> None:
    mask = CameraMask("gate", ((0, 0), (9, 0), (9, 3), (3, 3), (3, 9), (0, 9)), in_shares=False)

    found = touched([mask.on(10, 10)], 10, 10)

    assert found.sum() == 9 * 3 + 3 * 6
    assert not found[5, 5]


@pytest.mark.parametrize("size", [(640, 480), (1920, 1080), (31, 7)])
def test_shares_fit_each_size(size: tuple[int, int]) -> None:
    [mask] = parse_masks("0,0 1,0 1,0.5 0,0.5")
    width, height = size

    found = touched([mask.on(width, height)], width, height)

    assert found[: height // 2].all()
    assert not found[-(height // 2) :].any()
