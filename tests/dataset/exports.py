"""A dataset of captures, and exports of it in the forms of annotation tools."""

import atexit
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from agent.dataset.folder import Dataset
from agent.files import Disk
from tests.fakes.captures import capture_id, stored_capture

WIDTH, HEIGHT = 200, 100  # pixels of each capture
CAR = {"label": "car", "class_id": 0, "confidence": 0.9, "box": [20.0, 10.0, 60.0, 50.0]}
DOG = {"label": "dog", "class_id": 1, "confidence": 0.8, "box": [100.0, 40.0, 160.0, 90.0]}
FAINT = {"label": "dog", "class_id": 1, "confidence": 0.2, "box": [5.0, 60.0, 25.0, 80.0]}
LABELS = ["car", "dog", "cat"]

RIGHT, MOVED, RELABELLED, REMOVED, ADDED, BOTH, EMPTIED = range(7)
"""What a person did of the capture of each number."""

NEW = ("cat", (110.0, 5.0, 150.0, 35.0))
CAR_BOX, DOG_BOX = ("car", (20.0, 10.0, 60.0, 50.0)), ("dog", (100.0, 40.0, 160.0, 90.0))
Boxes = Sequence[tuple[str, tuple[float, float, float, float]]]
CORRECTED: Mapping[int, Boxes] = {
    RIGHT: [CAR_BOX, DOG_BOX],
    MOVED: [("car", (28.0, 10.0, 68.0, 50.0)), DOG_BOX],
    RELABELLED: [("cat", CAR_BOX[1]), DOG_BOX],
    REMOVED: [DOG_BOX],
    ADDED: [CAR_BOX, DOG_BOX, NEW],
    BOTH: [CAR_BOX, NEW],
    EMPTIED: [],
}
VERDICTS = {
    RIGHT: "right",
    MOVED: "wrong",
    RELABELLED: "wrong",
    REMOVED: "wrong",
    ADDED: "missing",
    BOTH: "wrong",
    EMPTIED: "wrong",
}


def dataset_of(folder: Path, count: int = len(CORRECTED)) -> Path:
    """Store captures that each have a car, a dog, and a dog below its threshold."""
    shutil.copytree(_common_folder(count), folder)
    return folder


@cache
def _common_folder(count: int) -> Path:
    """Store once for all tests of a process: each capture is synced."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    return stored_in(folder / "dataset", count)


def stored_in(folder: Path, count: int, **changes: Any) -> Path:
    """Store captures whose records have these changes."""
    dataset = Dataset(folder, Disk())
    model = {"name": "m", "sha256": "ab", "task": "detect", "provider": "cpu", "labels": LABELS}
    for number in range(count):
        record = {"model": model, "detections": [CAR, DOG, FAINT], **changes}
        made = stored_capture(number, **record)
        dataset.store(made.record_json, made.image)
    return folder


def lines_of(folder: Path) -> list[dict[str, Any]]:
    """The lines of a dataset's `verdicts.jsonl`."""
    path = folder / "verdicts.jsonl"
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def as_label_studio(boxes: Boxes) -> list[dict[str, Any]]:
    """The result of an annotation with these boxes."""
    return [
        {
            "id": f"r{number}",
            "from_name": "label",
            "to_name": "image",
            "type": "rectanglelabels",
            "original_width": WIDTH,
            "original_height": HEIGHT,
            "image_rotation": 0,
            "origin": "prediction",
            "value": {
                "x": 100 * left / WIDTH,
                "y": 100 * top / HEIGHT,
                "width": 100 * (right - left) / WIDTH,
                "height": 100 * (bottom - top) / HEIGHT,
                "rotation": 0,
                "rectanglelabels": [label],
            },
        }
        for number, (label, (left, top, right, bottom)) in enumerate(boxes)
    ]


def annotation(result: Any, **more: Any) -> dict[str, Any]:
    """An annotation of Label Studio that a person submitted."""
    return {
        "id": 1,
        "completed_by": {"id": 3, "email": "ann@example.com", "first_name": "", "last_name": ""},
        "result": result,
        "was_cancelled": False,
        "ground_truth": False,
        "created_at": "2026-06-01T10:00:00.123456Z",
        "updated_at": "2026-06-01T10:05:00.123456Z",
        "lead_time": 7.2,
        "parent_prediction": 17,
        **more,
    }


