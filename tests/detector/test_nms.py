import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from agent.detector import nms
from agent.detector.formats.decoded import DecodedDetections
from agent.detector.formats.geometry import bounds
from agent.detector.nms import (
    MAX_DETECTIONS,
    MOST_PAIRS,
    non_maximum_suppression,
    probabilistic_iou,
)
from agent.domain import FloatArray


def raw(*rows: tuple[Sequence[float], float, int]) -> DecodedDetections:
    boxes, confidences, class_ids = zip(*rows, strict=True)
    return DecodedDetections(
        np.array(boxes, np.float32), np.array(confidences, np.float32), np.array(class_ids, np.intp)
    )


def test_of_overlapping_boxes_of_one_class_the_most_confident_is_kept() -> None:
    kept = non_maximum_suppression(
        raw(([0, 0, 10, 10], 0.5, 1), ([1, 0, 11, 10], 0.9, 1), ([50, 50, 60, 60], 0.6, 1)), iou=0.6
    )

    np.testing.assert_allclose(kept.confidences, [0.9, 0.6], atol=1e-6)
    assert kept.boxes.tolist() == [[1, 0, 11, 10], [50, 50, 60, 60]]


def test_boxes_of_other_classes_are_kept_even_with_negative_coordinates() -> None:
    """OpenCV separates classes by a shift, which fails for negative coordinates."""
    kept = non_maximum_suppression(
        raw(
            ([90, 90, 100, 100], 0.9, 0), ([-11, -11, -1, -1], 0.8, 1), ([90, 90, 100, 100], 0.7, 1)
        ),
        iou=0.1,
    )

    assert kept.class_ids.tolist() == [0, 1, 1]


@pytest.mark.parametrize(("iou", "count"), [(0.3, 1), (0.4, 2)])
def test_boxes_with_a_lower_iou_than_the_limit_are_kept(iou: float, count: int) -> None:
    two = raw(([0, 0, 10, 10], 0.9, 0), ([5, 0, 15, 10], 0.8, 0))  # the IoU is a third

    assert len(non_maximum_suppression(two, iou=iou).confidences) == count


@given(
    boxes=st.lists(
        st.tuples(*[st.integers(-20, 60)] * 2, *[st.integers(1, 40)] * 2, st.integers(0, 2)),
        min_size=1,
        max_size=120,
    ),
    iou=st.sampled_from([0.3001, 0.4501, 0.6001]),
    most_pairs=st.sampled_from([0, MOST_PAIRS]),  # 0: all boxes are taken for piles
)
def test_it_keeps_what_the_comparison_of_each_box_with_those_kept_before_keeps(
    boxes: list[tuple[int, int, int, int, int]], iou: float, most_pairs: int
) -> None:
    rows = [
        ([x, y, x + w, y + h], 1 - n / 1000, kind) for n, (x, y, w, h, kind) in enumerate(boxes)
    ]
    expected: list[tuple[list[int], float, int]] = []
    for row in rows:
        if all(row[2] != other[2] or overlap(row[0], other[0]) <= iou for other in expected):
            expected.append(row)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nms, "MOST_PAIRS", most_pairs)
        kept = non_maximum_suppression(raw(*rows), iou=iou)

    assert kept.boxes.tolist() == [box for box, _, _ in expected]


def overlap(a: list[int], b: list[int]) -> float:
    across = min(a[2], b[2]) - max(a[0], b[0])
    down = min(a[3], b[3]) - max(a[1], b[1])
    inner = max(across, 0) * max(down, 0)
    areas = [(each[2] - each[0]) * (each[3] - each[1]) for each in (a, b)]
    return inner / (sum(areas) - inner)


def test_one_very_large_box_does_not_remove_the_others() -> None:
    kept = non_maximum_suppression(
        raw(
            ([0, 0, 10, 10], 0.9, 2),
            ([-1e30, -1e30, 1e30, 1e30], 0.8, 2),
            ([30, 0, 40, 10], 0.7, 2),
        ),
        iou=0.6,
    )

    assert len(kept.confidences) == 3


def test_without_an_iou_the_boxes_are_only_sorted() -> None:
    same = [0.0, 0.0, 10.0, 10.0]
    kept = non_maximum_suppression(raw((same, 0.2, 0), (same, 0.9, 0), (same, 0.5, 0)), iou=None)

    np.testing.assert_allclose(kept.confidences, [0.9, 0.5, 0.2], atol=1e-6)


@pytest.mark.parametrize("iou", [0.6, None])
def test_no_boxes_give_no_boxes(iou: float | None) -> None:
    nothing = DecodedDetections(
        np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.intp)
    )

    assert len(non_maximum_suppression(nothing, iou=iou).confidences) == 0


def test_thirty_thousand_boxes_take_less_than_a_second() -> None:
    random = np.random.default_rng(5)
    corners = random.uniform(0, 600, (30_000, 2)).astype(np.float32)
    boxes = np.concatenate([corners, corners + 2], axis=1)
    crowd = DecodedDetections(
        boxes, random.random(30_000).astype(np.float32), np.zeros(30_000, np.intp)
    )

    start = time.process_time()
    kept = non_maximum_suppression(crowd, iou=0.6)

    assert time.process_time() - start < 1.0
    assert len(kept.confidences) == MAX_DETECTIONS
    assert kept.confidences.min() > 0.98
    assert (np.diff(kept.confidences) <= 0).all()


