"""Detections after NMS in three outputs: boxes, class ids, confidences; optionally a count."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from agent.detector.formats.contract import ClassNumbering, Layout, ModelSignature, Tensor
from agent.detector.formats.decoded import MOST_CLASSES, DecodedDetections
from agent.detector.formats.geometry import rows_of
from agent.domain import FloatArray, Task
from agent.errors import ConfigurationError

BOX = 4

# Names of outputs that say where class ids start: at 1, at 0, at 1, at 1.
ONNX_MODELS = frozenset({"bboxes", "labels", "scores"})
CUSTOM_VISION = frozenset({"detected_boxes", "detected_classes", "detected_scores"})
TENSORFLOW = frozenset({"detection_boxes"})
TORCHVISION = frozenset({"boxes", "labels", "scores"})


class BoxesClassesScores:
    """Base of these formats; each subclass defines its box coordinates and class ids."""

    name: str
    task: Literal[Task.DETECT] = Task.DETECT
    nms_iou: float | None = None
    numbering = ClassNumbering.PLAIN
    gaps = False

    def layout(self, model: ModelSignature) -> Layout:
        """Return the indices of boxes, class ids, confidences and, if there is one, the count.

        Raises:
            ConfigurationError: An output is missing.
        """
        found = find_outputs(model.outputs)
        if found is None:
            raise ConfigurationError(
                f"{self.name} has boxes [1, n, 4] or [n, 4], and class ids and confidences, "
                "[1, n] or [n] each"
            )
        return Layout(found, None, self.numbering, gaps=self.gaps)


def find_outputs(outputs: Sequence[Tensor]) -> tuple[int, ...] | None:
    """Return the indices of boxes, class ids, confidences, and of the count if there is one."""
    for boxes, output in enumerate(outputs):
        shape = output.shape
        if shape[-1:] != (BOX,) or len(shape) not in (2, 3) or "raw" in output.name:
            continue
        rest = [
            index
            for index, other in enumerate(outputs)
            if index != boxes and other.shape == shape[:-1]
        ]
        numbers = [index for index in rest if _counts(outputs[index])]
        scores = [index for index in rest if _scores(outputs[index])]
        if len(numbers) != 1 or len(scores) != 1:
            continue
        found = (boxes, numbers[0], scores[0])
        count = [
            index
            for index, other in enumerate(outputs)
            if "num" in other.name.lower() and all(axis == 1 for axis in other.shape)
        ]
        return (*found, *count[:1])
    return None


def decode_boxes_classes_scores(outputs: Sequence[FloatArray], floor: float) -> DecodedDetections:
    """Return the detections at or above `floor`; `outputs[0]` has box corners in pixels."""
    boxes, numbers, scores = rows_of(outputs[0], BOX), outputs[1].ravel(), outputs[2].ravel()
    if len(outputs) > 3:  # noqa: PLR2004  # there is a count
        count = float(outputs[3].ravel()[0])
        if not 0 <= count <= len(scores):
            return DecodedDetections.empty(invalid=True)
        boxes, numbers, scores = (each[: int(count)] for each in (boxes, numbers, scores))
    chosen = np.flatnonzero(scores >= floor)
    whole = np.isfinite(numbers[chosen]) & (numbers[chosen] > -1) & (numbers[chosen] < MOST_CLASSES)
    rows = chosen[whole]
    return DecodedDetections.validated(
        boxes[rows],
        scores[rows],
        np.rint(numbers[rows]).astype(np.intp),
        invalid=bool(np.isnan(scores).any()) or not bool(whole.all()),
        rows=rows,
    )


def named_by(model: ModelSignature, names: frozenset[str]) -> bool:
    """Whether there is an output for each of these names; `:0` may follow a name."""
    return names <= {output.name.partition(":")[0] for output in model.outputs}


def says_numbering(model: ModelSignature) -> bool:
    """Whether the names of the outputs say where class ids start.

    Names that are numbers are those of torch's exporter for models of torchvision.
    """
    known = (ONNX_MODELS, CUSTOM_VISION, TENSORFLOW, TORCHVISION)
    unnamed = all(output.name.isdigit() for output in model.outputs)
    return unnamed or any(named_by(model, names) for names in known)


def _counts(output: Tensor) -> bool:
    """Whether the output contains class ids: integers, or floats with such a name."""
    name = output.name.lower()
    called = "class" in name or "label" in name
    return output.dtype.startswith("int") or (called and "score" not in name)


def _scores(output: Tensor) -> bool:
    return output.dtype.startswith("float") and not _counts(output)