def task(number: int, *annotations: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A task of Label Studio, as the agent makes it."""
    prediction = {"id": 17, "model_version": "m", "result": as_label_studio([CAR_BOX, DOG_BOX])}
    return {
        "id": 100 + number,
        "data": {
            "image": "data:image/jpeg;base64," + "A" * 3000,
            "capture_id": capture_id(number),
            "lane": "score",
            "camera": "gate",
        },
        "annotations": list(annotations),
        "predictions": [prediction],
        **more,
    }


def label_studio(folder: Path, corrected: Mapping[int, Boxes] = CORRECTED) -> Path:
    tasks = [task(n, annotation(as_label_studio(boxes))) for n, boxes in corrected.items()]
    return written(folder / "project-1.json", tasks)


def label_studio_min(folder: Path, corrected: Mapping[int, Boxes] = CORRECTED) -> Path:
    rows = []
    for number, boxes in corrected.items():
        made = annotation(as_label_studio(boxes))
        sizes = {"original_width": WIDTH, "original_height": HEIGHT}
        regions = [{**each["value"], **sizes} for each in made["result"]]
        rows.append(
            {
                **task(number)["data"],
                "id": 100 + number,
                **({"label": regions} if regions else {}),
                "annotator": 3,
                "annotation_id": 1,
                **{key: made[key] for key in ("created_at", "updated_at", "lead_time")},
            }
        )
    return written(folder / "min.json", rows)


def plain_name(number: int) -> str:
    return f"{capture_id(number)}.jpg"


def roboflow_name(number: int) -> str:
    return f"{capture_id(number)}_jpg.rf.{'0a9f' * 8}.jpg"


def coco_content(
    corrected: Mapping[int, Boxes] = CORRECTED,
    *,
    name: Callable[[int], str] = plain_name,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    **more: Any,
) -> dict[str, Any]:
    """COCO; a tool that resized the images rounds the boxes to whole pixels."""
    across, down = size[0] / WIDTH, size[1] / HEIGHT
    annotations: list[dict[str, Any]] = []
    for number, boxes in corrected.items():
        for label, (left, top, right, bottom) in boxes:
            sides = left * across, top * down, (right - left) * across, (bottom - top) * down
            annotations.append(
                {
                    "id": len(annotations),
                    "image_id": number + 50,
                    "category_id": LABELS.index(label) + 1,
                    "bbox": [round(side) for side in sides] if across != 1 else list(sides),
                    "area": 1,
                    "segmentation": [],
                    "iscrowd": 0,
                }
            )
    return {
        "info": {"year": "2026", "date_created": "2026-06-01T12:00:00+00:00"},
        "licenses": [],
        "categories": [{"id": 0, "name": "things", "supercategory": "none"}]
        + [{"id": n + 1, "name": label} for n, label in enumerate(LABELS)],
        "images": [
            {"id": n + 50, "file_name": name(n), "width": size[0], "height": size[1]}
            for n in corrected
        ],
        "annotations": annotations,
        **more,
    }


def coco(folder: Path, corrected: Mapping[int, Boxes] = CORRECTED) -> Path:
    return written(folder / "instances.json", coco_content(corrected))


def roboflow_coco(folder: Path, corrected: Mapping[int, Boxes] = CORRECTED) -> Path:
    """Two splits, images stretched to a square, as Roboflow does by default."""
    for split, numbers in (("train", range(0, 99, 2)), ("valid", range(1, 99, 2))):
        some = {n: corrected[n] for n in corrected if n in numbers}
        content = coco_content(some, name=roboflow_name, size=(640, 640))
        written(folder / "export" / split / "_annotations.coco.json", content)
    (folder / "export/README.roboflow.txt").write_text("exported\n")
    return folder / "export"


def yolo_rows(boxes: Boxes) -> str:
    return "".join(
        f"{LABELS.index(label)} {(left + right) / 2 / WIDTH:.6f} {(top + bottom) / 2 / HEIGHT:.6f} "
        f"{(right - left) / WIDTH:.6f} {(bottom - top) / HEIGHT:.6f}\n"
        for label, (left, top, right, bottom) in boxes
    )


def roboflow_yolo(folder: Path, corrected: Mapping[int, Boxes] = CORRECTED) -> Path:
    place = folder / "yolo"
    for each in ("images", "labels"):
        (place / "train" / each).mkdir(parents=True)
    for number, boxes in corrected.items():
        name = roboflow_name(number)
        (place / "train/images" / name).touch()
        (place / "train/labels" / name).with_suffix(".txt").write_text(yolo_rows(boxes))
    (place / "data.yaml").write_text(f"names: {json.dumps(LABELS)}\nnc: 3\n")
    return place


def cvat_yolo(folder: Path, corrected: Mapping[int, Boxes] = CORRECTED) -> Path:
    place = folder / "darknet/obj_train_data"
    place.mkdir(parents=True)
    for number, boxes in corrected.items():
        (place / plain_name(number)).with_suffix(".txt").write_text(yolo_rows(boxes))
    (place.parent / "obj.names").write_text("\n".join(LABELS) + "\n")
    (place.parent / "obj.data").write_text("classes = 3\n")
    return place.parent


def cvat_xml(folder: Path, corrected: Mapping[int, Boxes] = CORRECTED) -> Path:
    images = []
    for number, boxes in corrected.items():
        shapes = "".join(
            f'<box label="{label}" source="manual" occluded="0" xtl="{left:.2f}" ytl="{top:.2f}" '
            f'xbr="{right:.2f}" ybr="{bottom:.2f}" z_order="0"></box>'
            for label, (left, top, right, bottom) in boxes
        )
        images.append(
            f'<image id="{number}" name="yard/{plain_name(number)}" width="{WIDTH}" '
            f'height="{HEIGHT}">{shapes}</image>'
        )
    labels = "".join(f"<label><name>{label}</name></label>" for label in LABELS)
    return written_text(
        folder / "annotations.xml",
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version><meta><task>'
        f"<id>7</id><name>yard</name><updated>2026-06-01 10:05:00.5+00:00</updated>"
        f"<labels>{labels}</labels><owner><username>boss</username></owner>"
        "<assignee><username>ann</username><email></email></assignee></task>"
        f"</meta>{''.join(images)}</annotations>",
    )


FORMS: Mapping[str, Callable[..., Path]] = {
    "Label Studio": label_studio,
    "Label Studio JSON-MIN": label_studio_min,
    "COCO": coco,
    "Roboflow COCO": roboflow_coco,
    "Roboflow YOLO": roboflow_yolo,
    "CVAT YOLO": cvat_yolo,
    "CVAT XML": cvat_xml,
}


def written(path: Path, content: Any) -> Path:
    return written_text(path, json.dumps(content))


def written_text(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
