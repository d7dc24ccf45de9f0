"""Reads what people said of captures in a Label Studio project: its JSON export.

Rectangles, also turned ones, polygons and ellipses count as the upright boxes around them.
Keypoints belong to a rectangle, which is read; a choice says nothing of a box.
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from agent.dataset.annotations.boxes import AnnotatedBox
from agent.dataset.annotations.source import ReviewError, Truth, capture_in, finite, require_first
from agent.dataset.records import Records
from agent.domain import Box
from agent.printable import printable
from agent.record.shapes import bounds

_NO_OBJECT = frozenset(
    {"keypointlabels", "choices", "relation", "textarea", "rating", "number", "taxonomy"}
)
_TEXT_MAX = 2000  # characters; a longer value is an image, not the name of one


def is_label_studio(content: Any) -> bool:
    """Whether a JSON file is an export of Label Studio's tasks rather than verdicts."""
    return (
        isinstance(content, list)
        and bool(content)
        and all(
            isinstance(task, dict) and {"data", "annotations"} <= task.keys() for task in content
        )
    )


def label_studio_boxes(file: Path, content: Any, records: Records) -> Truth:
    """Return the boxes of each task that a person annotated; none where nothing is in the image.

    Raises `ReviewError` for a region that is not understood, or two annotations of one capture.
    """
    truth: dict[str, list[AnnotatedBox]] = {}
    try:
        for task in content:
            name = _capture(task, records)
            said = [each for each in task["annotations"] if not each.get("was_cancelled")]
            if name is None or not said:
                continue
            require_first(name, truth, file)
            if len(said) > 1:
                raise ReviewError(
                    f"cannot use {printable(file)}: it has {len(said)} annotations of the capture "
                    f"{name}; keep the one that counts"
                )
            truth[name] = list(_boxes(said[0]["result"], records[name]["image"]))
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        why = error if type(error) is ValueError else repr(error)
        raise ReviewError(
            f"cannot read {printable(file)} as an export of Label Studio: {printable(why)}"
        ) from error
    return truth


def _capture(task: Mapping[str, Any], records: Records) -> str | None:
    """Return the capture of a task: by its `capture_id`, else by a name of its image."""
    data = task["data"]
    values = [data.get("capture_id"), *data.values(), task.get("file_upload")]
    texts = (text for text in values if isinstance(text, str) and len(text) <= _TEXT_MAX)
    return next((name for text in texts if (name := capture_in(text, records))), None)


def _boxes(result: Any, size: Mapping[str, Any]) -> Iterator[AnnotatedBox]:
    width, height = size["width"], size["height"]
    for region in result:
        kind = region["type"]
        if kind in _NO_OBJECT:
            continue
        outline = _outline(kind, region["value"], width, height)
        if region.get("image_rotation"):
            raise ValueError("an image was rotated before it was annotated; rotate it back")
        label = region["value"].get(kind)
        if not isinstance(label, list) or not label:
            raise ValueError(f"a region of the type {printable(kind, 40)} has no label")
        yield AnnotatedBox(str(label[0]), Box(*bounds(outline)), is_bounds=True)


def _outline(
    kind: str, value: Mapping[str, Any], width: int, height: int
) -> list[tuple[float, float]]:
    """Return points in pixels whose bounds are those of a region, which is in percent."""
    if kind == "polygonlabels":
        return [(finite(x) * width / 100, finite(y) * height / 100) for x, y in value["points"]]
    if kind not in {"rectanglelabels", "ellipselabels"}:
        raise ValueError(
            f"regions of the type {printable(kind, 40)} are not read; draw rectangles or polygons, "
            "or give verdicts"
        )
    x, y = finite(value["x"]) * width / 100, finite(value["y"]) * height / 100
    angle = math.radians(finite(value.get("rotation") or 0))
    cos, sin = math.cos(angle), math.sin(angle)
    if kind == "ellipselabels":
        across, down = (finite(value[name]) / 100 for name in ("radiusX", "radiusY"))
        wide = math.hypot(across * width * cos, down * height * sin)
        high = math.hypot(across * width * sin, down * height * cos)
        return [(x - wide, y - high), (x + wide, y + high)]
    along, side = finite(value["width"]) * width / 100, finite(value["height"]) * height / 100
    return [
        (x + a * along * cos - d * side * sin, y + a * along * sin + d * side * cos)
        for a, d in ((0, 0), (1, 0), (1, 1), (0, 1))
    ]
