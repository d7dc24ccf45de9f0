"""What a model reported and what is in the images, of many frames, as columns.

Frames, detections and objects are rows of arrays: 10,000 frames are matched in a second.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.dataset.annotations.boxes import AnnotatedBox

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class SampleFrame:
    """One frame whose objects are known."""

    id: str
    weight: float  # seconds that it stands for; above 0
    reported: Sequence[AnnotatedBox]  # all down to the floor, not only those at their threshold
    truth: Sequence[AnnotatedBox]
    thresholds: Mapping[str, float]  # in use, by label
    default_threshold: float = 0.5


@dataclass(frozen=True, slots=True)
class BoxColumns:
    """Boxes of many frames, in the order of the frames."""

    frame: Integers  # [n], number of the frame
    label: Integers  # [n], number of the label
    box: Floats  # [n, 4], x_min, y_min, x_max, y_max in pixels
    confidence: Floats  # [n]; 1 for boxes of people
    crowd: Flags  # [n]; false for detections

    def __len__(self) -> int:
        """Return the number of boxes."""
        return len(self.frame)


@dataclass(frozen=True, slots=True)
class Sample:
    """Frames as columns."""

    ids: tuple[str, ...]
    labels: tuple[str, ...]  # in alphabetical order
    weight: Floats  # [frames]
    reported: BoxColumns
    truth: BoxColumns
    threshold: Floats  # [reported], of each detection's label in its frame


def sample_of(frames: Sequence[SampleFrame]) -> Sample:
    """Return frames as columns; the labels are those that occur."""
    labels = tuple(
        sorted({box.label for each in frames for boxes in (each.reported, each.truth)
                for box in boxes})
    )  # fmt: skip
    numbers = {label: number for number, label in enumerate(labels)}
    thresholds = [
        each.thresholds.get(box.label, each.default_threshold)
        for each in frames
        for box in each.reported
    ]
    return Sample(
        tuple(each.id for each in frames),
        labels,
        np.array([each.weight for each in frames], np.float64),
        _columns([each.reported for each in frames], numbers),
        _columns([each.truth for each in frames], numbers),
        np.array(thresholds, np.float64),
    )


def _columns(boxes: Sequence[Sequence[AnnotatedBox]], numbers: Mapping[str, int]) -> BoxColumns:
    flat = [each for of_frame in boxes for each in of_frame]
    counts = [len(of_frame) for of_frame in boxes]
    sides = [(b.box.x_min, b.box.y_min, b.box.x_max, b.box.y_max) for b in flat]
    return BoxColumns(
        np.repeat(np.arange(len(boxes), dtype=np.intp), counts),
        np.array([numbers[each.label] for each in flat], np.intp),
        np.array(sides, np.float64).reshape(-1, 4),
        np.array([each.confidence for each in flat], np.float64),
        np.array([each.is_crowd for each in flat], np.bool_),
    )
