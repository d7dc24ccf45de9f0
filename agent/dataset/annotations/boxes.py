"""One object of an image as a person or the model described it."""

from dataclasses import dataclass, field

from agent.domain import Box, Polygon
from agent.record.shapes import Keypoints


@dataclass(frozen=True, slots=True)
class AnnotatedBox:
    """A box with its label, by a person or by the model; positions in pixels of the image."""

    label: str
    box: Box
    confidence: float = 1.0
    is_crowd: bool = False  # by a person: many objects, of which none is asked for
    is_bounds: bool = field(default=False, compare=False)
    """Whether it is the upright box around a polygon, a rotated box or a pose."""
    polygon: Polygon = field(default=(), compare=False)  # the outline that the source has
    corners: Polygon = field(default=(), compare=False)  # the four of a rotated box
    keypoints: Keypoints = field(default=(), compare=False)  # of a pose, in the source's order
