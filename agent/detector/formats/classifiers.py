"""Classifiers: one output `[1, classes]` with a score of each class for the whole image.

- `ultralytics-classify`: probabilities; metadata has `task: classify`. Input RGB / 255, the
  centre square of the frame.
- `classifier-logits`: torchvision, timm and most others. The confidences are the softmax of the
  output. Input RGB, normalized as for ImageNet, a centre crop of 7/8 of the frame's shorter side.
- `classifier-probabilities`: the same with the softmax in the graph.

Source: docs.ultralytics.com/tasks/classify; the evaluation transforms in the reference of
torchvision.models (BSD-3-Clause) and of timm (Apache-2.0): resize to 256, crop 224.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from agent.detector.formats.contract import (
    IMAGENET,
    ClassNumbering,
    Layout,
    ModelSignature,
    Preprocessing,
)
from agent.detector.formats.geometry import SUM_TOLERANCE, softmax
from agent.detector.formats.ultralytics import ultralytics_preprocessing
from agent.detector.letterbox import Padding, Size
from agent.domain import FloatArray, Task
from agent.errors import ConfigurationError

DEFAULT_SIZE = Size(224, 224)
CROP = 0.875  # share of the shorter side: 224 of 256
WITH_BACKGROUND = 1001  # ImageNet as TensorFlow counts it


class _Classifier:
    """Base of the classifier formats."""

    name: str
    task: Literal[Task.CLASSIFY] = Task.CLASSIFY
    logits: int | None = None  # as in `Layout`

    def layout(self, model: ModelSignature) -> Layout:
        """Return how to read the output.

        Raises:
            ConfigurationError: There is not exactly one output `[1, classes]`, or the metadata
                names another task.
        """
        if model.metadata.task not in (None, Task.CLASSIFY):
            raise ConfigurationError(
                f"{self.name} reads classifiers; this model's task is {model.metadata.task}"
            )
        shapes = [output.shape for output in model.outputs]
        if len(shapes) == 1 and len(shapes[0]) in (2, 4):
            batch, classes, *rest = shapes[0]
            if batch == 1 and classes is not None and classes > 1 and set(rest) <= {1}:
                numbering = (
                    ClassNumbering.FROM_ONE if classes == WITH_BACKGROUND else ClassNumbering.PLAIN
                )
                return Layout((0,), classes, numbering, logits=self.logits)
        raise ConfigurationError(f"{self.name} has one output [1, classes]")

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""
        mean, std = IMAGENET
        return replace(ultralytics_classify_preprocessing(model), mean=mean, std=std, crop=CROP)

    def _fits(self, model: ModelSignature) -> bool:
        try:
            self.layout(model)
        except ConfigurationError:
            return False
        return True


class UltralyticsClassify(_Classifier):
    """YOLOv8 and its successors trained to classify."""

    name = "ultralytics-classify"

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model certainly has this format, or None."""
        declared = model.metadata.task == Task.CLASSIFY and model.metadata.labels is not None
        return "metadata of a classifier" if declared and self._fits(model) else None

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""
        return ultralytics_classify_preprocessing(model)

    def probabilities(self, outputs: Sequence[FloatArray]) -> FloatArray:
        """Return the probability of each class."""
        return probabilities_or_nan(outputs[0].ravel())


class Probabilities(_Classifier):
    """Classifiers with the softmax in the graph."""

    name = "classifier-probabilities"

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model certainly has this format, or None."""
        if not self._fits(model) or not model.values or not _are_probabilities(model.values[0]):
            return None
        if UltralyticsClassify().recognise(model):
            return None
        return f"one row of {model.outputs[0].shape[1]} numbers that add up to 1"

    def probabilities(self, outputs: Sequence[FloatArray]) -> FloatArray:
        """Return the probability of each class."""
        return probabilities_or_nan(outputs[0].ravel())


class Logits(_Classifier):
    """Classifiers without a softmax in the graph."""

    name = "classifier-logits"
    logits = 0

    def recognise(self, model: ModelSignature) -> str | None:
        """Return why this model certainly has this format, or None."""
        if not self._fits(model) or not model.values or _are_probabilities(model.values[0]):
            return None
        if UltralyticsClassify().recognise(model):
            return None
        return f"one row of {model.outputs[0].shape[1]} numbers that do not add up to 1"

    def probabilities(self, outputs: Sequence[FloatArray]) -> FloatArray:
        """Return the probability of each class."""
        return softmax(outputs[0].ravel())


def ultralytics_classify_preprocessing(model: ModelSignature) -> Preprocessing:
    """Return the preprocessing of Ultralytics' classifiers: centre square, values 0 to 1."""
    return replace(
        ultralytics_preprocessing(model),
        padding=Padding.STRETCH,
        size=model.metadata.size or DEFAULT_SIZE,
        crop=1.0,
    )


def probabilities_or_nan(scores: FloatArray) -> FloatArray:
    """Return the scores unchanged if they are probabilities, otherwise all NaN."""
    return scores if _are_probabilities(scores) else np.full_like(scores, np.nan)


def _are_probabilities(scores: FloatArray) -> bool:
    inside = bool((scores >= 0).all() and (scores <= 1 + SUM_TOLERANCE).all())
    return inside and abs(float(scores.sum()) - 1) <= SUM_TOLERANCE
