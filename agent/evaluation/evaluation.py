"""Everything that the reviewed captures of a dataset say of a model and of its captures."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from agent.dataset.annotations.model_boxes import detected_boxes
from agent.dataset.records import Records
from agent.domain import Task
from agent.evaluation.audit import Audit, audit
from agent.evaluation.bootstrap import relative, replicate_count, replicates
from agent.evaluation.calibration import Calibration, calibration
from agent.evaluation.class_measures import ClassifiedFrame, OfClass, by_class, confidences
from agent.evaluation.intervals import Estimate, Term, ratio
from agent.evaluation.known_objects import KnownObjects, known_objects
from agent.evaluation.label_measures import Measured, measure
from agent.evaluation.lanes import OfLane, OfRule, by_lane, by_rule
from agent.evaluation.limits import limits_of
from agent.evaluation.reviewed import ReviewedCaptures
from agent.evaluation.sample import SampleFrame
from agent.evaluation.truth import ReviewedFrame, has_area
from agent.record.shapes import task_of
from agent.record.synthetic import is_synthetic


@dataclass(frozen=True, slots=True)
class OfModel:
    """The reviewed random captures of one model."""

    name: str
    sha256: str
    reviewed: int
    failure_rate: Estimate | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The figures of a dataset, as numbers."""

    task: Task
    random_captures: int
    frames: tuple[ReviewedFrame, ...]  # reviewed random captures
    unusable: int  # random captures that cannot be judged
    left_out: int  # captures of other lanes
    failure_rate: Estimate | None
    known: KnownObjects
    measured: Measured | None  # of a detector; None where objects are not known
    classes: tuple[OfClass, ...]  # of a classifier; of all together first
    class_calibration: Calibration | None
    thresholds: Mapping[str, float]  # in use: of the newest capture, by label
    floor: float  # the highest of the records
    models: tuple[OfModel, ...]  # the most reviewed first
    lanes: tuple[OfLane, ...]
    rules: tuple[OfRule, ...]
    has_shapes: bool  # outlines, poses or rotated boxes are measured by upright boxes
    problems: tuple[str, ...]  # lines of reviews that were left out
    audit: Audit | None = None  # of auto labels; None where there are none

    @property
    def confirmed(self) -> int:
        """Frames whose objects are the model's own boxes, because a person said "right"."""
        return sum(each.truth.is_confirmed for each in self.frames)


def evaluate(records: Records, reviewed: ReviewedCaptures) -> Evaluation:
    """Evaluate a dataset; `records` are of one task.

    The figures of the model are those of its reviewed random captures. Synthetic captures are left
    out: they show nothing that a camera saw.
    """
    records = {name: record for name, record in records.items() if not is_synthetic(record)}
    # By id: the order of the reviews decides neither ties of confidences nor the bootstrap.
    said = {name: reviewed.truth[name] for name in sorted(reviewed.truth) if name in records}
    drawn = {name: record for name, record in records.items() if record["lane"] == "random"}
    frames = tuple(
        ReviewedFrame(name, drawn[name], truth, float(drawn[name]["sampling"]["weight"]))
        for name, truth in said.items()
        if name in drawn
    )
    known = known_objects(frames)
    floor = max((limits_of(each.record).floor for each in frames), default=0.0)
    is_classifier = any("classes" in each.record for each in frames)
    measured: Measured | None = None
    classes: tuple[OfClass, ...] = ()
    of_classes: Calibration | None = None
    if is_classifier:
        classified = classified_frames(frames, known) if known.is_enough else []
        classes, of_classes = tuple(by_class(classified)), _class_calibration(classified)
    elif known.is_enough:
        measured = measure(sample_frames(frames, known), floor)
    return Evaluation(
        Task.CLASSIFY if is_classifier else _task(drawn),
        len(drawn),
        frames,
        len(reviewed.unusable & drawn.keys()),
        len(records) - len(drawn),
        failure_rate(frames),
        known,
        measured,
        classes,
        of_classes,
        _thresholds(frames),
        floor,
        tuple(_models(frames)),
        tuple(by_lane(records, said)),
        tuple(by_rule(records, said)),
        reviewed.has_outlines or any(task_of(each) is not Task.DETECT for each in drawn.values()),
        tuple(reviewed.problems),
        audit(records, said),
    )


def failure_rate(frames: Sequence[ReviewedFrame]) -> Estimate | None:
    """Estimate in which share of time the model's output has any error."""
    return ratio([Term(each.weight, float(each.truth.has_failure), 1.0) for each in frames])


def sample_frames(frames: Sequence[ReviewedFrame], known: KnownObjects) -> list[SampleFrame]:
    """Return the frames of a detector whose objects are known, with all detections."""
    found = []
    for each in frames:
        if each.id in known.weights and each.truth.objects is not None:
            limits = limits_of(each.record)
            boxes = detected_boxes(each.record, each.truth.objects)
            found.append(
                SampleFrame(
                    each.id,
                    known.weights[each.id],
                    [box for box in boxes if has_area(box)],
                    each.truth.objects,
                    limits.labels,
                    limits.default,
                )
            )
    return found


def classified_frames(
    frames: Sequence[ReviewedFrame], known: KnownObjects
) -> list[ClassifiedFrame]:
    """Return the frames of a classifier whose classes are known."""
    found = []
    for each in frames:
        if each.truth.classes is not None:
            best = each.record["classes"][:1]
            found.append(
                ClassifiedFrame(
                    each.id,
                    known.weights[each.id],
                    best[0]["label"] if best else "",
                    best[0]["confidence"] if best else 0.0,
                    bool(best) and limits_of(each.record).is_reached(best[0]),
                    frozenset(each.truth.classes),
                )
            )
    return found


def _class_calibration(frames: Sequence[ClassifiedFrame]) -> Calibration | None:
    if not frames:
        return None
    stated, right = confidences(frames)
    weight = np.array([each.weight for each in frames])
    drawn = replicates(weight, replicate_count(len(frames)))
    places = np.arange(len(frames), dtype=np.intp)
    return calibration(stated, right > 0, places, relative(weight), drawn)


def _thresholds(frames: Sequence[ReviewedFrame]) -> dict[str, float]:
    """Return the thresholds of the newest capture for each label that any frame has."""
    if not frames:
        return {}
    newest = max(frames, key=lambda each: str(each.record.get("captured_at", "")))
    limits = limits_of(newest.record)
    labels = {box.label for each in frames for box in each.truth.objects or ()}
    labels |= {
        str(found["label"])
        for each in frames
        for found in (*each.record.get("detections", ()), *each.record.get("classes", ())[:1])
    }
    return {label: limits.of(label) for label in sorted(labels)}


def _task(records: Records) -> Task:
    tasks = Counter(task_of(record) for record in records.values())
    return tasks.most_common(1)[0][0] if tasks else Task.DETECT


def _models(frames: Sequence[ReviewedFrame]) -> list[OfModel]:
    by_model: dict[tuple[str, str], list[ReviewedFrame]] = {}
    for each in frames:
        model = each.record.get("model")
        facts = model if isinstance(model, dict) else {}
        key = str(facts.get("name") or ""), str(facts.get("sha256") or "")
        by_model.setdefault(key, []).append(each)
    found = [OfModel(*key, len(own), failure_rate(own)) for key, own in by_model.items()]
    return sorted(found, key=lambda each: -each.reviewed)
