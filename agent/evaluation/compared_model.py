"""Compares the model of an evaluation with another one that is run on the same images."""

from collections.abc import Callable
from pathlib import Path

from agent.domain import Task, Thresholds
from agent.errors import ConfigurationError
from agent.evaluation.comparison import compare_classifiers, compare_detectors
from agent.evaluation.comparison_words import ComparedModel
from agent.evaluation.evaluation import Evaluation, classified_frames, sample_frames
from agent.evaluation.second_model import run_second_model
from agent.ports import Detector
from agent.printable import printable


def compared_model(
    evaluation: Evaluation,
    detector: Detector,
    thresholds: Thresholds,
    image_of: Callable[[str], Path],
    *,
    workers: int,
    progress: Callable[[int], None] = lambda _done: None,
) -> ComparedModel:
    """Run a detector on the reviewed random captures and compare it with their records.

    `image_of` returns the place of a capture's image. Raises `ConfigurationError` where the two
    cannot be compared.
    """
    known, info = evaluation.known, detector.info
    if not known.is_enough:
        raise ConfigurationError(
            f"cannot compare: of most failing frames nobody said what is there; correct "
            f"{known.frames_to_correct} more of them"
        )
    run = run_second_model(
        evaluation.frames, detector, thresholds, image_of, workers=workers, progress=progress
    )
    if evaluation.task is Task.CLASSIFY:
        found = compare_classifiers(
            classified_frames(run.current, known), classified_frames(run.frames, known)
        )
    else:
        found = compare_detectors(
            sample_frames(run.current, known),
            sample_frames(run.frames, known),
            floor=evaluation.floor,
            known_labels=info.labels,
        )
        truths = {box.label for each in run.current for box in each.truth.objects or ()}
        if truths and truths <= set(found.missing_labels):
            theirs, ours = (
                ", ".join(printable(label) for label in sorted(each)[:5])
                for each in (info.labels, truths)
            )
            raise ConfigurationError(
                f"cannot compare: none of the labels of {printable(info.name)} ({theirs}) is one "
                f"of the reviewed objects' ({ours}); name them alike with --model-labels"
            )
    return ComparedModel(
        info.name,
        info.sha256,
        found,
        is_same=any(each.sha256 == info.sha256 for each in evaluation.models),
        unreadable=len(run.unreadable),
        failed=run.failed,
        confirmed=sum(each.truth.is_confirmed for each in run.current),
    )
