"""Which lane captures a frame, and the rules and suspects that the capture names."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.domain import Box, Capture, Detection, Lane, Observation, Thresholds
from agent.selection.cover import UNSEEN, Cover
from agent.selection.plan import SelectionPlan
from agent.selection.selector import FrameEvaluation, SelectionOutcome, Selector, Shared
from agent.selection.suspects import MOST_NAMED
from tests.fakes.captures import frame, observation
from tests.search import examples

NO_RANDOM = 1e12  # seconds between random captures
UNSURE = 0.5  # confidence at the threshold
PLAN = SelectionPlan(("low_confidence", "clash"), Thresholds(0.5), "gate", min_value=0.1)


def selector(
    *,
    interval: float = NO_RANDOM,
    plan: SelectionPlan = PLAN,
    explain: Callable[[FrameEvaluation], None] | None = None,
) -> Selector:
    """Return the selector of a camera without a budget: what it captures is delivered."""
    return Selector(
        plan,
        interval=interval,
        shared=Shared(Cover()),
        new_id=lambda at: f"at {at:.3f}",
        explain=explain,
    )


def captures(of: Selector, observations: Sequence[Observation]) -> list[Capture]:
    return [capture for each in observations for capture in of.observe(each, each.frame.at)]


def names(capture: Capture) -> list[str]:
    return [hit.name for hit in capture.rules]


def test_an_uncertain_detection_is_captured_with_its_suspect_and_value() -> None:
    (capture,) = selector().observe(observation(0.0, UNSURE), 0.0)
    [suspect] = capture.suspects

    assert capture.lane is Lane.SCORE
    assert names(capture) == ["low_confidence"]
    assert capture.rules[0].score == suspect.p == 0.25
    assert capture.value == pytest.approx(0.25 + UNSEEN)
    assert capture.sampling is None


def test_a_frame_is_worth_the_sum_of_its_suspects() -> None:
    boxes = tuple(Detection("car", 0, UNSURE, Box(n, 0, n + 1, 1)) for n in range(6))
    (capture,) = selector().observe(Observation(frame(0.0), boxes), 0.0)

    assert capture.value == pytest.approx(6 * 0.25 + UNSEEN)


@pytest.mark.parametrize("confidences", [(), (0.95,), (0.05,), (0.25,)])
def test_a_frame_without_a_suspect_of_value_is_not_captured(confidences: tuple[float, ...]) -> None:
    assert selector().observe(observation(0.0, *confidences), 0.0) == []


def test_without_a_budget_the_same_image_is_captured_once() -> None:
    grey_less = [observation(at / 5, UNSURE) for at in range(50)]
    tracked = SelectionPlan(("low_confidence", "flicker"), Thresholds(0.5), "gate", min_value=0.1)
    of = selector(plan=tracked)

    assert len([*captures(of, grey_less), *of.finish(10.0)]) == 1


def test_each_nth_frame_is_captured_whatever_it_shows() -> None:
    of = selector(plan=replace(PLAN, every_nth=4))
    found = captures(of, [observation(float(at)) for at in range(1, 13)])

    assert [capture.observation.frame.at for capture in found] == [4.0, 8.0, 12.0]
    assert {capture.lane for capture in found} == {Lane.INTERVAL}
    assert [names(capture) for capture in found] == [["every_nth"]] * 3


def test_a_request_captures_the_next_frame_once() -> None:
    of = selector()
    of.request()
    found = captures(of, [observation(float(at)) for at in range(3)])

    assert [(c.observation.frame.at, c.lane, names(c)) for c in found] == [
        (0.0, Lane.REQUESTED, ["requested"])
    ]


def test_lanes_are_tried_in_the_order_random_interval_requested_score() -> None:
    of = selector(interval=1.0, plan=replace(PLAN, every_nth=2))
    of.request()
    found = captures(of, [observation(step / 8, UNSURE) for step in range(400)])
    by_lane = {lane: [c for c in found if c.lane is lane] for lane in Lane}

    assert len(by_lane[Lane.RANDOM]) >= 30
    for capture in by_lane[Lane.RANDOM]:
        assert names(capture)[0] == "random_interval"
        assert names(capture)[-1] == "low_confidence"
        assert capture.sampling is not None
    assert any("every_nth" in names(capture) for capture in by_lane[Lane.RANDOM])
    assert {tuple(names(c)) for c in by_lane[Lane.INTERVAL]} == {("every_nth", "low_confidence")}
    assert [names(c) for c in by_lane[Lane.REQUESTED]] == [["requested", "low_confidence"]]
    assert len({capture.observation.frame.at for capture in found}) == len(found)


@given(st.lists(st.lists(st.floats(0.0, 1.0), max_size=3), min_size=80, max_size=80))
@settings(max_examples=examples(30), deadline=None)
def test_random_draws_do_not_depend_on_what_the_frames_show(shown: list[list[float]]) -> None:
    plain = selector(interval=1.0, plan=replace(PLAN, rules=()))
    busy = selector(interval=1.0, plan=replace(PLAN, every_nth=3))

    def draws(of: Selector, seen: list[list[float]]) -> list[float]:
        found = captures(of, [observation(i / 8, *each) for i, each in enumerate(seen)])
        return [c.observation.frame.at for c in found if c.lane is Lane.RANDOM]

    assert draws(busy, shown) == draws(plain, [[]] * len(shown))


def test_a_capture_names_every_rule_and_counts_each_place_once() -> None:
    two = (
        Detection("car", 0, 0.5, Box(0, 0, 2, 2)),
        Detection("bus", 1, 0.5, Box(0, 0, 2, 2)),
    )
    (capture,) = selector().observe(Observation(frame(0.0), two), 0.0)

    assert names(capture) == ["clash", "low_confidence"]
    assert [(s.rule, s.p) for s in capture.suspects] == [
        ("clash", 0.35),
        ("low_confidence", 0.25),
        ("low_confidence", 0.25),
    ]
    assert capture.value == pytest.approx(0.35 + UNSEEN)


def test_a_record_names_a_bounded_number_of_suspects() -> None:
    boxes = tuple(Detection("car", 0, UNSURE, Box(n, 0, n + 1, 1)) for n in range(300))
    (capture,) = selector().observe(Observation(frame(0.0), boxes), 0.0)

    assert len(capture.suspects) == MOST_NAMED


def test_a_frame_without_detections_can_be_captured() -> None:
    of = selector(plan=replace(PLAN, every_nth=1, rules=()))
    (capture,) = of.observe(Observation(frame(0.0), ()), 0.0)

    assert capture.observation.detections == ()
    assert capture.suspects == ()


@pytest.mark.parametrize("lane", Lane)
def test_each_lane_has_an_outcome(lane: Lane) -> None:
    assert SelectionOutcome(lane).value == lane.value


@pytest.mark.parametrize(
    ("confidences", "outcome", "value"),
    [
        ((UNSURE,), SelectionOutcome.SCORE, 0.25 + UNSEEN),
        ((0.25,), SelectionOutcome.LOW_VALUE, 0.0931),
        ((), SelectionOutcome.NO_SUSPECT, 0.0),
    ],
)
def test_each_frame_is_explained_with_its_value(
    confidences: tuple[float, ...], outcome: SelectionOutcome, value: float
) -> None:
    found: list[FrameEvaluation] = []
    captures(selector(explain=found.append), [observation(0.0, *confidences)])
    [evaluation] = found

    assert evaluation.outcome is outcome
    assert evaluation.value == pytest.approx(value, abs=0.001)
    assert evaluation.cutoff == PLAN.min_value
