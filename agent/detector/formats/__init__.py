"""The families of models that the agent reads: their names, and how to load one.

A new family is one file beside this one and one line in `_CLASSES`.

Importing this package imports no family: they need numpy, which the settings and the command line
load only when they load a model.
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

# In the order in which `auto` tries them: where two could recognise a model, the more specific
# one comes first.
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
"""All families, in the order in which `auto` tries them."""


@cache
def formats() -> "Mapping[str, AnyFormat]":
    """Import all families and return them by name, in the order in which `auto` tries them."""
    loaded: dict[str, AnyFormat] = {}
    for name, place in _CLASSES.items():
        module, _, attribute = place.partition(":")
        loaded[name] = getattr(import_module(f"{__name__}.{module}"), attribute)()
    return MappingProxyType(loaded)


@dataclass(frozen=True, slots=True)
class FormatChoice:
    """The format that reads a model, and why this one."""

    format: "AnyFormat"
    reason: str


def choose(name: str, model: "ModelSignature", *, named_by: str = SETTING) -> FormatChoice:
    """Return the format called `name`, or with `auto` the one that recognises the model.

    `named_by` is where a name other than `auto` stands.

    Raises:
        ConfigurationError: No such format, none recognises the model, or the named one cannot
            read its outputs.
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
        "its outputs look like no format that is known"
        + (f", but could be {' or '.join(readable)}" if readable else "")
        + f"; if it is one of {', '.join(FORMAT_NAMES)}, name it in AGENT_MODEL_FORMAT, else "
        "export the model as one"
    )


def _could_read(known: "AnyFormat", model: "ModelSignature") -> bool:
    try:
        known.layout(model)
    except ConfigurationError:
        return False
    return True
