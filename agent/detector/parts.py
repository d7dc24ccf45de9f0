"""Add to detections what a model reports beside their boxes: masks, keypoints, corners."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from agent.detector.formats.contract import MaskFormat, ObjectFormat, PoseFormat
from agent.detector.formats.decoded import CONFIDENCE_LIMIT, DecodedDetections
from agent.detector.formats.geometry import rotated_corners
from agent.detector.letterbox import Letterbox
from agent.detector.masks import masks_of
from agent.domain import Detection, FloatArray, Keypoint, Task


def with_parts(
    known: ObjectFormat,
    outputs: Sequence[FloatArray],
    kept: DecodedDetections,
    detections: Sequence[Detection],
    letterbox: Letterbox,
) -> tuple[tuple[Detection, ...], bool]:
    """Return the detections with their parts, and whether some parts were invalid.

    A detection whose mask, keypoints or corners are invalid is left out, as one with an invalid box
    is.

    Args:
        known: The model's format.
        outputs: The outputs that it reads.
        kept: Where `detections` come from, in the same order.
        detections: With their boxes in the frame.
        letterbox: The frame's place in the input.
    """
    if known.task is Task.SEGMENT:
        return _with_masks(known, outputs, kept, detections, letterbox)
    if known.task is Task.POSE:
        return _with_keypoints(known, outputs, kept, detections, letterbox)
    if kept.rotated is None:
        return tuple(detections), False
    corners = letterbox.points_to_frame(rotated_corners(kept.rotated))
    # In a large frame a huge box overflows.
    good = np.asarray(np.isfinite(corners).all(axis=(1, 2)), np.bool_)
    return tuple(
        replace(each, corners=tuple((x, y) for x, y in points))
        for each, points, is_good in zip(detections, corners.tolist(), good.tolist(), strict=True)
        if is_good
    ), not bool(good.all())


def _with_masks(
    known: MaskFormat,
    outputs: Sequence[FloatArray],
    kept: DecodedDetections,
    detections: Sequence[Detection],
    letterbox: Letterbox,
) -> tuple[tuple[Detection, ...], bool]:
    source = known.masks(outputs, _rows(kept), letterbox.input)
    masks = masks_of(source, [each.box for each in detections], kept.boxes, letterbox)
    return tuple(
        replace(each, mask=mask)
        for each, mask in zip(detections, masks, strict=True)
        if mask is not None
    ), None in masks


def _with_keypoints(
    known: PoseFormat,
    outputs: Sequence[FloatArray],
    kept: DecodedDetections,
    detections: Sequence[Detection],
    letterbox: Letterbox,
) -> tuple[tuple[Detection, ...], bool]:
    """Add keypoints; those outside of the frame are moved to its edge."""
    points = known.keypoints(outputs, _rows(kept))
    confidences = points[:, :, 2]
    good = (confidences >= 1 - CONFIDENCE_LIMIT) & (confidences <= CONFIDENCE_LIMIT)
    good &= np.isfinite(points).all(axis=2)
    placed = letterbox.points_to_frame(points[:, :, :2])
    origin = np.array(letterbox.origin, np.float32)
    edge = origin + np.array([letterbox.frame.width, letterbox.frame.height], np.float32)
    placed = np.clip(placed, origin, edge)
    good &= np.isfinite(placed).all(axis=2)
    numbers = np.concatenate([placed, np.clip(confidences, 0, 1)[:, :, None]], axis=2)
    return tuple(
        replace(each, keypoints=tuple(Keypoint(*point) for point in points))
        for each, points, is_good in zip(detections, numbers.tolist(), good.tolist(), strict=True)
        if all(is_good)
    ), not bool(good.all())


def _rows(kept: DecodedDetections) -> NDArray[np.intp]:
    if kept.rows is None:
        raise ValueError("the format did not say which rows its detections come from")
    return kept.rows
