"""What Label Studio imports: a capture as a task, with the names of a project's interface."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from agent.domain import StoredCapture
from agent.record.summary import LabelledClass, Labels, flat
from agent.upload.response_json import Fields


@dataclass(frozen=True, slots=True)
class Interface:
    """The names that a project's labelling interface gives to what a task holds."""

    data_key: str  # under which a task has its image
    image: str  # name of the tag that shows it
    boxes: str | None = None  # name of the tag that takes boxes; None where there is none
    labels: frozenset[str] = frozenset()  # that boxes may have
    choices: str | None = None  # name of the tag that takes a class of the whole image
    classes: frozenset[str] = frozenset()  # that it may have


def interface_of(config: Fields) -> Interface | None:
    """Read a parsed labelling interface: an image, and the first tags that take boxes or a choice.

    The image is the one that takes boxes, else the one that takes a choice, else the first. None
    where there is none.
    """
    found: dict[str, list[tuple[str, Interface, frozenset[str]]]] = {}
    for name in config:
        tag = config.fields(name)
        source, images = (tag.objects("inputs") or (Fields(),))[0], tag.texts("to_name")
        data_key = source.text("value")
        if source.text("type") == "Image" and data_key is not None and images:
            # With dynamic labels each task would have to bring the list.
            use = "" if tag.has_value("dynamic_labels") else tag.text("type") or ""
            labels = frozenset(tag.texts("labels"))
            found.setdefault(use, []).append((name, Interface(data_key, images[0]), labels))
    boxes, choices = found.get("RectangleLabels", []), found.get("Choices", [])
    first = [*boxes, *choices, *(tag for tags in found.values() for tag in tags)]
    if not first:
        return None
    interface = first[0][1]
    if boxes:
        interface = replace(interface, boxes=boxes[0][0], labels=boxes[0][2])
    for name, shown, classes in choices:
        if (shown.image, interface.choices) == (interface.image, None):
            interface = replace(interface, choices=name, classes=classes)
    return interface


def data_of(capture: StoredCapture, interface: Interface) -> dict[str, Any]:
    """Return the data of a task: the facts to filter by, and the image itself."""
    facts = flat(capture.record)
    facts.pop("id", None)
    image = f"data:image/jpeg;base64,{base64.b64encode(capture.image).decode()}"
    return {"capture_id": capture.id, **facts, interface.data_key: image}


def choice_of(
    record: Mapping[str, Any], best: LabelledClass | None, interface: Interface
) -> dict[str, Any] | None:
    """Return the class of a task; None if the interface has no choice for it."""
    if best is None or interface.choices is None or best.label not in interface.classes:
        return None
    choice = {
        "from_name": interface.choices,
        "to_name": interface.image,
        "type": "choices",
        "score": best.confidence,
        "value": {"choices": [best.label]},
    }
    return {"model_version": _model(record), "score": best.confidence, "result": [choice]}


def prediction_of(
    record: Mapping[str, Any], labels: Labels | None, interface: Interface
) -> dict[str, Any] | None:
    """Return the boxes of a task; None if the interface has a label for none of them.

    Label Studio refuses a prediction whole, or hides it, for one label that it does not know.
    """
    if labels is None or interface.boxes is None:
        return None
    boxes = [box for box in labels.boxes if box.label in interface.labels]
    if not boxes:
        return None
    result = [
        {
            "from_name": interface.boxes,
            "to_name": interface.image,
            "type": "rectanglelabels",
            "original_width": labels.width,
            "original_height": labels.height,
            "image_rotation": 0,
            "score": box.confidence,
            "value": {
                "x": 100 * box.x_min / labels.width,
                "y": 100 * box.y_min / labels.height,
                "width": 100 * (box.x_max - box.x_min) / labels.width,
                "height": 100 * (box.y_max - box.y_min) / labels.height,
                "rotation": 0,
                "rectanglelabels": [box.label],
            },
        }
        for box in boxes
    ]
    return {
        "model_version": _model(record),
        "score": sum(box.confidence for box in boxes) / len(boxes),
        "result": result,
    }


def _model(record: Mapping[str, Any]) -> str:
    return str(flat(record).get("model", "unknown"))
