"""Which lane captures a frame, and the rules that the capture names."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.domain import Capture, Lane, Observation, Task, Thresholds
from agent.selection.frame_context import FrameContext
from agent.selection.random_lane import RandomLane
from agent.selection.rules import Rule
from agent.selection.rules.confidence import LowConfidence
from agent.selection.selector import (
    CameraPolicy,
    Cooldown,
    FrameEvaluation,
    SelectionOutcome,
    Selector,
)
from tests.fakes.captures import frame, observation

NO_RANDOM = 1e12  # seconds between random captures
UNSURE = 0.3  # confidence; scores 0.5 with a threshold of 0.5 and a floor of 0.1


@dataclass(slots=True)
class Counting:
    """A rule that fires for two or more detections, and counts its calls."""

    name: ClassVar[str] = "crowd"
    tasks: ClassVar[tuple[Task, ...]] = (Task.DETECT,)
    weight: ClassVar[float] = 0.5
    is_temporal: ClassVar[bool] = False
    calls: int = 0

    def score(self, context: FrameContext) -> float:
        self.calls += 1
        return float(len(context.observation.detections) > 1)


def selector(
    *,
    interval: float = NO_RANDOM,
    every_nth: int = 0,
    rules: Sequence[Rule] | None = None,
    explain: Callable[[FrameEvaluation], None] | None = None,
) -> Selector:
    if rules is None:
        rules = [LowConfidence(Thresholds(0.5, floor=0.1))]
    return Selector(
        RandomLane(interval, "gate"),
        rules,
        new_id=lambda _: "one",
        policy=CameraPolicy(every_nth=every_nth, cooldown_s=10.0),
        explain=explain,
    )


def captures(of: Selector, observations: Sequence[Observation]) -> list[Capture]:
    return [capture for each in observations for capture in of.observe(each, each.frame.at)]


def names(capture: Capture) -> list[str]:
    return [hit.name for hit in capture.rules]


def test_an_uncertain_detection_is_captured_with_its_score_and_value() -> None:
    (capture,) = selector().observe(observation(0.0, UNSURE), 0.0)

    assert capture.lane is Lane.SCORE
    assert names(capture) == ["low_confidence"]
    assert capture.rules[0].score == pytest.approx(0.5)
    assert capture.value == pytest.approx(0.4 * 0.5)
    assert capture.sampling is None


@pytest.mark.parametrize("confidences", [(), (0.9,), (0.05,)])
def test_a_frame_without_an_uncertain_detection_is_not_captured(
    confidences: tuple[float, ...],
) -> None:
    assert selector().observe(observation(0.0, *confidences), 0.0) == []


def test_each_nth_frame_is_captured_whatever_it_shows() -> None:
    found = captures(selector(every_nth=4), [observation(float(at)) for at in range(1, 13)])

    assert [capture.observation.frame.at for capture in found] == [4.0, 8.0, 12.0]
    assert {capture.lane for capture in found} == {Lane.INTERVAL}
    assert [names(capture) for capture in found] == [["every_nth"]] * 3
    assert [capture.value for capture in found] == [0.0] * 3


def test_lanes_are_tried_in_the_order_random_interval_score() -> None:
    found = captures(
        selector(interval=1.0, every_nth=2),
        [observation(step / 8, UNSURE) for step in range(400)],
    )
    by_lane = {lane: [c for c in found if c.lane is lane] for lane in Lane}

    assert len(by_lane[Lane.RANDOM]) >= 30
    for capture in by_lane[Lane.RANDOM]:
        assert names(capture)[0] == "random_interval"
        assert names(capture)[-1] == "low_confidence"
        assert capture.sampling is not None
    assert any("every_nth" in names(capture) for capture in by_lane[Lane.RANDOM])
    assert {tuple(names(c)) for c in by_lane[Lane.INTERVAL]} == {("every_nth", "low_confidence")}
    assert len(by_lane[Lane.SCORE]) in (4, 5)  # of 50 s, with 10 s between
    assert len({capture.observation.frame.at for capture in found}) == len(found)


@given(st.lists(st.lists(st.floats(0.0, 1.0), max_size=3), min_size=80, max_size=80))
@settings(max_examples=30, deadline=None)
def test_random_draws_do_not_depend_on_what_the_frames_show(shown: list[list[float]]) -> None:
    plain = selector(interval=1.0, rules=[])
    busy = selector(interval=1.0, every_nth=3)

    def draws(of: Selector, seen: list[list[float]]) -> list[float]:
        found = captures(of, [observation(i / 8, *each) for i, each in enumerate(seen)])
        return [c.observation.frame.at for c in found if c.lane is Lane.RANDOM]

    assert draws(busy, shown) == draws(plain, [[]] * len(shown))


def test_a_rule_cools_down_after_a_capture() -> None:
    found = captures(selector(), [observation(at / 2, UNSURE) for at in range(50)])

    assert [capture.observation.frame.at for capture in found] == [0.0, 10.0, 20.0]


def test_the_cooldown_of_a_rule_does_not_stop_another_rule() -> None:
    rules: list[Rule] = [LowConfidence(Thresholds(0.5, floor=0.1)), Counting()]
    found = captures(
        selector(rules=rules), [observation(0.0, UNSURE), observation(1.0, 0.9, UNSURE)]
    )

    assert [names(capture) for capture in found] == [
        ["low_confidence"],
        ["crowd", "low_confidence"],
    ]
    assert found[1].value == pytest.approx(1 - (1 - 0.2) * (1 - 0.5), abs=0.001)


def test_each_rule_scores_each_frame_whichever_lane_captures_it() -> None:
    rule = Counting()
    captures(
        selector(interval=1.0, every_nth=2, rules=[rule]),
        [observation(step / 8) for step in range(100)],
    )

    assert rule.calls == 100


def test_a_frame_without_detections_can_be_captured() -> None:
    (capture,) = selector(every_nth=1, rules=[]).observe(Observation(frame(0.0), ()), 0.0)

    assert capture.observation.detections == ()


@pytest.mark.parametrize("lane", Lane)
def test_each_lane_has_an_outcome(lane: Lane) -> None:
    assert SelectionOutcome(lane).value == lane.value


def test_the_explanation_of_a_cooldown_names_its_length() -> None:
    found: list[FrameEvaluation] = []
    of = selector(explain=found.append)
    captures(of, [observation(at, UNSURE) for at in (0.0, 1.0)])

    assert [each.text for each in found] == ["score", "rule is cooling down (10 s)"]


def test_a_cooldown_of_zero_never_pauses_a_rule() -> None:
    cooldown = Cooldown(0.0)
    cooldown.start(["a"], 5.0)

    assert cooldown.ready("a", 5.0)


def test_a_cooldown_ends_on_time_and_when_the_clock_starts_again() -> None:
    cooldown = Cooldown(10.0)
    cooldown.start(["a"], 100.0)

    assert [cooldown.ready("a", at) for at in (100.0, 109.9, 110.0, 3.0)] == [
        False,
        False,
        True,
        True,
    ]
    assert cooldown.ready("b", 100.0)
