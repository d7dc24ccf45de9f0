"""Runs another model on the images of reviewed captures, as if it had made their records."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from agent.camera.images.file import read_image
from agent.domain import EncodedImage, Frame, Observation, Thresholds
from agent.errors import ConfigurationError, UnusableImage
from agent.evaluation.truth import FrameTruth, ReviewedFrame, truth_of_boxes
from agent.ports import Detector
from agent.printable import printable
from agent.record.schema import model_output


@dataclass(slots=True)
class SecondModel:
    """The output of a second model for reviewed captures."""

    frames: list[ReviewedFrame] = field(default_factory=list)  # with its own failures
    current: list[ReviewedFrame] = field(default_factory=list)  # the same captures as recorded
    unreadable: list[str] = field(default_factory=list)  # captures whose image is no image
    failed: int = 0  # captures on which the model gave no output


def run_second_model(
    frames: Sequence[ReviewedFrame],
    detector: Detector,
    thresholds: Thresholds,
    image_of: Callable[[str], Path],
    *,
    workers: int,
    progress: Callable[[int], None] = lambda _done: None,
) -> SecondModel:
    """Run a detector on captures whose objects or classes are known.

    Captures whose image cannot be read are left out for both models. Raises `ConfigurationError`
    if the task is another one, or nothing can be read.
    """
    _require_same_task(frames, detector)
    known = [each for each in frames if _is_known(each.truth)]
    found = SecondModel()

    def analysed(each: ReviewedFrame) -> ReviewedFrame | None:
        return _analysed(each, detector, thresholds, image_of(each.id))

    with ThreadPoolExecutor(workers) as pool:
        for done, (each, other) in enumerate(zip(known, pool.map(analysed, known), strict=True), 1):
            if other is None:
                found.unreadable.append(each.id)
            else:
                found.current.append(each)
                found.frames.append(other)
                found.failed += bool(other.record.get("failure"))
            progress(done)
    if not found.frames:
        raise ConfigurationError(
            f"cannot compare: none of the images of {len(known)} reviewed captures with known "
            "objects can be read; give the folder that has images/ beside records/"
        )
    if found.failed == len(found.frames):
        raise ConfigurationError(
            f"cannot compare: the model {printable(detector.info.name)} failed on each image: "
            f"{printable(found.frames[0].record['failure'])}"
        )
    return found


def _is_known(truth: FrameTruth) -> bool:
    return truth.objects is not None or truth.classes is not None


def _require_same_task(frames: Sequence[ReviewedFrame], detector: Detector) -> None:
    is_classifier = any("classes" in each.record for each in frames)
    if is_classifier != (detector.info.task == "classify"):
        what = "classifies images" if is_classifier else "detects objects"
        raise ConfigurationError(
            f"cannot compare: the model of the captures {what}, and the task of "
            f"{printable(detector.info.name)} is {detector.info.task}; give a model of "
            "the same task"
        )


def _analysed(
    each: ReviewedFrame, detector: Detector, thresholds: Thresholds, path: Path
) -> ReviewedFrame | None:
    try:
        pixels = read_image(path)
    except (UnusableImage, OSError):
        return None
    prediction = detector.detect(pixels)
    stored = each.record["image"]
    frame = Frame("", 0, pixels, 0.0, 0.0, 0)
    observation = Observation(
        frame, prediction.detections, classes=prediction.classes, model=prediction.model
    )
    image = EncodedImage(b"", stored["width"], stored["height"])
    record: dict[str, Any] = {
        name: value for name, value in each.record.items() if name not in {"detections", "classes"}
    }
    record |= model_output(observation, detector.info.task, image)
    record |= {
        "model": {
            "name": detector.info.name,
            "sha256": detector.info.sha256,
            "task": detector.info.task.value,
            "labels": list(detector.info.labels),
        },
        "thresholds": {
            "default": thresholds.default,
            "labels": dict(thresholds.labels),
            "floor": thresholds.floor,
        },
        "suspects": [],
        "failure": prediction.failure,
    }
    return replace(each, record=record, truth=_truth(record, each.truth))


def _truth(record: dict[str, Any], truth: FrameTruth) -> FrameTruth:
    """Return what is known of a frame, with the failures of another record of it."""
    if truth.objects is not None:
        return truth_of_boxes(record, truth.objects)
    best = record.get("classes", [])[:1]
    classes = truth.classes or ()
    return FrameTruth(has_failure=not best or best[0]["label"] not in classes, classes=classes)
