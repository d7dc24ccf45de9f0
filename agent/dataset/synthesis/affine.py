"""How an operation moves positions: a scale and an offset on each axis, exact in both directions.

Positions are in pixels of an image, origin at its top left corner; pixel i of a row spans i to
i + 1. So a mirrored position is `width - x`, and enlarging n pixels to m scales by m / n, as
OpenCV's `resize` does it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

Sides = tuple[float, float, float, float]
"""Left, top, right and bottom."""


@dataclass(frozen=True, slots=True)
class Affine:
    """Maps (x, y) to (x_scale * x + x_offset, y_scale * y + y_offset); scales are not 0."""

    x_scale: float = 1.0
    x_offset: float = 0.0
    y_scale: float = 1.0
    y_offset: float = 0.0

    def then(self, later: "Affine") -> "Affine":
        """Return the map that does this one first."""
        return Affine(
            later.x_scale * self.x_scale,
            later.x_scale * self.x_offset + later.x_offset,
            later.y_scale * self.y_scale,
            later.y_scale * self.y_offset + later.y_offset,
        )

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point goes."""
        return self.x_scale * x + self.x_offset, self.y_scale * y + self.y_offset

    def box(self, sides: Sequence[float]) -> Sides:
        """Return where a box goes: its sides stay parallel to the axes."""
        left, top = self.point(sides[0], sides[1])
        right, bottom = self.point(sides[2], sides[3])
        return min(left, right), min(top, bottom), max(left, right), max(top, bottom)

    @property
    def is_mirrored(self) -> bool:
        """Whether left and right change places."""
        return self.x_scale < 0


@dataclass(frozen=True, slots=True)
class Motion:
    """Where all positions of a parent go, and which part of the variant shows the parent.

    A step may cut off what a later one would bring back, so the map alone does not tell.
    """

    affine: Affine
    window: Sides  # pixels of the variant

    def then(self, later: Affine, width: int, height: int) -> "Motion":
        """Return the motion that is followed by a step in images of this size."""
        window = clip(later.box(self.window), (0.0, 0.0, float(width), float(height)))
        return Motion(self.affine.then(later), window or (0.0, 0.0, 0.0, 0.0))


def clip(sides: Sides, window: Sides) -> Sides | None:
    """Return the part of a box inside of a window; None if nothing is."""
    left, top = max(sides[0], window[0]), max(sides[1], window[1])
    right, bottom = min(sides[2], window[2]), min(sides[3], window[3])
    return (left, top, right, bottom) if left < right and top < bottom else None


def area(sides: Sides) -> float:
    """Return the area of a box in square pixels."""
    return (sides[2] - sides[0]) * (sides[3] - sides[1])
