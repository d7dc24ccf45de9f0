"""The loop pays: what reviews of one round say finds more distinct failures in the next."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

from agent.dataset.annotations.boxes import AnnotatedBox
from agent.domain import (
    Box,
    Capture,
    Detection,
    EncodedImage,
    Frame,
    Observation,
    Thresholds,
    VerdictKind,
)
from agent.evaluation.judged_captures import JudgedCapture
from agent.evaluation.suspect_evidence import Evidence
from agent.evaluation.truth import truth_of_boxes
from agent.record.schema import RecordMaker
from agent.replay.frames import CaptureIds
from agent.replay.memory_spool import MemorySpool
from agent.selection.cover import Cover
from agent.selection.device import Selection
from agent.selection.feedback import Feedback, Side
from tests.bench.selection.failures import Failure, Seen, Truth
from tests.bench.selection.ours import CAMERA, plan_of
from tests.bench.selection.rounds import MODEL, Part, learnt

FPS, FRAMES, CREDITS, SEEDS = 5.0, 250, 8, 3
THRESHOLDS = Thresholds(0.5)
PIXELS = np.broadcast_to(np.zeros((), np.uint8), (720, 1280, 3))


class Detector(NamedTuple):
    """How often a box near the threshold is a failure, on either side."""

    above: float
    below: float


class Track(NamedTuple):
    """A box that stays near the threshold for some frames."""

    number: int
    begin: int
    end: int
    box: Box
    is_above: bool
    is_failure: bool


def tracks(detector: Detector, seed: int) -> list[Track]:
    draw = random.Random(seed)
    made = []
    for number in range(FRAMES // 6):
        begin, x = draw.randrange(FRAMES), draw.uniform(0, 1200)
        y, is_above = draw.uniform(0, 650), draw.random() < 0.5
        is_failure = draw.random() < (detector.above if is_above else detector.below)
        box = Box(x, y, x + 60, y + 60)
        made.append(Track(number, begin, begin + draw.randrange(6, 16), box, is_above, is_failure))
    return made


def stream(detector: Detector, seed: int) -> Part:
    """Return frames in which some boxes hover on one side of the threshold each."""
    draw = random.Random(seed + 1000)
    all_tracks = tracks(detector, seed)
    frames, truth = [], []
    for n in range(FRAMES):
        here = [each for each in all_tracks if each.begin <= n < each.end]
        found = []
        for each in here:
            distance = draw.uniform(0.005, 0.06)
            confidence = 0.5 + distance if each.is_above else 0.5 - distance
            found.append(Detection("car", 0, confidence, each.box))
        found.sort(key=lambda one: -one.confidence)
        frame = Frame(CAMERA, n, PIXELS, n / FPS, n / FPS, int(n / FPS * 1e9), n, "day")
        failures = tuple(Failure(each.number, each.box) for each in here if each.is_failure)
        frames.append(Seen(Observation(frame, tuple(found)), failures))
        # Above the threshold a failure is a false box, below it a missed object.
        objects = [each for each in here if each.is_above != each.is_failure]
        truth.append(Truth(tuple((each.number, each.box) for each in objects)))
    return Part(frames, truth, "car")


class Rounds(NamedTuple):
    """Distinct failures that were found, over all loops."""

    without: int  # in round one, and so in a round two without feedback
    with_feedback: int  # in round two


def rounds(
    detector: Detector, change: Callable[[Sequence[Evidence]], Sequence[Evidence]] = list
) -> Rounds:
    """Run two loops for each seed: each of two streams is round one of one, and two of the other.

    So round one, and round two without feedback, find the same in total.
    """
    without = with_feedback = 0
    for seed in range(SEEDS):
        parts = stream(detector, seed), stream(detector, seed + 100)
        captures = [
            part.round(CREDITS, THRESHOLDS, seed=str(seed), random_share=0) for part in parts
        ]
        for one, two in ((0, 1), (1, 0)):
            without += parts[one].distinct(captures[one])
            feedback = learnt(parts[one].reviewed(captures[one], THRESHOLDS), THRESHOLDS, change)
            again = parts[two].round(
                CREDITS, THRESHOLDS, seed=str(seed), random_share=0, feedback=feedback
            )
            with_feedback += parts[two].distinct(again)
    return Rounds(without, with_feedback)


def without_sides(evidence: Sequence[Evidence]) -> list[Evidence]:
    """A planted bug: what is learnt of one side is believed of both."""
    return [replace(each, side=side) for each in evidence for side in (Side.ABOVE, Side.BELOW)]


def turned(evidence: Sequence[Evidence]) -> list[Evidence]:
    """A planted bug: right and wrong change places."""
    return [replace(each, failure=1.0 - each.failure) for each in evidence]


def pays(found: Rounds) -> bool:
    """Whether the second round is clearly better than the first, and than one without feedback."""
    return found.with_feedback > 1.12 * found.without


@pytest.mark.parametrize(
    "detector",
    [Detector(0.7, 0.02), pytest.param(Detector(0.02, 0.7), marks=pytest.mark.slow)],
)
def test_the_second_round_finds_more_distinct_failures_a_credit(detector: Detector) -> None:
    assert pays(rounds(detector))


@pytest.mark.parametrize("bug", [without_sides, pytest.param(turned, marks=pytest.mark.slow)])
def test_feedback_with_a_planted_bug_does_not_pay(
    bug: Callable[[Sequence[Evidence]], Sequence[Evidence]],
) -> None:
    assert not pays(rounds(Detector(0.7, 0.02), bug))


@pytest.mark.slow
def test_feedback_costs_little_where_the_rules_were_right() -> None:
    found = rounds(Detector(0.25, 0.25))

    assert found.with_feedback >= 0.9 * found.without


def street(camera: str, seed: int, *, is_failure: bool) -> list[Seen]:
    """Return frames of a camera on which no, or each, box just below the threshold is a miss."""
    part = stream(Detector(0.0, 1.0 if is_failure else 0.0), seed)
    frames = []
    for seen in part.frames:
        observation = seen.observation
        below = tuple(each for each in observation.detections if each.confidence < 0.5)
        frame = replace(observation.frame, camera=camera)
        failures = tuple(each for each in seen.failures if each.box in {d.box for d in below})
        frames.append(Seen(replace(observation, frame=frame, detections=below), failures))
    return frames


def purchased(day: Sequence[Sequence[Seen]], feedback: Feedback | None) -> list[Capture]:
    """Return what one budget buys of several cameras."""
    cameras = [frames[0].observation.frame.camera for frames in day]
    plan = replace(plan_of(30, THRESHOLDS, random_share=0.0), period_s=FRAMES / FPS)
    cover = Cover()
    spool = MemorySpool(plan, cover)
    selection = Selection(cameras, plan, new_id=CaptureIds("0", "day"), cover=cover)
    selection.use(feedback)
    captures: dict[str, Capture] = {}
    ids = []
    for n in range(FRAMES):
        for frames in day:
            for capture in selection.observe(frames[n].observation, n / FPS):
                captures[capture.id] = capture
                spool.put(capture, 1)
        ids += [each.id for each in spool.buy(n / FPS)]
    for capture in selection.finish(FRAMES / FPS):
        captures[capture.id] = capture
        spool.put(capture, 1)
    return [captures[each] for each in [*ids, *(one.id for one in spool.close())]]


def test_after_30_reviews_a_camera_on_which_a_rule_is_always_wrong_gets_no_credit() -> None:
    day = [street("gate", 1, is_failure=False), street("yard", 2, is_failure=True)]
    first = purchased(day, None)
    reviewed = []
    for capture, frames in ((each, day[camera_of(each) == "yard"]) for each in first):
        seen = frames[capture.observation.frame.sequence]
        objects = [each.box for each in seen.failures if each.box is not None]
        reviewed.append(judged_by(capture, objects))
    at_gate = [each for each in reviewed if each.record["camera"] == "gate"]
    assert 5 <= len(at_gate) <= 30

    feedback = learnt(reviewed, THRESHOLDS)
    second = Counter(map(camera_of, purchased(day, feedback)))

    assert Counter(map(camera_of, first))["gate"] >= 5
    assert second["gate"] == 0
    assert second["yard"] >= 5


def camera_of(capture: Capture) -> str:
    return capture.observation.frame.camera


def judged_by(capture: Capture, objects: Sequence[Box]) -> JudgedCapture:
    """Return a capture of which a person drew these objects."""
    maker = RecordMaker("device", "boot", MODEL, THRESHOLDS, "0")
    image = EncodedImage(b"", PIXELS.shape[1], PIXELS.shape[0])
    made = maker.make(capture.id, capture, image, clock_synchronized=True)
    truth = truth_of_boxes(made, [AnnotatedBox("car", box) for box in objects])
    verdict = VerdictKind.WRONG if truth.has_failure else VerdictKind.RIGHT
    return JudgedCapture(made, truth, verdict)
