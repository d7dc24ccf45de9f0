"""Each rule: what it names as suspect, with which `p`, and what it leaves alone."""

import math
import random
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.domain import Box, ClassScore, Detection, Observation, Suspect, Thresholds
from agent.selection.camera_rules import CameraRules
from agent.selection.frame_context import ContextTrack, FrameContext
from agent.selection.plan import SelectionPlan
from agent.selection.rules import make_rules, rule_class, rules
from agent.selection.rules.scene import InvalidOutput
from agent.selection.suspects import LEAST_P, nearness
from tests.fakes.captures import frame
from tests.selection.synthetic_street import Frames, clean_street, suspects

HALF = Thresholds(0.5)
SEEN = Box(10, 10, 20, 30)
NEAR_06 = nearness(0.6, 0.5)

Seen = tuple[str, float] | float | None


def found(
    label: str, confidence: float, box: Box = SEEN
) -> Detection:  # a fresh one: tracks are joined to detections by identity
    return Detection(label, 0, confidence, box)


def track_of(seen: Mapping[int, Seen], number: int = 7, frames: int = 3) -> ContextTrack:
    """Return a track by offset; a bare confidence is that of a car."""
    detections = {}
    for offset, each in seen.items():
        if each is not None:
            label, confidence = each if isinstance(each, tuple) else ("car", each)
            detections[offset] = found(label, confidence)
    return ContextTrack(number, detections, frames)


def context_of(
    *tracks: ContextTrack,
    loose: Sequence[Detection] = (),
    before: Sequence[Detection] | None = (),
    after: Sequence[Detection] | None = (),
) -> FrameContext:
    """Return a context with tracks, and with `loose` detections that have none."""
    shown = [track.seen[0] for track in tracks if 0 in track.seen]

    def beside(detections: Sequence[Detection] | None) -> tuple[Observation, ...]:
        return () if detections is None else (Observation(frame(0.0), tuple(detections)),)

    return FrameContext(
        Observation(frame(0.0), (*shown, *loose)),
        beside(before),
        beside(after),
        tracks,
        is_timed=True,
    )


def named(
    name: str, context: FrameContext, thresholds: Thresholds = HALF, **options: float
) -> list[Suspect]:
    [rule] = make_rules([name], thresholds, {name: options})
    return list(rule.suspects(context))


def highest(name: str, context: FrameContext, thresholds: Thresholds = HALF) -> float:
    return max((each.p for each in named(name, context, thresholds)), default=0.0)


@pytest.mark.parametrize(
    ("confidence", "p"),
    [
        (0.5, 0.25),
        (0.6, 0.25 * NEAR_06),
        (0.4, 0.25 * NEAR_06),
        (0.25, 0.25 * nearness(0.25, 0.5)),
        (0.1, 0.0),
        (0.9, 0.0),
    ],
)
def test_a_box_near_its_threshold_has_low_confidence_on_both_sides(
    confidence: float, p: float
) -> None:
    context = context_of(loose=[found("car", confidence)])

    assert highest("low_confidence", context) == pytest.approx(p)


def test_each_label_is_measured_by_its_own_threshold() -> None:
    context = context_of(loose=[found("car", 0.2), found("bus", 0.2)])

    [suspect] = named("low_confidence", context, Thresholds(0.6, {"bus": 0.2}))

    assert (suspect.label, suspect.p, suspect.box) == ("bus", 0.25, SEEN)


def test_each_box_near_its_threshold_is_a_suspect_with_its_track() -> None:
    context = context_of(track_of({0: 0.5}), loose=[found("bus", 0.4), found("bus", 0.9)])

    assert [(each.label, each.track) for each in named("low_confidence", context)] == [
        ("car", 7),
        ("bus", None),
    ]


def of_classes(*classes: tuple[str, float]) -> FrameContext:
    scores = tuple(ClassScore(label, 0, confidence) for label, confidence in classes)
    return FrameContext(Observation(frame(0.0), (), classes=scores))


def test_the_best_class_near_its_threshold_makes_the_whole_frame_suspect() -> None:
    [suspect] = named("low_confidence", of_classes(("cat", 0.5), ("dog", 0.45)))

    assert (suspect.label, suspect.p, suspect.box) == ("cat", 0.25, None)


@pytest.mark.parametrize(
    ("classes", "p"),
    [
        ([("cat", 0.5), ("dog", 0.5)], 0.5),
        ([("cat", 0.6), ("dog", 0.4)], 0.32),
        ([("cat", 0.95), ("dog", 0.05)], 0.0),
        ([("cat", 0.6)], 0.0),
        ([], 0.0),
    ],
)
def test_two_classes_with_nearly_the_same_confidence_have_a_low_margin(
    classes: list[tuple[str, float]], p: float
) -> None:
    assert highest("low_margin", of_classes(*classes)) == pytest.approx(p)


