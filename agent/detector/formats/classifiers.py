"""Classifiers: one output `[1, classes]` that says what the image is, as a whole.

- `ultralytics-classify`: probabilities; metadata says `task: classify`. Input RGB over 255, the
  middle square of the frame.
- `classifier-logits`: torchvision, timm and most others. The confidences are their softmax. Input
  RGB, normalised as for ImageNet, the middle 7/8 of the frame's shorter side.
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
from agent.detector.formats.geometry import softmax
from agent.detector.formats.ultralytics import ultralytics_preprocessing
from agent.detector.letterbox import Padding, Size
from agent.domain import FloatArray, Task
from agent.errors import ConfigurationError

TRAINED = Size(224, 224)
KEPT = 0.875  # of the shorter side: 224 of 256
WITH_BACKGROUND = 1001  # ImageNet as TensorFlow counts it
SUM = 0.02  # half precision adds up to 1 no better


class _Classifier:
    """What classifiers share."""

    name: str
    task: Literal[Task.CLASSIFY] = Task.CLASSIFY

    def layout(self, model: ModelSignature) -> Layout:
        """Return how the output fits.

        Raises:
            ConfigurationError: There is not one output of a row, or the metadata names another
                task.
        """
        if model.metadata.task not in (None, Task.CLASSIFY):
            raise ConfigurationError(
                f"{self.name} reads classifiers; this model's task is {model.metadata.task}"
            )
        shapes = [output.shape for output in model.outputs]
        if len(shapes) == 1 and len(shapes[0]) in (2, 4):
            batch, classes, *rest = shapes[0]
            if batch == 1 and classes is not None and classes > 1 and set(rest) <= {1}:
                counted = (
                    ClassNumbering.FROM_ONE if classes == WITH_BACKGROUND else ClassNumbering.PLAIN
                )
                return Layout((0,), classes, counted)
        raise ConfigurationError(f"{self.name} has one output [1, classes]")

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""
        mean, std = IMAGENET
        return replace(ultralytics_classify_preprocessing(model), mean=mean, std=std, crop=KEPT)

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
        """Say why this model is certainly of this family, or None."""
        told = model.metadata.task == Task.CLASSIFY and model.metadata.labels is not None
        return "metadata of a classifier" if told and self._fits(model) else None

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""
        return ultralytics_classify_preprocessing(model)

    def probabilities(self, outputs: Sequence[FloatArray]) -> FloatArray:
        """Return the probability of each class."""
        return checked(outputs[0].ravel())


class Probabilities(_Classifier):
    """Classifiers with the softmax in the graph."""

    name = "classifier-probabilities"

    def recognise(self, model: ModelSignature) -> str | None:
        """Say why this model is certainly of this family, or None."""
        if not self._fits(model) or not model.values or not _adds_up(model.values[0]):
            return None
        return f"one row of {model.outputs[0].shape[1]} numbers that add up to 1"

    def probabilities(self, outputs: Sequence[FloatArray]) -> FloatArray:
        """Return the probability of each class."""
        return checked(outputs[0].ravel())


class Logits(_Classifier):
    """Classifiers without one."""

    name = "classifier-logits"

    def recognise(self, model: ModelSignature) -> str | None:
        """Say why this model is certainly of this family, or None."""
        if not self._fits(model) or not model.values or _adds_up(model.values[0]):
            return None
        return f"one row of {model.outputs[0].shape[1]} numbers that do not add up to 1"

    def probabilities(self, outputs: Sequence[FloatArray]) -> FloatArray:
        """Return the probability of each class."""
        return softmax(outputs[0].ravel())


def ultralytics_classify_preprocessing(model: ModelSignature) -> Preprocessing:
    """Return how frames become the input: the middle square, 0 to 1."""
    return replace(
        ultralytics_preprocessing(model),
        padding=Padding.STRETCH,
        size=model.metadata.size or TRAINED,
        crop=1.0,
    )


def checked(shares: FloatArray) -> FloatArray:
    """Return probabilities as they are, or NaN throughout where they are none."""
    return shares if _adds_up(shares) else np.full_like(shares, np.nan)


def _adds_up(shares: FloatArray) -> bool:
    inside = bool((shares >= 0).all() and (shares <= 1 + SUM).all())
    return inside and abs(float(shares.sum()) - 1) <= SUM
