"""COCO annotations from records and reviews: boxes, outlines, keypoints.

Pure rows from `coco_of`; `write_coco` puts them beside the images of a dataset folder.
Format: the data format page of COCO (cocodataset.org).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from agent.dataset.class_list import stored_classes
from agent.dataset.classes import number_of, with_classes_of
from agent.dataset.records import Records, part_folders, read_records
from agent.dataset.reviews import LabelOrigin, Review, objects_of, standing_reviews
from agent.dataset.verdicts import read_verdicts
from agent.dataset.yolo import LabelForm, form_of_record
from agent.domain import Polygon, Task
from agent.files import Disk
from agent.record.audit import auto_mark
from agent.record.shapes import (
    COCO_KEYPOINTS,
    COCO_SKELETON,
    Keypoints,
    Visibility,
    area,
    bounds,
    clipped,
    keypoint_names,
    visibility,
)
from agent.record.summary import LabelledBox, labelled_box, verdict_tags

FILE = "annotations.json"

_DIGITS = 2  # of positions in pixels, as records have them


def write_coco(directory: Path, disk: Disk, *, skipped: list[str] | None = None) -> list[Path]:
    """Write a COCO file for the dataset in `directory`, and for each of another task inside of it.

    Category i + 1 is class i of `data.yaml`, so trainers may count from 1. A file that is there is
    replaced. `skipped` gets what is wrong with each record that is not valid; without it, such a
    record raises `ConfigurationError`. Raises `OSError` if the disk refuses.
    """
    written = []
    reviews = standing_reviews(read_verdicts(directory).lines)
    for folder in (directory, *part_folders(directory)):
        records = read_records(folder, skipped=skipped)
        try:
            names, _ = stored_classes(folder)
        except (FileNotFoundError, ValueError):  # classifiers have none; a person may write another
            names = []
        path = folder.absolute() / FILE
        disk.write_durably(path, json_bytes(coco_of(records, names, reviews)))
        written.append(path)
    return written


def coco_of(
    records: Records,
    names: Sequence[str] = (),
    reviews: Mapping[str, Review] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return images, annotations and categories of captures; `names` are classes known before.

    Annotated are the objects of the standing review, else those at or above their threshold.
    `origin` says which; objects of the model have a `score`. `tags` of an image are the verdicts on
    it, such as `verdict-wrong` or `unobjected`, and `auto` or `auto-audit` of one that the model
    labelled itself. What an object becomes:

    - `segmentation`: the outline; of a segmentation model without one, the corners of the box; of a
      rotated box, the part of it inside of the image; else none;
    - `bbox`: the upright box around the outline, else the box; `area` alike;
    - `keypoints` of a pose model: x, y and visibility, 0 0 0 where the model saw none.
    """
    classes = list(names)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    keypoints = 0
    for image, (name, record) in enumerate(sorted(records.items()), 1):
        classes = with_classes_of(classes, record)
        review = reviews.get(name)
        known = objects_of(record, review)
        objects = known if known.is_known else objects_of(record)
        images.append(_image(image, name, record, known.origin, review))
        form = form_of_record(record)
        keypoints = max(keypoints, form.keypoints)
        size = record["image"]["width"], record["image"]["height"]
        for each in objects.objects or ():
            box = labelled_box(each, *size)
            if box is None:
                continue
            number = number_of(classes, {"label": box.label, "class_id": each.get("class_id")})
            is_of_person = review is not None and review.boxes is not None
            about = {
                "id": len(annotations) + 1,
                "image_id": image,
                "category_id": number + 1,
                "iscrowd": int(bool(each.get("iscrowd"))),
                "origin": objects.origin.value,
                **({} if is_of_person else {"score": round(box.confidence, 4)}),
            }
            annotations.append({**about, **shape_of(box, form, *size)})
    return {
        "info": {"description": "Captures of capture-agent, labelled by its model and by people"},
        "images": images,
        "annotations": annotations,
        "categories": [category(n, label, keypoints) for n, label in enumerate(classes, 1)],
    }


def json_bytes(value: object) -> bytes:
    """Return a value as JSON in UTF-8; half of a surrogate pair, which UTF-8 lacks, is escaped."""
    try:
        return json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(value).encode()


def category(number: int, label: str, keypoints: int) -> dict[str, Any]:
    """Return a category whose objects have so many keypoints."""
    made: dict[str, Any] = {"id": number, "name": label, "supercategory": ""}
    if keypoints:
        made["keypoints"] = keypoint_names(keypoints)
        is_coco = keypoints == len(COCO_KEYPOINTS)
        made["skeleton"] = [[a + 1, b + 1] for a, b in COCO_SKELETON] if is_coco else []
    return made


def shape_of(box: LabelledBox, form: LabelForm, width: int, height: int) -> dict[str, Any]:
    """Return the fields of an annotation that say where the object is; see `coco_of`."""
    outline: Polygon = ()
    if form.task is Task.SEGMENT:
        outline = box.outline
    elif form.task is Task.OBB:
        outline = clipped(box.corners, width, height) or box.rectangle
    left, top, right, bottom = bounds(outline or box.rectangle)
    made: dict[str, Any] = {
        "bbox": [round(side, _DIGITS) for side in (left, top, right - left, bottom - top)],
        "area": round(area(outline or box.rectangle), _DIGITS),
        "segmentation": [[round(n, _DIGITS) for x_y in outline for n in x_y]] if outline else [],
    }
    if form.task is Task.POSE:
        made["keypoints"] = list(_keypoints(box.keypoints, form.keypoints))
        made["num_keypoints"] = sum(seen > 0 for seen in made["keypoints"][2::3])
    return made


def _image(
    number: int,
    name: str,
    record: Mapping[str, Any],
    origin: LabelOrigin,
    review: Review | None,
) -> dict[str, Any]:
    mark = auto_mark(record)
    tags = [*([] if mark is None else [mark]), *verdict_tags(record)]
    if review is not None:
        tags = list(dict.fromkeys([*tags, f"verdict-{review.verdict}"]))
    return {
        "id": number,
        "file_name": f"{name}.jpg",
        "width": record["image"]["width"],
        "height": record["image"]["height"],
        "date_captured": str(record.get("captured_at", "")),
        "origin": origin.value,
        **({"tags": tags} if tags else {}),
    }


def _keypoints(found: Keypoints, count: int) -> Iterator[float]:
    """Return x, y and visibility of `count` keypoints."""
    for x, y, confidence in (*found[:count], *[(0.0, 0.0, 0.0)] * (count - len(found))):
        seen = visibility(confidence)
        if seen is Visibility.NOT_LABELLED:
            yield from (0, 0, 0)
        else:
            yield from (round(x, _DIGITS), round(y, _DIGITS), int(seen))
