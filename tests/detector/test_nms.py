import time

import numpy as np
import pytest

from agent.detector.formats.decoded import DecodedDetections
from agent.detector.nms import MAX_DETECTIONS, non_maximum_suppression


def raw(*rows: tuple[list[float], float, int]) -> DecodedDetections:
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

    start = time.perf_counter()
    kept = non_maximum_suppression(crowd, iou=0.6)

    assert time.perf_counter() - start < 1.0
    assert len(kept.confidences) == MAX_DETECTIONS
    assert kept.confidences.min() > 0.98
    assert (np.diff(kept.confidences) <= 0).all()


def test_in_a_crowd_the_first_attempt_keeps_the_same_boxes_as_all_candidates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random = np.random.default_rng(6)
    corners = random.uniform(0, 600, (2000, 2)).astype(np.float32)
    boxes = np.concatenate([corners, corners + random.uniform(5, 60, (2000, 2))], axis=1)
    crowd = DecodedDetections(
        boxes.astype(np.float32),
        random.random(2000).astype(np.float32),
        random.integers(0, 3, 2000).astype(np.intp),
    )

    kept = non_maximum_suppression(crowd, iou=0.5)
    monkeypatch.setattr("agent.detector.nms.CANDIDATES", (1000,))
    of_all = non_maximum_suppression(crowd, iou=0.5)

    assert kept.boxes.tolist() == of_all.boxes.tolist()