@pytest.mark.parametrize(
    ("before", "now", "after", "p"),
    [
        (0.8, 0.4, 0.8, 0.65 * NEAR_06),
        (0.8, 0.4, None, 0.65 * 0.7 * NEAR_06),
        (0.3, 0.4, 0.8, 0.65 * 0.7 * NEAR_06),
        (0.8, None, 0.8, 0.065),  # a gap is rarely a miss
        (0.3, 0.4, 0.3, 0.0),
        (0.8, 0.6, 0.8, 0.0),
        (0.8, 0.1, 0.8, 0.0),  # too far below
        (0.8, None, 0.3, 0.0),
        (0.8, None, None, 0.0),
    ],
)
def test_a_track_that_falls_below_its_threshold_is_a_flicker(
    before: Seen, now: Seen, after: Seen, p: float
) -> None:
    context = context_of(track_of({-1: before, 0: now, 1: after}))

    assert highest("flicker", context) == pytest.approx(p)


def test_a_gap_is_placed_between_its_neighbours_unless_another_box_is_there() -> None:
    a, b = Box(0, 0, 10, 10), Box(20, 0, 30, 10)
    gap = ContextTrack(3, {-1: found("car", 0.8, a), 1: found("car", 0.8, b)}, 4)
    there = found("person", 0.8, Box(11, 0, 21, 10))

    [suspect] = named("flicker", context_of(gap))

    assert (suspect.box, suspect.track) == (Box(10, 0, 20, 10), 3)
    assert named("flicker", context_of(gap, loose=[there])) == []


@pytest.mark.parametrize(
    ("before", "now", "after", "p"),
    [
        (0.3, 0.6, 0.3, 0.65 * NEAR_06),
        (0.3, 0.6, None, 0.65 * 0.7 * NEAR_06),
        (0.8, 0.6, 0.3, 0.65 * 0.7 * NEAR_06),
        (0.8, 0.6, 0.8, 0.0),
        (0.3, 0.4, 0.3, 0.0),
        (0.3, 0.95, 0.3, 0.0),  # too far above
    ],
)
def test_a_track_that_rises_above_its_threshold_is_isolated(
    before: Seen, now: Seen, after: Seen, p: float
) -> None:
    context = context_of(track_of({-1: before, 0: now, 1: after}))

    assert highest("isolated", context) == pytest.approx(p)


STEP_AWAY = found("car", 0.3, Box(30, 10, 40, 30))


@pytest.mark.parametrize(
    ("before", "after", "p"),
    [
        ([], [], 0.39),
        ([found("bus", 0.9)], [], 0.39),
        ([STEP_AWAY], [], 0.0),
        ([], [STEP_AWAY], 0.0),
        (None, [], 0.0),  # at a cut nothing is known of the frame before
        ([], None, 0.0),
    ],
)
def test_a_box_that_no_frame_beside_it_has_is_isolated_at_any_confidence(
    before: list[Detection] | None, after: list[Detection] | None, p: float
) -> None:
    context = context_of(track_of({0: 0.95}, frames=1), before=before, after=after)

    assert highest("isolated", context) == pytest.approx(p)


CAR, BUS, FAINT_BUS = ("car", 0.8), ("bus", 0.8), ("bus", 0.4)


@pytest.mark.parametrize(
    ("seen", "p"),
    [
        ({-1: CAR, 0: BUS, 1: CAR}, 0.5),
        ({-1: CAR, 0: BUS, 1: BUS}, 0.35),
        ({-2: CAR, 0: BUS, 3: CAR}, 0.5),
        ({-1: CAR, 0: CAR, 1: BUS}, 0.0),
        ({-1: CAR, 0: BUS}, 0.0),
        ({-1: CAR, 0: FAINT_BUS, 1: CAR}, 0.0),
        ({-2: BUS, -1: ("car", 0.3), 0: BUS, 1: BUS}, 0.0),
    ],
)
def test_a_track_with_two_labels_is_a_class_flip(seen: dict[int, Seen], p: float) -> None:
    assert highest("class_flip", context_of(track_of(seen))) == pytest.approx(p)


