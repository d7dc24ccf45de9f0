"""Reads a COCO file, as most annotation tools export it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.dataset.annotations.boxes import AnnotatedBox
from agent.dataset.annotations.source import (
    ReviewError,
    Truth,
    capture_in,
    finite,
    require_first,
)
from agent.dataset.records import Records
from agent.domain import Box
from agent.printable import printable
from agent.record.shapes import bounds


def is_coco(content: Any) -> bool:
    """Whether a JSON file is COCO rather than verdicts."""
    return isinstance(content, dict) and {"images", "annotations", "categories"} <= content.keys()


def coco_labels(file: Path, content: Any, records: Records) -> Truth:
    """Return the boxes of a COCO file; an image without annotations has nothing in it."""
    try:
        labels = {each["id"]: str(each["name"]) for each in content["categories"]}
        found: dict[Any, tuple[str, float, float]] = {}
        truth: dict[str, list[AnnotatedBox]] = {}
        for image in content["images"]:
            name = capture_in(str(image["file_name"]), records)
            if name is not None:
                require_first(name, truth, file)
                size = records[name]["image"]
                across = size["width"] / (image.get("width") or size["width"])
                down = size["height"] / (image.get("height") or size["height"])
                found[image["id"]] = name, across, down
                truth[name] = []
        for each in content["annotations"]:
            if each["image_id"] in found:
                name, across, down = found[each["image_id"]]
                left, top, right, bottom = _coco_sides(each)
                box = Box(left * across, top * down, right * across, bottom * down)
                truth[name].append(
                    AnnotatedBox(
                        labels[each["category_id"]],
                        box,
                        is_crowd=bool(each.get("iscrowd")),
                        is_bounds=bool(each.get("segmentation") or each.get("keypoints")),
                    )
                )
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise ReviewError(
            f"cannot read {printable(file)} as COCO: {printable(repr(error))}"
        ) from error
    return truth


def _coco_sides(annotation: Mapping[str, Any]) -> tuple[float, float, float, float]:
    """Return the sides of an annotation's `bbox`; without one, of its polygons."""
    bbox, polygons = annotation.get("bbox"), annotation.get("segmentation")
    if not bbox and isinstance(polygons, list) and polygons:
        numbers = [[finite(number) for number in polygon] for polygon in polygons]
        points = [point for each in numbers for point in zip(each[::2], each[1::2], strict=True)]
        return bounds(points)
    x, y, width, height = (finite(side) for side in annotation["bbox"])
    return x, y, x + width, y + height