def test_in_a_crowd_the_boxes_are_kept_that_a_comparison_of_all_pairs_keeps() -> None:
    random = np.random.default_rng(6)
    corners = random.uniform(0, 600, (2000, 2)).astype(np.float32)
    boxes = np.concatenate([corners, corners + random.uniform(5, 60, (2000, 2))], axis=1)
    crowd = DecodedDetections(
        boxes.astype(np.float32),
        random.random(2000).astype(np.float32),
        random.integers(0, 3, 2000).astype(np.intp),
    )

    kept = non_maximum_suppression(crowd, iou=0.5)

    stay: list[int] = []
    for row in np.argsort(-crowd.confidences)[:1000].tolist():
        same = [each for each in stay if crowd.class_ids[each] == crowd.class_ids[row]]
        if not any(_iou(crowd.boxes[each], crowd.boxes[row]) > 0.5 for each in same):
            stay.append(row)
    assert kept.boxes.tolist() == crowd.boxes[stay[:MAX_DETECTIONS]].tolist()


def _iou(a: FloatArray, b: FloatArray) -> float:
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    inner = float(np.prod(np.maximum(high - low, 0)))
    areas = float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]))
    return inner / (areas - inner)


def turned(*rows: tuple[list[float], float, int]) -> DecodedDetections:
    """Return rotated boxes: centre, sides and angle; confidence; class id."""
    boxes, confidences, class_ids = zip(*rows, strict=True)
    rotated = np.array(boxes, np.float32)
    return DecodedDetections(
        bounds(rotated),
        np.array(confidences, np.float32),
        np.array(class_ids, np.intp),
        rotated=rotated,
    )


def test_rotated_boxes_are_compared_with_their_angles() -> None:
    """A crossed pair has the same upright box; the third lies on the first, and the fourth too."""
    kept = non_maximum_suppression(
        turned(
            ([50, 50, 80, 10, 0.7], 0.9, 0),
            ([50, 50, 80, 10, -0.7], 0.8, 0),
            ([50, 51, 80, 10, 0.7], 0.7, 0),
            ([50, 50, 10, 80, 0.7 - np.pi / 2], 0.6, 0),
            ([50, 50, 80, 10, 0.7], 0.5, 1),
        ),
        iou=0.7,
    )

    np.testing.assert_allclose(kept.confidences, [0.9, 0.8, 0.5], atol=1e-6)
    assert kept.rotated is not None
    assert len(kept.rotated) == 3


def test_a_removed_rotated_box_removes_others_as_in_fast_nms() -> None:
    """Each is close to its neighbour alone: greedy NMS would keep the third."""
    chain = turned(*(([50.0 + 12 * n, 50.0, 80.0, 40.0, 0.0], 0.9 - n / 10, 0) for n in range(3)))

    assert len(non_maximum_suppression(chain, iou=0.7).confidences) == 1


def pairs(count: int = 200) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    random = np.random.default_rng(4)
    low, high = [0, 0, 5, 5, -3], [40, 40, 60, 60, 3]
    return random.uniform(low, high, (count, 5)), random.uniform(low, high, (count, 5))


def test_the_probabilistic_iou_is_one_minus_the_hellinger_distance() -> None:
    """Compared with the definition, in matrices."""
    a, b = pairs()
    found = probabilistic_iou(a, b)

    for one, other, overlap in zip(a, b, found, strict=True):
        first, second = covariance(one), covariance(other)
        mean = (first + second) / 2
        apart = one[:2] - other[:2]
        bhattacharyya = (
            apart @ np.linalg.inv(mean) @ apart / 8
            + np.log(np.linalg.det(mean) / np.sqrt(np.linalg.det(first) * np.linalg.det(second)))
            / 2
        )
        assert overlap == pytest.approx(1 - np.sqrt(1 - np.exp(-bhattacharyya)), abs=1e-3)


def covariance(box: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the covariance of the uniform distribution over a rotated box."""
    cosine, sine = np.cos(box[4]), np.sin(box[4])
    turn = np.array([[cosine, -sine], [sine, cosine]])
    return np.asarray(turn @ np.diag(box[2:4] ** 2 / 12) @ turn.T)


def test_the_probabilistic_iou_knows_equal_boxes() -> None:
    a, b = pairs()
    half_turn = a + np.array([0, 0, 0, 0, np.pi])
    on_its_side = np.column_stack([a[:, :2], a[:, 3], a[:, 2], a[:, 4] + np.pi / 2])

    np.testing.assert_allclose(probabilistic_iou(a, b), probabilistic_iou(b, a), atol=1e-9)
    for same in (a, half_turn, on_its_side):
        np.testing.assert_allclose(probabilistic_iou(a, same), 1, atol=2e-3)
