"""The whole selection: rules do not influence the random sample, and a restart changes nothing."""

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.domain import Capture, Lane, Observation, Thresholds
from agent.selection.device import Selection
from agent.selection.plan import SelectionPlan
from agent.selection.rules import RULE_NAMES
from tests.selection.grey_images import blurred, noisy, scene, with_object
from tests.selection.synthetic_street import THRESHOLDS, clean_street, observed

IMAGES = [scene(), scene(2), with_object(scene()), blurred(scene()), scene() // 20]
PLAN = SelectionPlan(RULE_NAMES, THRESHOLDS, "seed", per_day=100, random_interval=2.0)


def selection(plan: SelectionPlan) -> Selection:
    numbers = iter(range(10**9))
    return Selection(["street"], plan, new_id=lambda _: f"id{next(numbers)}")


def run(of: Selection, frames: Sequence[Observation]) -> list[Capture]:
    found = [c for each in frames for c in of.observe(each, each.frame.at)]
    return [*found, *of.finish(frames[-1].frame.at if frames else 0.0)]


def draws(captures: Sequence[Capture]) -> list[tuple[int, float]]:
    return [
        (c.observation.frame.sequence, c.sampling.weight)
        for c in captures
        if c.lane is Lane.RANDOM and c.sampling is not None
    ]


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=40, max_size=60),
    st.sampled_from([0, 1, 1000]),
    st.sampled_from([(), ("flicker",), RULE_NAMES]),
    st.integers(0, 7),
)
@settings(max_examples=15)
def test_random_draws_do_not_depend_on_images_rules_or_budget(
    shown: list[tuple[int, int]], per_day: int, rules: tuple[str, ...], every_nth: int
) -> None:
    street = clean_street(len(shown))
    frames = [observed(n, street[n] * many, IMAGES[image]) for n, (image, many) in enumerate(shown)]
    plan = replace(PLAN, per_day=per_day, rules=rules, every_nth=every_nth)
    plain = [observed(n, []) for n in range(len(shown))]

    assert draws(run(selection(plan), frames)) == draws(
        run(selection(replace(PLAN, rules=(), per_day=0)), plain)
    )


def busy(first: int, frames: int) -> list[Observation]:
    """Return observations with uncertain and flickering detections, and a rare bus."""
    draw = random.Random(5)
    street = clean_street(first + frames)
    found = []
    for n in range(first + frames):
        detections = [
            replace(d, confidence=draw.uniform(0.2, 0.95), label="bus" if n % 240 == 9 else d.label)
            for d in street[n]
        ]
        found.append(observed(n, detections))
    return found[first:]


def test_a_restarted_selection_gives_the_same_values() -> None:
    plan = replace(PLAN, random_interval=None, is_random=False)
    before, after = busy(0, 800), busy(800, 400)
    whole, first, second = selection(plan), selection(plan), selection(plan)
    run(whole, before)
    run(first, before)
    memory = first.memory(before[-1].frame.at)
    second.remember(memory.get, before[-1].frame.at)

    expected = [c for c in run(whole, after) if c.observation.frame.sequence > 810]
    found = [c for c in run(second, after) if c.observation.frame.sequence > 810]

    assert len(found) >= 3
    assert [c.observation.frame.sequence for c in found] == [
        c.observation.frame.sequence for c in expected
    ]
    assert [c.value for c in found] == pytest.approx([c.value for c in expected], abs=0.02)


def test_an_unreadable_state_starts_empty() -> None:
    fresh = selection(PLAN)
    fresh.remember(lambda _: "unreadable", 0.0)

    assert run(fresh, busy(0, 100))


def same_view(number: int, confidence: float) -> Observation:
    street = clean_street(1)[0]
    return observed(
        number,
        [replace(d, confidence=confidence) for d in street],
        noisy(scene(), number, 1.0),
    )


@pytest.mark.parametrize(("first", "then"), [(0.4, 0.45), (0.45, 0.4)])
def test_of_two_near_duplicates_the_better_is_kept(first: float, then: float) -> None:
    plan = replace(PLAN, rules=("low_confidence",), is_random=False)
    certain = [same_view(n, 0.9) for n in range(1, 50)]
    frames = [same_view(0, first), *certain, same_view(50, then)]
    captures = run(selection(plan), frames)

    if then > first:
        assert [c.replaces for c in captures] == [None, captures[0].id]
    else:
        assert [c.observation.frame.sequence for c in captures] == [0]


def test_random_captures_are_not_compared_with_others() -> None:
    chance = replace(PLAN, rules=("low_confidence",), random_interval=0.2)
    found = run(selection(chance), [same_view(n, 0.3) for n in range(60)])

    assert {c.lane for c in found} <= {Lane.RANDOM, Lane.SCORE}
    assert all(c.replaces is None and c.fingerprint is None for c in found if c.lane is Lane.RANDOM)


def test_dark_frames_have_a_pool_of_their_own() -> None:
    """Its size is a twentieth of that of the main pool."""
    plan = SelectionPlan(("low_confidence",), Thresholds(0.5, floor=0.05), "seed", per_day=10)
    street = [replace(d, confidence=0.45) for d in clean_street(1)[0]]
    night = [
        observed(n * 15, street, noisy(scene(n) // 16, n, 0.5)) for n in range(60)
    ]  # 3 s apart: each is a burst of its own
    found = run(selection(replace(plan, is_random=False)), night)

    assert all(c.is_degraded for c in found)
    assert 1 <= len(found) <= 8
