"""The model formats that the agent can read, by name, and the choice of one for a model.

A new format is one file in this folder and one line in `_CLASSES`.

Importing this package does not import the formats: they need numpy, which the settings and the
command line import only when they load a model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

from agent.domain import Task
from agent.errors import ConfigurationError
from agent.printable import printable

if TYPE_CHECKING:
    from agent.detector.formats.contract import AnyFormat, Layout, ModelSignature

AUTO = "auto"
SETTING = "AGENT_MODEL_FORMAT"

_CLASSES: Mapping[str, str] = {
    "nanodet": "nanodet:NanoDet",
    "nanodet-plus": "nanodet_plus:NanoDetPlus",
    "nanodet-m": "nanodet_plus:NanoDetM",
    "nanodet-g": "nanodet_plus:NanoDetG",
    "picodet": "picodet:PicoDet",
    "picodet-boxes": "paddle:PicoDetBoxes",
    "picodet-nms": "paddle:PicoDetNms",
    "ppyoloe-boxes": "paddle:PpYoloeBoxes",
    "ppyoloe-nms": "paddle:PpYoloeNms",
    "yunet": "yunet:YuNet",
    "ultralytics": "ultralytics:Ultralytics",
    "ultralytics-segment": "ultralytics_segment:UltralyticsSegment",
    "ultralytics-pose": "ultralytics_pose:UltralyticsPose",
    "ultralytics-obb": "ultralytics_obb:UltralyticsObb",
    "yolov5": "yolov5:YoloV5",
    "yolov5-segment": "ultralytics_segment:YoloV5Segment",
    "yolox": "yolox:YoloX",
    "yolox-decoded": "yolox:YoloXDecoded",
    "rtdetr-joined": "rtdetr:RtDetrJoined",
    "rtdetr-rows": "rtdetr:RtDetrRows",
    "end2end": "end2end:End2End",
    "end2end-segment": "ultralytics_segment:End2EndSegment",
    "end2end-pose": "ultralytics_pose:End2EndPose",
    "end2end-obb": "ultralytics_obb:End2EndObb",
    "centernet": "centernet:CenterNet",
    "yolov7-nms": "rows7:YoloV7Nms",
    "yolo-nas-flat": "rows7:YoloNasFlat",
    "yolo-nas": "yolo_nas:YoloNas",
    "rfdetr": "rfdetr:RfDetr",
    "detr": "detr:Detr",
    "rtdetr": "rtdetr:RtDetr",
    "rtdetr-deployed": "torchvision_like:RtDetrDeployed",
    "torchvision": "torchvision_like:TorchVision",
    "torchvision-masks": "torchvision_parts:TorchVisionMasks",
    "torchvision-keypoints": "torchvision_parts:TorchVisionKeypoints",
    "tf-ssd": "ssd:TensorFlowSsd",
    "yolo-nas-batched": "yolo_nas:YoloNasBatched",
    "ssd": "ssd:Ssd",
    "ssd-priors": "ssd_priors:SsdPriors",
    "custom-vision": "custom_vision:CustomVision",
    "ultralytics-classify": "classifiers:UltralyticsClassify",
    "classifier-probabilities": "classifiers:Probabilities",
    "classifier-logits": "classifiers:Logits",
}

FORMAT_NAMES = tuple(_CLASSES)
"""The names of all formats."""


@cache
def formats() -> "Mapping[str, AnyFormat]":
    """Import all formats and return them by name."""
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


def choose(
    name: str,
    model: "ModelSignature",
    *,
    labels: Sequence[str] | None = None,
    named_by: str = SETTING,
) -> FormatChoice:
    """Return the format with this name; for `auto`, the one that fits the model.

    With `auto`, a format is chosen only if nothing in the trial run contradicts it and no other one
    fits too.

    Args:
        name: A name of `FORMAT_NAMES`, or `auto`.
        model: What the trial run found.
        labels: The model's labels, if they are known: they can contradict a format.
        named_by: The setting or file that contains the name; error messages show it.

    Raises:
        ConfigurationError: The name is unknown, the model has another task, no format or more than
            one fits, or the named one does not.
    """
    from agent.detector.formats.contradictions import contradiction
    from agent.detector.formats.other_tasks import refuse_other_tasks, require_task

    if name not in (AUTO, *FORMAT_NAMES):
        raise ConfigurationError(
            f"{printable(named_by)}: {printable(name)} is unknown; known are {AUTO}, "
            f"{', '.join(FORMAT_NAMES)}"
        )
    refuse_other_tasks(model)
    if name == AUTO:
        return _choose(model, labels)
    named = formats()[name]
    require_task(named, model)
    named = _for_model(named, model, labels)
    against = contradiction(named, named.layout(model), model, labels)
    if against is not None:
        raise ConfigurationError(f"{named_by}: {name} does not fit the trial run: {against}")
    return FormatChoice(named, f"named by {named_by}")


def _choose(model: "ModelSignature", labels: Sequence[str] | None) -> FormatChoice:
    """Return the only format that fits; raises `ConfigurationError`."""
    import numpy as np  # the settings do not need it

    from agent.detector.formats.contradictions import contradiction
    from agent.detector.formats.other_tasks import has_task, refuse_undecided
    from agent.detector.formats.ultralytics_pose import KeypointsUnknown

    fitting: list[FormatChoice] = []
    possible: list[str] = []
    refused: list[str] = []
    unfit: list[str] = []
    keypoints_unknown = ""
    for each in formats().values():
        if not has_task(each, model):
            continue
        try:
            known = _for_model(each, model, labels)
            layout = known.layout(model)
        except ConfigurationError as error:
            unfit.append(str(error))
            if isinstance(error, KeypointsUnknown):
                keypoints_unknown = f"perhaps {error}"  # of the later format: it reads less tables
            continue
        with np.errstate(all="ignore"):  # the numbers may be anything
            reason = known.recognise(model)
        against = contradiction(known, layout, model, labels)
        if against is None and _may_be_named(known, layout, model, labels):
            possible.append(known.name)
        if reason is not None and against is not None:
            refused.append(f"not {known.name}: {against}")
        elif reason is not None:
            fitting.append(FormatChoice(known, reason))
    if not fitting:
        refuse_undecided(model, [*refused, *unfit])
        refused += [keypoints_unknown] if keypoints_unknown else []
    return _only(fitting, possible, refused, model, labels)


def _for_model(
    known: "AnyFormat", model: "ModelSignature", labels: Sequence[str] | None
) -> "AnyFormat":
    """Return the format as it reads this model; raises `ConfigurationError` if it cannot."""
    return known.for_model(model, labels) if known.task is Task.POSE else known


def _only(
    fitting: Sequence[FormatChoice],
    possible: Sequence[str],
    refused: Sequence[str],
    model: "ModelSignature",
    labels: Sequence[str] | None,
) -> FormatChoice:
    """Return the only fitting format; the number of labels may decide between several.

    Raises:
        ConfigurationError: There is none, or more than one.
    """
    if len(fitting) > 1 and labels:
        fitting = [each for each in fitting if _labels_fit(each, model, labels)] or fitting
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        named = " and ".join(each.format.name for each in fitting)
        raise ConfigurationError(
            f"{named} fit its outputs; set AGENT_MODEL_FORMAT to the right one"
        )
    raise ConfigurationError(
        "; ".join(["no format recognises its outputs", *refused])
        + (f"; they could be {' or '.join(possible)}" if possible else "")
        + "; if you know the format, set AGENT_MODEL_FORMAT to its name in docs/models.md, "
        "otherwise export the model in one of these formats"
    )


def _may_be_named(
    known: "AnyFormat", layout: "Layout", model: "ModelSignature", labels: Sequence[str] | None
) -> bool:
    """Whether a message may offer this format: the trial run had boxes, and the labels fit."""
    from agent.detector.formats.class_ids import label_table  # imports numpy
    from agent.detector.formats.contradictions import lowest_confidence

    if labels and label_table(layout, tuple(labels)) is None:
        return False
    return not model.values or lowest_confidence(known, layout, model) is not None


def _labels_fit(choice: FormatChoice, model: "ModelSignature", labels: Sequence[str]) -> bool:
    from agent.detector.formats.class_ids import label_table  # it imports numpy

    return label_table(choice.format.layout(model), tuple(labels)) is not None
