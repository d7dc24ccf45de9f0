"""Reads a COCO file, as most annotation tools export it."""

from collections.abc import Container, Mapping
from dataclasses import dataclass
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
from agent.domain import Box, Polygon
from agent.printable import printable
from agent.record.shapes import Visibility, area, bounds, confidence_of

_PARTS = ("images", "annotations", "categories")


def is_coco(content: Any) -> bool:
    """Whether a JSON file is COCO rather than verdicts."""
    return isinstance(content, dict) and content.keys() >= set(_PARTS)


def require_whole(file: Path, content: Any) -> None:
    """Raise `ReviewError` for a COCO file that lacks one of its lists."""
    if isinstance(content, dict) and "annotations" in content:
        lacking = ", ".join(f"`{name}`" for name in _PARTS if name not in content)
        raise ReviewError(
            f"cannot read {printable(file)} as COCO: it lacks {lacking}; export it again"
        )


def coco_labels(file: Path, content: Any, records: Records) -> Truth:
    """Return the boxes of a COCO file; an image without annotations has nothing in it."""
    return read_coco(file, content, records).truth


@dataclass(frozen=True, slots=True)
class CocoFile:
    """What a COCO file says of captures."""

    truth: Truth
    sizes: Mapping[str, tuple[float, float]]  # width and height that it states of an image
    labels: frozenset[str]  # of its categories
    foreign: int  # images of no capture


def read_coco(file: Path, content: Any, records: Records) -> CocoFile:
    """Return what a COCO file says; boxes are scaled to the pixels of the captures' own images.

    Raises `ReviewError` for a file that is no COCO, or has several images of one capture.
    """
    place = ""
    try:
        labels = {each["id"]: str(each["name"]) for each in content["categories"]}
        found: dict[Any, tuple[str, float, float]] = {}
        truth: dict[str, list[AnnotatedBox]] = {}
        sizes: dict[str, tuple[float, float]] = {}
        for image in content["images"]:
            name = capture_in(str(image["file_name"]), records)
            if name is None:
                continue
            require_first(name, truth, file)
            size = records[name]["image"]
            width, height = _stated_size(image, size)
            found[image["id"]] = name, size["width"] / width, size["height"] / height
            sizes[name] = width, height
            truth[name] = []
        known = {image["id"] for image in content["images"]}
        for number, each in enumerate(content["annotations"], 1):
            place = _place(each, number)
            _require_listed(each, known, labels.keys())
            if each["image_id"] in found:
                name, across, down = found[each["image_id"]]
                box = _box(each, labels[each["category_id"]], across, down)
                _require_inside(box.box, records[name]["image"])
                truth[name].append(box)
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise ReviewError(
            f"cannot read {printable(file)} as COCO: {place}{printable(_reason(error))}; "
            "correct it there, or export it again"
        ) from error
    foreign = len(content["images"]) - len(truth)
    return CocoFile(truth, sizes, frozenset(labels.values()), foreign)


def _stated_size(image: Mapping[str, Any], size: Mapping[str, Any]) -> tuple[float, float]:
    """Return the size of an image in the file; that of the capture where it states none."""
    width, height = (finite(image.get(side) or size[side]) for side in ("width", "height"))
    if min(width, height) <= 0:
        raise ValueError("an image has no size")
    return width, height


def _place(annotation: object, number: int) -> str:
    """Return which annotation an error is in, for people: by its id, else by its number."""
    stated = annotation.get("id") if isinstance(annotation, dict) else None
    return f"annotation {number if stated is None else printable(stated, 40)}: "


def _reason(error: Exception) -> str:
    """Return what an error says, for people."""
    if isinstance(error, KeyError):
        return f"it lacks {error}"
    return str(error) or repr(error)


def _require_listed(
    annotation: Mapping[str, Any], images: Container[Any], categories: Container[Any]
) -> None:
    """Raise `ValueError` for an annotation whose image or category the file does not list."""
    if annotation["image_id"] not in images:
        raise ValueError(f"`images` has no image {annotation['image_id']!r}")
    if annotation["category_id"] not in categories:
        raise ValueError(f"`categories` has no category {annotation['category_id']!r}")


def _require_inside(box: Box, size: Mapping[str, Any]) -> None:
    """Raise `ValueError` for a box that no pixel of the image is in: it could match nothing."""
    if box.x_min >= size["width"] or box.y_min >= size["height"] or min(box.x_max, box.y_max) <= 0:
        raise ValueError(
            "its box has no area inside of the image, at the size that the file states"
        )


def _bbox(annotation: Mapping[str, Any]) -> tuple[float, float, float, float]:
    """Return left, top, width and height; raise `ValueError` for what is none of these."""
    stated = annotation["bbox"]
    if not isinstance(stated, list) or len(stated) != 4:  # noqa: PLR2004
        raise ValueError("`bbox` must be four numbers: left, top, width, height")
    left, top, width, height = (finite(side) for side in stated)
    if min(width, height) < 0:
        raise ValueError(f"a box of {width:g} x {height:g} has no area inside of the image")
    return left, top, width, height


def _box(annotation: Mapping[str, Any], label: str, across: float, down: float) -> AnnotatedBox:
    polygons = _polygons(annotation.get("segmentation"))
    if polygons and not annotation.get("bbox"):
        left, top, right, bottom = bounds([point for each in polygons for point in each])
    else:
        left, top, width, height = _bbox(annotation)
        right, bottom = left + width, top + height
    largest = max(polygons, key=area, default=())
    points = [finite(each) for each in annotation.get("keypoints") or ()]
    places = zip(points[::3], points[1::3], points[2::3], strict=True)
    return AnnotatedBox(
        label,
        Box(left * across, top * down, right * across, bottom * down),
        is_crowd=bool(annotation.get("iscrowd")),
        is_bounds=bool(annotation.get("segmentation") or points),
        polygon=tuple((x * across, y * down) for x, y in largest),
        keypoints=tuple(
            (x * across, y * down, confidence_of(Visibility(int(seen)))) for x, y, seen in places
        ),
    )


def _polygons(segmentation: object) -> list[Polygon]:
    """Return the outlines of an object; none where it is a mask in run lengths."""
    if not isinstance(segmentation, list):
        return []
    numbers = [[finite(number) for number in polygon] for polygon in segmentation]
    return [tuple(zip(each[::2], each[1::2], strict=True)) for each in numbers]
