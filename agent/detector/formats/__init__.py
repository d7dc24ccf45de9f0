"""The families of models that the agent reads.

A new family is one file beside this one and one line in `FORMATS`.
"""

from dataclasses import dataclass

from agent.detector.formats.centernet import CenterNet
from agent.detector.formats.classifiers import Logits, Probabilities, UltralyticsClassify
from agent.detector.formats.contract import AnyFormat, ModelSignature
from agent.detector.formats.detr import Detr
from agent.detector.formats.end2end import End2End
from agent.detector.formats.nanodet import NanoDet
from agent.detector.formats.nanodet_plus import NanoDetG, NanoDetM, NanoDetPlus
from agent.detector.formats.rfdetr import RfDetr
from agent.detector.formats.rows7 import YoloNasFlat, YoloV7Nms
from agent.detector.formats.rtdetr import RtDetr, RtDetrJoined
from agent.detector.formats.ssd import Ssd, TensorFlowSsd
from agent.detector.formats.torchvision_like import RtDetrDeployed, TorchVision
from agent.detector.formats.ultralytics import Ultralytics
from agent.detector.formats.yolo_nas import YoloNas, YoloNasBatched
from agent.detector.formats.yolov5 import YoloV5
from agent.detector.formats.yolox import YoloX, YoloXDecoded
from agent.errors import ConfigurationError

AUTO = "auto"
SETTING = "AGENT_MODEL_FORMAT"

# In the order in which `auto` asks: where two could recognise a model, the surer one comes first.
FORMATS: dict[str, AnyFormat] = {
    known.name: known
    for known in (
        NanoDet(),
        NanoDetPlus(),
        NanoDetM(),
        NanoDetG(),
        Ultralytics(),
        YoloV5(),
        YoloX(),
        YoloXDecoded(),
        RtDetrJoined(),
        End2End(),
        CenterNet(),
        YoloV7Nms(),
        YoloNasFlat(),
        YoloNas(),
        RfDetr(),
        Detr(),
        RtDetr(),
        RtDetrDeployed(),
        TorchVision(),
        TensorFlowSsd(),
        YoloNasBatched(),
        Ssd(),
        UltralyticsClassify(),
        Probabilities(),
        Logits(),
    )
}


@dataclass(frozen=True, slots=True)
class FormatChoice:
    """The format that reads a model, and why this one."""

    format: AnyFormat
    reason: str


def choose(name: str, model: ModelSignature, *, named_by: str = SETTING) -> FormatChoice:
    """Return the format called `name`, or with `auto` the one that recognises the model.

    `named_by` is where a name other than `auto` stands.

    Raises:
        ConfigurationError: No such format, none recognises the model, or the named one cannot
            read its outputs.
    """
    if name != AUTO:
        if name not in FORMATS:
            raise ConfigurationError(
                f"{named_by}: {name} is unknown; known are {AUTO}, {', '.join(FORMATS)}"
            )
        FORMATS[name].layout(model)
        return FormatChoice(FORMATS[name], f"named by {named_by}")
    for known in FORMATS.values():
        reason = known.recognise(model)
        if reason is not None:
            return FormatChoice(known, reason)
    readable = [each.name for each in FORMATS.values() if _could_read(each, model)]
    raise ConfigurationError(
        "its outputs look like no format that is known"
        + (f", but could be {' or '.join(readable)}" if readable else "")
        + f"; if it is one of {', '.join(FORMATS)}, name it in AGENT_MODEL_FORMAT, else export "
        "the model as one"
    )


def _could_read(known: AnyFormat, model: ModelSignature) -> bool:
    try:
        known.layout(model)
    except ConfigurationError:
        return False
    return True
