"""Reads one row of a YOLO label file of any task: the upright box around its object, and its shape.

| columns | row |
| --- | --- |
| 5 | class, centre, size |
| 7, 9, 11, ... | class and the corners of a polygon; 9 of a rotated box too, with the same bounds |
| 5 and 3 for each keypoint | class, centre, size, then place and visibility of keypoints |
| 5 and 2 for each keypoint | the same without visibility, where the count of keypoints is known |

A count of columns can be of a polygon and of a pose. It is of a pose where `data.yaml` has
`kpt_shape`, or the capture is of a pose model.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.dataset.annotations.boxes import AnnotatedBox
from agent.dataset.annotations.source import finite
from agent.domain import Box, Task
from agent.printable import printable
from agent.record.shapes import Visibility, bounds, confidence_of, keypoint_count, task_of

_BOX = 5  # columns: class, centre, size
_BOX_WITH_CONFIDENCE = 6
_POLYGON = 7  # columns at least: class and three corners
_WITH_VISIBILITY = 3  # columns of a keypoint
_WITHOUT = 2
_TOLERANCE = 0.01  # tools round, and let a box reach a little out of the image


@dataclass(frozen=True, slots=True)
class PoseShape:
    """The keypoints of each row, as `kpt_shape` has them."""

    count: int = 0  # 0 if nothing says it
    columns: int = 0  # of each keypoint, 2 or 3; 0 if nothing says it


def pose_of(stated: PoseShape | None, record: Mapping[str, Any]) -> PoseShape | None:
    """Return the keypoints of a capture's rows; None if they are not of a pose model."""
    if stated is not None:
        return stated
    return PoseShape(keypoint_count(record)) if task_of(record) is Task.POSE else None


def box_of_row(
    parts: Sequence[str], names: Sequence[str], size: Mapping[str, Any], pose: PoseShape | None
) -> AnnotatedBox:
    """Return the box of a row; `size` has the image's width and height in pixels.

    Raises `ValueError`, with the reason, for a row that fits no task.
    """
    label = _label(parts[0], names)
    values = [finite(part) for part in parts[1:]]
    columns = _keypoint_columns(len(parts), pose, values)
    outline: list[tuple[float, float]] = []
    if len(parts) == _BOX or columns:
        _require_keypoints(values[4:], columns)
        _require_shares(values[:4])
        x, y, width, height = values[:4]
        sides = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    elif len(parts) >= _POLYGON and len(parts) % 2 and (pose is None or not pose.columns):
        _require_shares(values)
        outline = list(zip(values[::2], values[1::2], strict=True))
        sides = bounds(outline)
    else:
        raise ValueError(_no_row(len(parts), pose))
    left, top, right, bottom = sides
    across, down = size["width"], size["height"]
    return AnnotatedBox(
        label,
        Box(left * across, top * down, right * across, bottom * down),
        is_bounds=len(parts) != _BOX,
        polygon=tuple((x * across, y * down) for x, y in outline),
        keypoints=tuple(_keypoints(values[4:], columns, across, down)),
    )


def _keypoints(
    values: Sequence[float], columns: int, across: float, down: float
) -> Iterator[tuple[float, float, float]]:
    """Yield x and y in pixels, and a confidence that says how visible a keypoint is."""
    for start in range(0, len(values) if columns else 0, columns or 1):
        x, y = values[start : start + _WITHOUT]
        seen = values[start + _WITHOUT] if columns == _WITH_VISIBILITY else Visibility.VISIBLE
        if seen == Visibility.NOT_LABELLED:
            yield 0.0, 0.0, 0.0
        else:
            yield x * across, y * down, confidence_of(Visibility(int(seen)))


def _label(text: str, names: Sequence[str]) -> str:
    try:
        number = int(text)
    except ValueError:
        raise ValueError(
            f"its class, '{printable(text, 40)}', must be a whole number; columns are "
            "separated by spaces"
        ) from None
    if not 0 <= number < len(names):
        raise ValueError(f"class {number} has no name; there are {len(names)}")
    return names[number]


def _keypoint_columns(count: int, pose: PoseShape | None, values: Sequence[float]) -> int:
    """Return the columns of each keypoint in a row of `count` columns; 0 if it has none."""
    rest = count - _BOX
    if rest < _WITHOUT:
        return 0
    if pose is None:
        # Of an even number of columns only a pose is left; the last says how visible a keypoint is.
        is_pose = count % 2 == 0 and rest % _WITH_VISIBILITY == 0 and values[-1] in list(Visibility)
        return _WITH_VISIBILITY if is_pose else 0
    for columns in (_WITH_VISIBILITY, _WITHOUT):
        if columns == (pose.columns or columns) and rest == columns * pose.count:
            return columns
    unknown = not pose.count and rest % _WITH_VISIBILITY == 0
    return _WITH_VISIBILITY if unknown else 0


def _require_shares(values: Sequence[float]) -> None:
    if not all(-_TOLERANCE <= value <= 1 + _TOLERANCE for value in values):
        raise ValueError("its numbers must be from 0 to 1, as shares of the image")


def _require_keypoints(values: Sequence[float], columns: int) -> None:
    """Raise `ValueError` for a keypoint out of the image, or of no known visibility."""
    for start in range(0, len(values), columns or 1):
        point = values[start : start + columns]
        if columns == _WITH_VISIBILITY and point[2] not in list(Visibility):
            raise ValueError(
                f"the visibility of keypoint {start // columns + 1} must be 0, 1 or 2, "
                f"not {point[2]:g}"
            )
        if columns == _WITHOUT or point[2]:
            _require_shares(point[:2])


def _no_row(count: int, pose: PoseShape | None) -> str:
    kind = "a prediction with its confidence" if count == _BOX_WITH_CONFIDENCE else "no row"
    if pose is not None and pose.columns:
        whole = _BOX + pose.count * pose.columns
        return (
            f"{count} columns are {kind} of this dataset, whose kpt_shape is "
            f"[{pose.count}, {pose.columns}]; it must have {_BOX} (a class, centre and size) or "
            f"{whole} (the same with the keypoints)"
        )
    return (
        f"{count} columns are {kind}; it must be a class, centre and size ({_BOX} columns), a "
        "class and the corners of a polygon or a rotated box (7, 9, 11, ...), or a class, centre, "
        "size and keypoints (5, and 3 for each keypoint)"
    )
