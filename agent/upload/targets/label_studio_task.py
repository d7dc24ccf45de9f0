"""What Label Studio imports: a capture as a task, with the names of a project's interface."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from agent.domain import StoredCapture
from agent.record.summary import LabelledClass, flat
from agent.record.verdicts import line_text, verdicts_on_others
from agent.upload.response_json import Fields
from agent.upload.targets.label_studio_regions import Control, Controls, Regions

_USES = ("RectangleLabels", "PolygonLabels", "Choices")
"""Types of tags, the one that decides which image is shown first."""


@dataclass(frozen=True, slots=True)
class Interface:
    """The names that a project's labelling interface gives to what a task holds."""

    data_key: str  # under which a task has its image
    controls: Controls  # what takes objects
    choices: Control | None = None  # what takes a class of the whole image

    @property
    def labels(self) -> frozenset[str]:
        """All labels of objects and images."""
        return self.controls.labels | (self.choices.labels if self.choices else frozenset())


def interface_of(config: Fields) -> Interface | None:
    """Read a parsed labelling interface: an image, and the first tag of each kind for it.

    The image is the one that takes boxes, else polygons, else a choice, else the first. None where
    there is none.
    """
    found: dict[str, list[tuple[Control, Interface]]] = {}
    for name in config:
        tag = config.fields(name)
        source, images = (tag.objects("inputs") or (Fields(),))[0], tag.texts("to_name")
        data_key = source.text("value")
        if source.text("type") == "Image" and data_key is not None and images:
            # With dynamic labels each task would have to bring the list.
            use = "" if tag.has_value("dynamic_labels") else tag.text("type") or ""
            control = Control(name, frozenset(tag.texts("labels")))
            found.setdefault(use, []).append((control, Interface(data_key, Controls(images[0]))))
    first = [tag for use in _USES for tag in found.get(use, [])]
    first += [tag for tags in found.values() for tag in tags]
    if not first:
        return None
    interface = first[0][1]
    image = interface.controls.image
    by_use = {
        use: next((c for c, shown in found.get(use, []) if shown.controls.image == image), None)
        for use in (*_USES, "KeyPointLabels")
    }
    controls = Controls(
        image, by_use["RectangleLabels"], by_use["PolygonLabels"], by_use["KeyPointLabels"]
    )
    return replace(interface, controls=controls, choices=by_use["Choices"])


def data_of(capture: StoredCapture, interface: Interface) -> dict[str, Any]:
    """Return the data of a task: the facts to filter by, and the image itself.

    Verdicts on other captures, which travel with this one, are lines of `verdicts_on_others`.
    """
    facts: dict[str, Any] = {**flat(capture.record)}
    facts.pop("id", None)
    others = [line_text(line) for line in verdicts_on_others(capture.record)]
    if others:
        facts["verdicts_on_others"] = others
    image = f"data:image/jpeg;base64,{base64.b64encode(capture.image).decode()}"
    return {"capture_id": capture.id, **facts, interface.data_key: image}


def choice_of(
    record: Mapping[str, Any], best: LabelledClass | None, interface: Interface
) -> dict[str, Any] | None:
    """Return the class of a task; None if the interface has no choice for it."""
    if best is None or interface.choices is None or not interface.choices.takes(best.label):
        return None
    choice = {
        "from_name": interface.choices.name,
        "to_name": interface.controls.image,
        "type": "choices",
        "score": best.confidence,
        "value": {"choices": [best.label]},
    }
    return {"model_version": _model(record), "score": best.confidence, "result": [choice]}


def prediction_of(record: Mapping[str, Any], regions: Regions) -> dict[str, Any] | None:
    """Return the objects of a task; None if the interface has a label for none of them."""
    if not regions.result:
        return None
    return {
        "model_version": _model(record),
        "score": sum(regions.confidences) / len(regions.confidences),
        "result": regions.result,
    }


def _model(record: Mapping[str, Any]) -> str:
    return str(flat(record).get("model", "unknown"))