@pytest.mark.parametrize(
    ("seen", "frames", "p"),
    [
        ({-2: 0.4, -1: 0.4, 0: 0.4}, 3, 0.12 * NEAR_06),
        ({-1: 0.5 - 1e-9, 0: 0.4}, 9, 0.12 * (1 + NEAR_06) / 2),
        ({-1: 0.4, 0: 0.4}, 2, 0.0),  # too short
        ({-1: 0.6, 0: 0.4, 1: 0.4}, 3, 0.0),  # it reached its threshold
        ({-1: 0.4, 1: 0.4}, 3, 0.0),
        ({-1: 0.15, 0: 0.15, 1: 0.15}, 3, 0.0),
    ],
)
def test_a_track_that_stays_below_its_threshold_is_weak(
    seen: dict[int, Seen], frames: int, p: float
) -> None:
    context = context_of(track_of(seen, frames=frames))

    assert highest("weak_track", context) == pytest.approx(p)


def test_the_least_length_of_a_weak_track_is_an_option() -> None:
    context = context_of(track_of({-1: 0.4, 0: 0.4}, frames=6))

    assert len(named("weak_track", context, least_frames=6)) == 1
    assert named("weak_track", context, least_frames=7) == []


HALF_OVER = Box(10, 10, 20, 50)  # has an IoU of 0.5 with SEEN


@pytest.mark.parametrize(
    ("boxes", "p"),
    [
        ([found("car", 0.8), found("bus", 0.8)], 0.35),
        ([found("car", 0.6), found("bus", 0.5)], 0.35 * math.exp(-math.log(1.5))),
        ([found("car", 0.8), found("car", 0.7)], 0.0),
        ([found("car", 0.8), found("bus", 0.8, HALF_OVER)], 0.0),
        ([found("car", 0.49), found("bus", 0.49)], 0.0),
        ([found("car", 0.8), found("bus", 0.2)], 0.0),
        ([found("car", 0.8)], 0.0),
    ],
)
def test_two_labels_in_the_same_place_clash(boxes: list[Detection], p: float) -> None:
    assert highest("clash", context_of(loose=boxes)) == pytest.approx(p)


def test_of_two_labels_that_clash_the_less_confident_is_the_suspect() -> None:
    [suspect] = named("clash", context_of(loose=[found("car", 0.6), found("bus", 0.5)]))

    assert suspect.label == "bus"
    assert suspect.reason == "is at the same place as car"


def crowd(size: int) -> list[Detection]:
    return [found("car", 0.9, Box(90 * n, 50, 90 * n + 60, 200)) for n in range(size)]


@pytest.mark.parametrize(
    ("usual", "then", "p"), [(1, 8, 0.15), (8, 1, 0.15), (1, 3, 0.06), (1, 2, 0.0), (3, 2, 0.0)]
)
def test_a_sudden_change_of_the_count_makes_the_frame_suspect(
    usual: int, then: int, p: float
) -> None:
    [rule] = make_rules(["count_change"], HALF)
    contexts = [
        FrameContext(Observation(frame(n / 5), tuple(crowd(usual if n < 50 else then))))
        for n in range(51)
    ]
    before, last = [list(rule.suspects(each)) for each in contexts[:-1]], contexts[-1]

    assert not any(before)
    assert max((s.p for s in rule.suspects(last)), default=0.0) == pytest.approx(p)


def with_motion(rows: slice, columns: slice, box: Box | None = None) -> FrameContext:
    """Return a context in which these of 90 x 160 cells move; the image has 4 x 6 pixels."""
    moving = np.zeros((90, 160), np.bool_)
    moving[rows, columns] = True
    shown = () if box is None else (found("car", 0.8, box),)
    return FrameContext(Observation(frame(0.0), shown), moving=moving, is_timed=True)


@pytest.mark.parametrize(
    ("rows", "columns", "p"),
    [
        (slice(0, 30), slice(0, 30), 0.15),  # 6.25 % of the image
        (slice(0, 18), slice(0, 24), 0.15 * 0.03 / 0.06),
        (slice(0, 5), slice(0, 5), 0.0),  # too small
        (slice(0, 60), slice(0, 100), 0.15),  # a large object
        (slice(0, 90), slice(0, 160), 0.0),  # the light changed
        (slice(0, 90), slice(0, 160, 9), 0.0),  # edges everywhere: the camera moves
        (slice(0, 40), slice(0, 160, 2), 0.0),  # specks: rain, snow and noise
    ],
)
def test_motion_without_a_box_makes_the_frame_suspect(
    rows: slice, columns: slice, p: float
) -> None:
    context = with_motion(rows, columns)

    assert highest("motion_without_detection", context) == pytest.approx(p)


