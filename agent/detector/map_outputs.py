"""Outputs that are a list of maps from label to probability, one map for each image.

The operator ZipMap of ONNX-ML makes them: scikit-learn's converter adds it by default, and the
classifiers of Azure Custom Vision have it. The keys are the labels, or class numbers. Such a model
also has an output with the best label, a text, which says nothing more.

Source: onnx/docs/Operators-ml.md, ZipMap; learn.microsoft.com, "Use your model" of Custom Vision.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from agent.detector.formats.contract import ChannelOrder, Metadata, Tensor
from agent.detector.model_file.input_spec import InputSpec
from agent.detector.model_file.words import MOST_LABELS, labels_of
from agent.domain import FloatArray

Key = str | int
Maps = Sequence[Mapping[Key, float]]
"""One map for each image."""

CUSTOM_VISION = InputSpec.parse("bgr scale=1 fit=crop keep=0.875")
ASK = (
    "its output is a list of maps (ZipMap), as Azure Custom Vision and skl2onnx write them: it can "
    "be read, but nothing says how frames become its input; set AGENT_MODEL_INPUT, for Custom "
    f'Vision to "{CUSTOM_VISION}"'
)


def is_map(tensor: Tensor) -> bool:
    """Whether an output is a list of maps."""
    return tensor.dtype.startswith(("seq(map(", "map("))


def readable(outputs: Sequence[Tensor]) -> list[Tensor]:
    """Return the outputs without those of texts; all of them if there is nothing else."""
    return [each for each in outputs if each.dtype != "string"] or list(outputs)


def keys_of(maps: Maps) -> tuple[Key, ...]:
    """Return the keys in the order of the classes; raises `ValueError` if there are too many."""
    if not maps or not 0 < len(maps[0]) <= MOST_LABELS:
        raise ValueError(f"a list of maps without keys, or with more than {MOST_LABELS}")
    return tuple(sorted(maps[0], key=lambda key: (str(type(key)), key)))


def to_array(maps: Maps, keys: Sequence[Key]) -> FloatArray:
    """Return `[images, classes]`; NaN for a missing key."""
    return np.array([[each.get(key, np.nan) for key in keys] for each in maps], np.float32)


def with_labels(metadata: Metadata, keys: Sequence[Key]) -> Metadata:
    """Return the metadata with the keys as labels, if it has none and the keys are texts."""
    if metadata.labels is not None or not all(isinstance(key, str) for key in keys):
        return metadata
    try:
        return replace(metadata, labels=labels_of(keys), label_problem="")
    except ValueError as error:
        return replace(metadata, label_problem=f"the keys of its output: {error}")


def custom_vision_input(metadata: Metadata) -> InputSpec | None:
    """Return the preprocessing that Custom Vision's metadata names; None if it is not there."""
    order = {"Bgr8": ChannelOrder.BGR, "Rgb8": ChannelOrder.RGB}.get(
        metadata.entries.get("Image.BitmapPixelFormat", "")
    )
    scale = {"NominalRange_0_255": 1.0, "Normalized_0_1": 255.0}.get(
        metadata.entries.get("Image.NominalPixelRange", "")
    )
    if order is None or scale is None:
        return None
    return replace(CUSTOM_VISION, channel_order=order, scale=scale)
