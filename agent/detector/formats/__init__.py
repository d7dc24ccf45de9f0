"""The model formats that the agent can read, by name, and the choice of one for a model.

A new format is one file in this folder and one line in `_CLASSES`.

Importing this package does not import the formats: they need numpy, which the settings and the
command line import only when they load a model.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

from agent.errors import ConfigurationError

if TYPE_CHECKING:
    from agent.detector.formats.contract import AnyFormat, ModelSignature

AUTO = "auto"
SETTING = "AGENT_MODEL_FORMAT"

# In the order in which `auto` tries them. If two could recognise a model, the more specific one
# comes first.
_CLASSES: Mapping[str, str] = {
    "nanodet": "nanodet:NanoDet",
    "nanodet-plus": "nanodet_plus:NanoDetPlus",
    "nanodet-m": "nanodet_plus:NanoDetM",
    "nanodet-g": "nanodet_plus:NanoDetG",
    "ultralytics": "ultralytics:Ultralytics",
    "yolov5": "yolov5:YoloV5",
    "yolox": "yolox:YoloX",
    "yolox-decoded": "yolox:YoloXDecoded",
    "rtdetr-joined": "rtdetr:RtDetrJoined",
    "end2end": "end2end:End2End",
    "centernet": "centernet:CenterNet",
    "yolov7-nms": "rows7:YoloV7Nms",
    "yolo-nas-flat": "rows7:YoloNasFlat",
    "yolo-nas": "yolo_nas:YoloNas",
    "rfdetr": "rfdetr:RfDetr",
    "detr": "detr:Detr",
    "rtdetr": "rtdetr:RtDetr",
    "rtdetr-deployed": "torchvision_like:RtDetrDeployed",
    "torchvision": "torchvision_like:TorchVision",
    "tf-ssd": "ssd:TensorFlowSsd",
    "yolo-nas-batched": "yolo_nas:YoloNasBatched",
    "ssd": "ssd:Ssd",
    "ultralytics-classify": "classifiers:UltralyticsClassify",
    "classifier-probabilities": "classifiers:Probabilities",
    "classifier-logits": "classifiers:Logits",
}

FORMAT_NAMES = tuple(_CLASSES)
"""The names of all formats, in the order in which `auto` tries them."""


@cache
def formats() -> "Mapping[str, AnyFormat]":
    """Import all formats and return them by name, in the order in which `auto` tries them."""
    loaded: dict[str, AnyFormat] = {}
    for name, place in _CLASSES.items():
        module, _, attribute = place.partition(":")
        loaded[name] = getattr(import_module(f"{__name__}.{module}"), attribute)()
    return MappingProxyType(loaded)


@dataclass(frozen=True, slots=True)
class FormatChoice:
    """The format that reads a model, and the reason for the choice."""

    format: "AnyFormat"
    reason: str


def choose(name: str, model: "ModelSignature", *, named_by: str = SETTING) -> FormatChoice:
    """Return the format with this name; for `auto`, the one that recognises the model.

    `named_by` is the setting or file that contains the name; error messages show it.

    Raises:
        ConfigurationError: The name is unknown, no format recognises the model, or the named format
            cannot read the model's outputs.
    """
    if name != AUTO:
        if name not in FORMAT_NAMES:
            raise ConfigurationError(
                f"{named_by}: {name} is unknown; known are {AUTO}, {', '.join(FORMAT_NAMES)}"
            )
        formats()[name].layout(model)
        return FormatChoice(formats()[name], f"named by {named_by}")
    for known in formats().values():
        reason = known.recognise(model)
        if reason is not None:
            return FormatChoice(known, reason)
    readable = [each.name for each in formats().values() if _could_read(each, model)]
    raise ConfigurationError(
        "no format recognises its outputs"
        + (f", but they could be {' or '.join(readable)}" if readable else "")
        + f"; if it is one of {', '.join(FORMAT_NAMES)}, set AGENT_MODEL_FORMAT to it, otherwise "
        "export the model in one of these formats"
    )


def _could_read(known: "AnyFormat", model: "ModelSignature") -> bool:
    try:
        known.layout(model)
    except ConfigurationError:
        return False
    return True
