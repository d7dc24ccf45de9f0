"""Places for the captions of boxes in a drawing, none of which covers another."""

from collections.abc import Iterator, Sequence

Sides = tuple[float, float, float, float]
"""Left, top, right and bottom, in pixels."""

_STEPS = 16  # places that are tried upwards and downwards of each box


def places(
    boxes: Sequence[Sides], sizes: Sequence[tuple[float, float]], width: float, height: float
) -> list[tuple[float, float] | None]:
    """Return left and top of a caption for each box; None where no place near it is free.

    `sizes` has width and height of each caption. Earlier ones choose first: above their box, else
    inside of it at the top, else below it, else as near as there is room. All stay within an image
    of `width` x `height` pixels; one that is wider than the image begins at its left edge.
    """
    taken: list[Sides] = []
    found: list[tuple[float, float] | None] = []
    for box, size in zip(boxes, sizes, strict=True):
        place = next(
            (each for each in _near(box, size, width, height) if _is_free(each, size, taken)), None
        )
        found.append(place)
        if place is not None:
            taken.append((*place, place[0] + size[0], place[1] + size[1]))
    return found


def _near(
    box: Sides, size: tuple[float, float], width: float, height: float
) -> Iterator[tuple[float, float]]:
    """Return places within the image for a caption, the best first."""
    left, top, right, bottom = box
    wide, high = size
    columns = (left, right - wide)
    rows = [top - high, top, bottom, bottom - high]
    rows += [start + step * high for step in range(1, _STEPS) for start in (top, top - high)]
    rows += [top - high - step * high for step in range(1, _STEPS)]
    for row in rows:
        for column in columns:
            x = max(0.0, min(column, width - wide))
            y = max(0.0, min(row, height - high))
            yield x, y


def _is_free(place: tuple[float, float], size: tuple[float, float], taken: Sequence[Sides]) -> bool:
    left, top = place
    right, bottom = left + size[0], top + size[1]
    return not any(
        left < others_right and others_left < right and top < others_bottom and others_top < bottom
        for others_left, others_top, others_right, others_bottom in taken
    )
