"""An export in the form of COCO: `annotations/instances_SPLIT.json`, `images/SPLIT`."""

import json
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from agent.dataset.coco import category, shape_of
from agent.dataset.export.contents import Contents, ExportedCapture
from agent.dataset.splits import Split
from agent.dataset.yolo import LabelForm

FOLDERS = ("images", "annotations")
_OF_IMAGE = frozenset({"device", "camera", "lane", "origin", "verdict", "by", "parent"})


def image_place(_contents: Contents, capture: ExportedCapture) -> PurePosixPath:
    """Return where the image of a capture goes."""
    return PurePosixPath("images", capture.split, f"{capture.id}.jpg")


def folders(_contents: Contents) -> list[PurePosixPath]:
    """Return the folders that exist even if they are empty."""
    return [PurePosixPath("images", split) for split in Split]


def files(contents: Contents) -> Iterator[tuple[PurePosixPath, str]]:
    """Yield one file for each split."""
    version = contents.version
    form = contents.form or LabelForm()
    for split in Split:
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for number, capture in enumerate(contents.of(split), start=1):
            width, height = capture.size
            images.append(
                {
                    "id": number,
                    "file_name": f"{capture.id}.jpg",
                    "width": width,
                    "height": height,
                    "date_captured": str(capture.record.get("captured_at", "")),
                    **{
                        name: value
                        for name, value in capture.facts.items()
                        if name in _OF_IMAGE and value is not None
                    },
                }
            )
            for each in capture.objects:
                score = {} if each.score is None else {"score": each.score}
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": number,
                        "category_id": each.number + 1,
                        "iscrowd": int(each.is_crowd),
                        "origin": capture.origin.value,
                        **score,
                        **shape_of(each.box, form, width, height),
                    }
                )
        made = {
            "info": {"description": f"Export of capture-agent, {split}", "version": version},
            "images": images,
            "annotations": annotations,
            "categories": [
                category(number, label, form.keypoints)
                for number, label in enumerate(contents.classes, start=1)
            ],
        }
        yield PurePosixPath("annotations", f"instances_{split}.json"), json.dumps(made)
