"""Two models on the same frames: which is better, and when nobody can tell."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agent.dataset.annotations.boxes import AnnotatedBox
from agent.dataset.records import read_records
from agent.domain import Box, Detection, ModelInfo, Pixels, Prediction, Task, Thresholds
from agent.errors import ConfigurationError
from agent.evaluation.class_measures import ClassifiedFrame
from agent.evaluation.compared_model import compared_model
from agent.evaluation.comparison import Outcome, compare_classifiers, compare_detectors
from agent.evaluation.comparison_words import comparison_facts, remarks_on, sentence_of
from agent.evaluation.evaluation import Evaluation, evaluate
from agent.evaluation.reviewed import read_reviewed
from agent.evaluation.sample import SampleFrame
from tests.evaluation.drawn_set import COLOURS, DrawnSet


def frames(seed: int, *, found: float, count: int = 80) -> list[SampleFrame]:
    """Return frames of one object each, of which a share is found; the objects are always equal."""
    objects = np.random.default_rng(0)
    random = np.random.default_rng(seed)
    made = []
    for number in range(count):
        left = float(objects.uniform(0, 500))
        box = Box(left, 10.0, left + 40, 50.0)
        confidence = float(random.uniform(0.6, 0.9))
        reported = [AnnotatedBox("car", box, confidence)] if random.random() < found else []
        made.append(
            SampleFrame(str(number), 60.0, reported, [AnnotatedBox("car", box)], {"car": 0.5})
        )
    return made


@pytest.mark.parametrize(
    ("current", "other", "outcome"),
    [(0.5, 0.9, Outcome.OTHER), (0.9, 0.5, Outcome.CURRENT), (0.7, 0.72, Outcome.UNCLEAR)],
)
def test_the_better_detector_is_named_once_the_interval_leaves_out_0(
    current: float, other: float, outcome: Outcome
) -> None:
    found = compare_detectors(
        frames(1, found=current), frames(2, found=other), floor=0.05, known_labels=["car"]
    )

    assert found.outcome is outcome
    assert found.ap50 is not None
    assert found.ap50.low < found.ap50.value < found.ap50.high
    assert found.failure_rate is not None
    assert (found.failure_rate.value < 0) == (other > current) or outcome is Outcome.UNCLEAR
    assert (found.more_reviews == 0) == (outcome is not Outcome.UNCLEAR)


def test_a_paired_interval_is_narrower_than_two_apart() -> None:
    """Both models miss the same frames, but for three."""
    current = frames(1, found=0.7)
    missed = [number for number, each in enumerate(current) if not each.reported][:3]
    full = frames(1, found=1.0)
    other = [full[n] if n in missed else each for n, each in enumerate(current)]

    found = compare_detectors(current, other, floor=0.05, known_labels=["car"])

    apart = compare_detectors(current, frames(9, found=0.7), floor=0.05, known_labels=["car"])
    assert found.ap50 is not None
    assert apart.ap50 is not None
    assert found.ap50.deviation < apart.ap50.deviation / 2


def test_few_frames_decide_nothing() -> None:
    """All replicates agree where each frame says the same."""
    found = compare_detectors(
        frames(1, found=0.0, count=5),
        frames(1, found=1.0, count=5),
        floor=0.05,
        known_labels=["car"],
    )

    assert found.outcome is Outcome.UNCLEAR


def test_how_many_more_reviews_are_needed_is_about_right() -> None:
    """With as many frames as were asked for, most seeds decide."""
    small = [
        compare_detectors(
            frames(s, found=0.6, count=60), frames(s + 50, found=0.75, count=60), floor=0.05,
            known_labels=["car"],
        )
        for s in range(5)
    ]  # fmt: skip
    needed = [60 + (each.more_reviews or 0) for each in small]
    count = int(np.median(needed))

    decided = [
        compare_detectors(
            frames(s, found=0.6, count=count), frames(s + 50, found=0.75, count=count), floor=0.05,
            known_labels=["car"],
        ).outcome
        for s in range(5)
    ]  # fmt: skip

    assert sum(each is Outcome.OTHER for each in decided) >= 2


def test_labels_of_another_name_are_told() -> None:
    renamed = [
        replace(each, reported=[replace(box, label="Auto") for box in each.reported])
        for each in frames(2, found=0.9)
    ]

    found = compare_detectors(frames(1, found=0.5), renamed, floor=0.05, known_labels=["Auto"])

    assert (found.missing_labels, found.new_labels) == (("car",), ("Auto",))


def named_cats(is_right: list[bool]) -> list[ClassifiedFrame]:
    return [
        ClassifiedFrame(str(n), 60.0, "cat" if right else "dog", 0.8, True, frozenset({"cat"}))
        for n, right in enumerate(is_right)
    ]


def test_classifiers_are_compared_by_their_accuracy() -> None:
    found = compare_classifiers(named_cats([True, False] * 30), named_cats([True] * 60))

    assert found.outcome is Outcome.OTHER
    assert found.accuracy is not None
    assert (found.accuracy.current, found.accuracy.other) == (0.5, 1.0)


class ColourDetector:
    """Finds what the drawn scenes are drawn with: a model that is nearly always right."""

    def __init__(self, info: ModelInfo | None = None, *, finds: float = 1.0) -> None:
        self._info = info or ModelInfo("colours", "c" * 64, Task.DETECT, "CPU", tuple(COLOURS))
        self._finds = finds

    @property
    def info(self) -> ModelInfo:
        return self._info

    def detect(self, pixels: Pixels) -> Prediction:
        import cv2

        found = []
        for number, (label, colour) in enumerate(COLOURS.items()):
            near = (np.abs(pixels.astype(int) - colour).max(axis=2) < 30).astype(np.uint8)
            _, _, boxes, _ = cv2.connectedComponentsWithStats(near)
            for left, top, width, height, size in boxes[1:].tolist():
                if size > 300:
                    box = Box(left - 1, top - 1, left + width + 1, top + height + 1)
                    found.append(Detection(label, number, 0.9, box))
        return Prediction(self._info, tuple(found[: int(len(found) * self._finds)]))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    return DrawnSet(captures=18, with_images=True).write(folder)


@pytest.fixture(scope="module")
def evaluation(drawn: Path) -> Evaluation:
    records = read_records(drawn)
    return evaluate(records, read_reviewed(drawn, None, records, is_reviewed=False))


def test_a_second_model_runs_on_the_same_images(drawn: Path, evaluation: Evaluation) -> None:
    found = compared_model(
        evaluation,
        ColourDetector(),
        Thresholds(0.5),
        lambda name: drawn / "images" / f"{name}.jpg",
        workers=2,
    )

    assert found.comparison.outcome is Outcome.OTHER
    assert sentence_of(found).startswith("colours is better: AP50 0.")
    assert "(95 %: +0." in sentence_of(found)
    assert any("favours it" in remark for remark in remarks_on(found))
    assert any("Best thresholds of colours: AGENT_THRES" in each for each in remarks_on(found))
    facts = comparison_facts(found)
    assert facts["outcome"] == "other is better"
    assert facts["map50"]["difference"] > 0
    assert facts["failure_rate"]["other"] < facts["failure_rate"]["current"]


def test_images_that_are_none_are_left_out_of_both(drawn: Path, evaluation: Evaluation) -> None:
    first = evaluation.frames[0].id

    found = compared_model(
        evaluation,
        ColourDetector(),
        Thresholds(0.5),
        lambda name: drawn / ("data.yaml" if name == first else f"images/{name}.jpg"),
        workers=1,
    )

    assert found.unreadable == 1
    assert found.comparison.frames == len(evaluation.frames) - 1
    with pytest.raises(ConfigurationError, match="none of the images"):
        compared_model(
            evaluation, ColourDetector(), Thresholds(0.5), lambda _: drawn / "no", workers=1
        )


@pytest.mark.parametrize(
    ("info", "words"),
    [
        (ModelInfo("c", "0" * 64, Task.CLASSIFY, "CPU", ("car",)), "the task of c is classify"),
        (ModelInfo("c", "0" * 64, Task.DETECT, "CPU", ("Auto",)), "none of the labels of c"),
    ],
)
def test_models_that_cannot_be_compared_are_refused(
    drawn: Path, evaluation: Evaluation, info: ModelInfo, words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        compared_model(
            evaluation,
            ColourDetector(info, finds=0.0),
            Thresholds(0.5),
            lambda name: drawn / "images" / f"{name}.jpg",
            workers=1,
        )