@pytest.mark.parametrize(("confidence", "is_explained"), [(0.8, True), (0.4, True), (0.1, False)])
def test_motion_of_a_detected_object_is_explained(confidence: float, *, is_explained: bool) -> None:
    context = with_motion(slice(0, 30), slice(0, 30))
    box = found("car", confidence, Box(0, 0, 30 / 160 * 6, 30 / 90 * 4))
    shown = Observation(frame(0.0), (box,))
    context = FrameContext(shown, moving=context.moving, is_timed=True)

    assert (named("motion_without_detection", context) == []) is is_explained


def frames_with(label: str | None, count: int, every: int = 1) -> list[FrameContext]:
    """Return contexts of frames of which every nth shows an object of this label."""
    return [
        FrameContext(
            Observation(frame(n / 5), (found(label, 0.9),) if label and n % every == 0 else ())
        )
        for n in range(count)
    ]


@pytest.mark.parametrize(
    ("usual", "every", "count", "p"),
    [
        ("car", 1, 250, 0.3),  # the label was never seen
        ("bus", 100, 250, 0.3 * (1 - math.sqrt(3 / 250))),
        ("bus", 20, 250, 0.0),
        ("car", 1, 150, 0.0),  # too early to tell
    ],
)
def test_a_label_that_the_camera_hardly_ever_shows_is_rare(
    usual: str, every: int, count: int, p: float
) -> None:
    [rule] = make_rules(["rare_label"], HALF)
    for each in frames_with(usual, count, every):
        list(rule.suspects(each))
    context = FrameContext(Observation(frame(count / 5), (found("bus", 0.9), found("car", 0.3))))

    assert max((s.p for s in rule.suspects(context)), default=0.0) == pytest.approx(p, abs=1e-4)


def test_unusable_output_makes_the_frame_suspect_once_in_ten_seconds() -> None:
    rule = InvalidOutput()
    broken = [Observation(frame(at), (), invalid=True) for at in (0.0, 5.0, 14.0, 25.0)]
    events = [suspect for each in broken for suspect in rule.suspects(FrameContext(each))]

    assert {each.p for each in events} == {0.5}
    assert [each.track for each in events] == [1, 1, 1, 2]
    assert list(rule.suspects(FrameContext(Observation(frame(0.0), ())))) == []


def test_rules_are_made_by_name_in_the_given_order() -> None:
    made = make_rules(["low_confidence", "clash"], HALF)

    assert [rule.name for rule in made] == ["low_confidence", "clash"]
    assert all(0 < rule.prior <= 1 for rule in rules().values())


def hesitant_street(seed: int, frames: int = 60) -> Frames:
    """Return a street on which every object hovers around its threshold and its label."""
    draw = random.Random(seed)
    return [
        [
            Detection(draw.choice(["car", d.label, d.label]), 0, draw.uniform(0.1, 0.9), d.box)
            for d in each
        ]
        for each in clean_street(frames, seed)
    ]


@given(st.integers(0, 1000))
@settings(max_examples=15)
def test_no_suspect_exceeds_the_prior_of_its_rule(seed: int) -> None:
    everything = [each for frame in suspects(hesitant_street(seed)) for each in frame]

    assert {each.rule for each in everything} >= {"low_confidence", "flicker", "isolated"}
    for each in everything:
        assert LEAST_P <= each.p <= rule_class(each.rule).prior


@given(st.integers(0, 1000), st.floats(-2.0, 2.0))
@settings(max_examples=15)
def test_a_model_with_other_confidences_and_another_threshold_has_the_same_suspects(
    seed: int, logits: float
) -> None:
    """All confidences and the threshold move by the same distance in logits."""

    def moved(confidence: float) -> float:
        return 1 / (1 + math.exp(-math.log(confidence / (1 - confidence)) - logits))

    street = hesitant_street(seed)
    other = [[Detection(d.label, 0, moved(d.confidence), d.box) for d in each] for each in street]
    usual = suspects(street)
    found_there = suspects(other, thresholds=Thresholds(moved(0.5)))

    for mine, theirs in zip(usual, found_there, strict=True):
        assert [(s.rule, s.track, s.box) for s in mine] == [
            (s.rule, s.track, s.box) for s in theirs
        ]
        assert [s.p for s in mine] == pytest.approx([s.p for s in theirs])


def test_no_single_image_counts_for_the_next() -> None:
    plan = SelectionPlan(("low_confidence", "rare_label", "flicker"), HALF, "", is_random=False)
    rules_of_camera = CameraRules(plan)
    contexts = [
        *frames_with("bus", 250, 1),
        FrameContext(Observation(frame(50), (found("car", 0.6),))),
    ]
    alike = [CameraRules(plan).named(each) for each in contexts]

    assert [rules_of_camera.of_single_image().named(each) for each in contexts] == alike
    assert any(each.rule == "low_confidence" for each in alike[-1])
