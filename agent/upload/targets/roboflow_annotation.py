"""The objects or the class of a capture, as Roboflow takes annotations.

A polygon (`points`) and keypoints are fields of a box's prediction. Source:
`serialise_sv_detections` in roboflow/inference (Apache-2.0), whose predictions go to projects so.
It has no rotated boxes.
"""

import json
from collections.abc import Mapping
from typing import Any

from agent.domain import StoredCapture, Task
from agent.record.shapes import Visibility, keypoint_names, visibility, within
from agent.record.summary import Annotate, LabelledBox, Labels, class_of, labels_of

NO_ROTATION = "Roboflow has no rotated boxes, so they arrive as polygons of four corners"

_KIND: Mapping[Task, str] = {
    Task.SEGMENT: "instance-segmentation",
    Task.POSE: "keypoint-detection",
    Task.OBB: "instance-segmentation",
}
"""The type of project, as Roboflow names it, that holds what a task has beside boxes."""


def cannot_show(task: Task, kind: str | None) -> str | None:
    """Return what of a model's output a project of this type does not show; None if all."""
    said = [NO_ROTATION] if task is Task.OBB else []
    if kind == "object-detection" and task in _KIND:
        said.append(
            f"a project of the type {kind} shows boxes alone; for the rest, make one of the type "
            f"{_KIND[task]}"
        )
    return "; ".join(said) or None


def annotation_of(capture: StoredCapture, which: Annotate) -> tuple[str, str] | None:
    """Return name and text of an image's annotation; None if there is nothing to show."""
    best = class_of(capture.record, which)
    if best is not None:
        return f"{capture.id}.txt", best.label
    labels = labels_of(capture.record, which)
    return None if labels is None else (f"{capture.id}.json", json.dumps(_predictions(labels)))


def _predictions(labels: Labels) -> dict[str, Any]:
    """Return boxes by their centres, polygons and keypoints, in pixels of the image."""
    return {
        "image": {"width": labels.width, "height": labels.height},
        "predictions": [
            {
                "x": (box.x_min + box.x_max) / 2,
                "y": (box.y_min + box.y_max) / 2,
                "width": box.x_max - box.x_min,
                "height": box.y_max - box.y_min,
                "confidence": box.confidence,
                "class": box.label,
                "class_id": box.class_id,
                **_shapes(box, labels),
            }
            for box in labels.boxes
        ],
    }


def _shapes(box: LabelledBox, labels: Labels) -> dict[str, Any]:
    """Return what a prediction has beside its box."""
    shapes: dict[str, Any] = {}
    outline = box.polygon or within(box.corners, labels.width, labels.height)
    if outline:
        shapes["points"] = [{"x": x, "y": y} for x, y in outline]
    if box.keypoints:
        names = keypoint_names(len(box.keypoints))
        shapes["keypoints"] = [
            {"x": x, "y": y, "confidence": confidence, "class": name, "class_id": number}
            for number, (name, (x, y, confidence)) in enumerate(
                zip(names, box.keypoints, strict=True)
            )
            if visibility(confidence) is not Visibility.NOT_LABELLED
        ]
    return shapes
