"""Draws an object on an image: its outline, keypoints or rotated box, else its box."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.domain import Pixels
from agent.record.shapes import (
    COCO_KEYPOINTS,
    COCO_SKELETON,
    Keypoints,
    Visibility,
    bounds,
    visibility,
)
from agent.record.summary import LabelledBox

_FILL = 0.25  # share of the colour in what is inside of an outline
_DOT = 2  # radius of a keypoint in widths of a line; one that is a guess is a ring
_BITS = 4  # of a fraction of a pixel, for OpenCV

_FAR = 100_000.0  # pixels; a corner of a rotated box may lie anywhere

Colour = tuple[int, int, int]


def draw_shape(
    image: Pixels, box: LabelledBox, scale: float, colour: Colour, *, thickness: int = 1
) -> None:
    """Draw an object in place; `scale` is pixels of `image` for a pixel of the stored image.

    `thickness` of the lines is in pixels of `image`.
    """
    if box.polygon:
        _fill(image, box.polygon, scale, colour)
    outline = box.polygon or box.corners
    if outline:
        points = [_fixed(outline, scale)]
        cv2.polylines(
            image,
            points,
            isClosed=True,
            color=colour,
            thickness=thickness,
            lineType=cv2.LINE_AA,
            shift=_BITS,
        )
    else:
        left, top, right, bottom = (round(side * scale) for side in box.sides)
        cv2.rectangle(image, (left, top), (right, bottom), colour, thickness, cv2.LINE_AA)
    for start, end in joints(box.keypoints):
        cv2.line(image, _pixel(start, scale), _pixel(end, scale), colour, thickness, cv2.LINE_AA)
    for x, y, confidence in box.keypoints:
        seen = visibility(confidence)
        if seen is not Visibility.NOT_LABELLED:
            width = cv2.FILLED if seen is Visibility.VISIBLE else thickness
            dot = _DOT * thickness
            cv2.circle(image, _pixel((x, y), scale), dot, colour, width, cv2.LINE_AA)


def joints(keypoints: Keypoints) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Return the lines of the skeleton between keypoints that are there: of COCO's 17 alone."""
    if len(keypoints) != len(COCO_KEYPOINTS):
        return []
    there = [visibility(point[2]) is not Visibility.NOT_LABELLED for point in keypoints]
    return [(keypoints[a][:2], keypoints[b][:2]) for a, b in COCO_SKELETON if there[a] and there[b]]


def _fill(
    image: Pixels, polygon: Sequence[tuple[float, float]], scale: float, colour: Colour
) -> None:
    """Mix the colour into the pixels inside of a polygon that lies within the image."""
    left, top, right, bottom = (round(side * scale) for side in bounds(polygon))
    part = image[top : bottom + 1, left : right + 1]
    inside = np.zeros(part.shape[:2], np.uint8)
    points = _fixed(polygon, scale) - np.array([left, top], np.int32) * 2**_BITS
    cv2.fillPoly(inside, [points], 1, cv2.LINE_8, _BITS)
    mixed = cv2.addWeighted(part, 1 - _FILL, np.full_like(part, colour), _FILL, 0)
    part[inside > 0] = mixed[inside > 0]


def _fixed(points: Sequence[tuple[float, float]], scale: float) -> NDArray[np.int32]:
    """Return points as OpenCV takes fractions of a pixel."""
    near = np.clip(np.asarray(points) * scale, -_FAR, _FAR)
    fixed: NDArray[np.int32] = np.rint(near * 2**_BITS).astype(np.int32)
    return fixed


def _pixel(point: tuple[float, float], scale: float) -> tuple[int, int]:
    return round(point[0] * scale), round(point[1] * scale)
