"""What Label Studio imports: a capture as a task, in the words of a project's interface."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from agent.domain import StoredCapture
from agent.upload.facts import Labels, flat


@dataclass(frozen=True, slots=True)
class Interface:
    """The names that a project's labelling interface gives to what a task holds."""

    data_key: str  # under which a task has its image
    image: str  # name of the tag that shows it
    boxes: str | None = None  # name of the tag that takes boxes; None where there is none
    labels: frozenset[str] = frozenset()  # that boxes may have


def interface_of(config: object) -> Interface | None:
    """Read a parsed labelling interface: its first image, and the first tag that takes boxes there.

    None where it shows no image.
    """
    found = None
    for name, tag in config.items() if isinstance(config, dict) else ():
        try:
            source, image = tag["inputs"][0], tag["to_name"][0]
            interface = Interface(str(source["value"]), str(image))
            kind, takes = source["type"], tag["type"]
        except (KeyError, IndexError, TypeError):
            continue
        # With dynamic labels each task would have to bring the list.
        if kind == "Image" and takes == "RectangleLabels" and not tag.get("dynamic_labels"):
            labels = frozenset(map(str, tag.get("labels", ())))
            return replace(interface, boxes=str(name), labels=labels)
        if kind == "Image" and found is None:
            found = interface
    return found


def data_of(capture: StoredCapture, interface: Interface) -> dict[str, Any]:
    """The data of a task: the facts that one filters by, and the image itself."""
    facts = flat(capture.record)
    facts.pop("id", None)
    image = f"data:image/jpeg;base64,{base64.b64encode(capture.image).decode()}"
    return {"capture_id": capture.id, **facts, interface.data_key: image}


def prediction_of(
    record: Mapping[str, Any], labels: Labels | None, interface: Interface
) -> dict[str, Any] | None:
    """The boxes of a task; None where there is none that the interface has a label for.

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
        "model_version": str(flat(record).get("model", "unknown")),
        "score": sum(box.confidence for box in boxes) / len(boxes),
        "result": result,
    }
