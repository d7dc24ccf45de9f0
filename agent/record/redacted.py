"""Pixelates the places of labels that nobody may recognize: AGENT_REDACT.

Only what the model detects is found; a person that it misses is in the image.
"""

from collections.abc import Collection
from math import ceil, floor

import cv2

from agent.domain import Box, HiddenPart, Observation, Pixels

BLOCKS = 6
"""Blocks along the longer side of a place, at most.

People recognize familiar faces at 7 x 10 blocks (Yip and Sinha, Perception 31, 2002)."""

_MARGIN = 0.1  # of the box's size on each side: a box ends at the chin or cuts off the hair
_LEAST_MARGIN = 2.0  # pixels
_LEAST_BLOCK = 4.0  # pixels


def redacted_parts(observation: Observation, labels: Collection[str]) -> tuple[HiddenPart, ...]:
    """Return what must be pixelated: the boxes of these labels, grown, at any confidence.

    It is the whole frame if nobody knows where they are: the model's output is incomplete, or
    another model without these labels made it.
    """
    if not labels:
        return ()
    height, width = observation.frame.pixels.shape[:2]
    model = observation.model
    if observation.invalid or (model is not None and not set(labels) <= set(model.labels)):
        return (HiddenPart(box=Box(0.0, 0.0, float(width), float(height))),)
    return tuple(
        HiddenPart(box=_grown(each.box, width, height), label=each.label)
        for each in observation.detections
        if each.label in labels
    )


def pixelated(pixels: Pixels, parts: Collection[HiddenPart]) -> Pixels:
    """Return a copy in which each block of these boxes has one colour, the mean of its pixels."""
    changed = pixels.copy()
    for part in parts:
        if part.box is None:
            continue
        top, bottom = floor(part.box.y_min), ceil(part.box.y_max)
        left, right = floor(part.box.x_min), ceil(part.box.x_max)
        place = changed[top:bottom, left:right]
        if not place.size:
            continue
        height, width = place.shape[:2]
        block = max(_LEAST_BLOCK, max(height, width) / BLOCKS)
        blocks = (max(1, floor(width / block)), max(1, floor(height / block)))
        small = cv2.resize(place, blocks, interpolation=cv2.INTER_AREA)
        place[:] = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)
    return changed


def _grown(box: Box, width: int, height: int) -> Box:
    """Return a box with its margin, within the frame."""
    across = max(_LEAST_MARGIN, _MARGIN * (box.x_max - box.x_min))
    down = max(_LEAST_MARGIN, _MARGIN * (box.y_max - box.y_min))
    return Box(
        max(0.0, box.x_min - across),
        max(0.0, box.y_min - down),
        min(float(width), box.x_max + across),
        min(float(height), box.y_max + down),
    )
