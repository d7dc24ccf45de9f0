"""The whole selection: rules do not influence the random sample, and a restart changes nothing."""

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.domain import Capture, Grey, Lane, Observation
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
    plan = replace(PLAN, random_interval=None, is_random=False, per_day=10_000)
    before, after = busy(0, 800), busy(800, 400)
    whole, first, second = selection(plan), selection(plan), selection(plan)
    run(whole, before)
    run(first, before)
    second.remember(first.memory().get, "boot")

    expected = [c for c in run(whole, after) if c.observation.frame.sequence > 810]
    found = [c for c in run(second, after) if c.observation.frame.sequence > 810]

    assert len(found) >= 3
    assert {hit.name for c in found for hit in c.rules} >= {"rare_label", "flicker"}
    assert [(c.observation.frame.sequence, [hit.name for hit in c.rules]) for c in found] == [
        (c.observation.frame.sequence, [hit.name for hit in c.rules]) for c in expected
    ]
    assert [c.value for c in found] == pytest.approx([c.value for c in expected], abs=0.001)


def test_an_unreadable_state_starts_empty() -> None:
    fresh = selection(PLAN)
    fresh.remember(lambda _: "unreadable", "boot")

    assert run(fresh, busy(0, 100))


DAY_LONG = replace(PLAN, rules=("low_confidence",), is_random=False, min_value=0.0)


def doubtful(number: int, confidence: float, image: Grey | None = None) -> Observation:
    """Return a street that the model doubts, three seconds after the one before."""
    street = [replace(d, confidence=confidence) for d in clean_street(1)[0]]
    return observed(number * 15, street, image)


@pytest.mark.parametrize("best", [0, 7, 19])
def test_of_a_cell_of_time_the_frame_with_the_highest_value_is_captured(best: int) -> None:
    frames = [doubtful(n, 0.48 if n == best else 0.4 - n / 1000) for n in range(20)]
    found = run(selection(DAY_LONG), frames)

    replaced = {c.replaces for c in found}

    assert [c.observation.frame.sequence for c in found if c.id not in replaced] == [best * 15]


def test_random_captures_replace_nothing_and_are_replaced_by_nothing() -> None:
    of = selection(replace(DAY_LONG, is_random=True, random_interval=10.0))
    found = run(of, [doubtful(n, 0.3 + n / 1000) for n in range(100)])
    drawn = {c.id for c in found if c.lane is Lane.RANDOM}

    assert len(drawn) >= 25
    assert all(c.replaces is None for c in found if c.lane is Lane.RANDOM)
    assert not drawn & {c.replaces for c in found}


def test_dark_frames_have_cells_of_their_own() -> None:
    """A night of high values does not keep the best frame of the day from being captured."""
    frames = [
        doubtful(n, 0.48, noisy(scene(n) // 16, n, 0.5))
        if n % 2
        else doubtful(n, 0.4, noisy(scene(), n, 1.0))
        for n in range(20)
    ]
    found = run(selection(DAY_LONG), frames)

    assert sorted(c.is_degraded for c in found) == [False, True]


def test_frozen_and_covered_images_are_not_captured() -> None:
    usual = [doubtful(n, 0.9, noisy(scene(), n, 1.0)) for n in range(40)]
    flat = scene() * 0 + 90
    covered = [doubtful(n, 0.48, noisy(flat, n, 0.5)) for n in range(40, 60)]
    frozen = [doubtful(n, 0.48, noisy(scene(), 39, 1.0)) for n in range(60, 80)]
    found = run(selection(DAY_LONG), [*usual, *covered, *frozen])

    assert all(c.observation.frame.sequence <= 60 * 15 for c in found)


def test_cameras_share_the_cells_of_time() -> None:
    numbers = iter(range(100))
    of = Selection(["gate", "yard"], DAY_LONG, new_id=lambda _: f"id{next(numbers)}")
    frames = [
        replace(each, frame=replace(each.frame, camera=camera))
        for n in range(10)
        for camera, each in (
            ("gate", doubtful(n, 0.4)),
            ("yard", doubtful(n, 0.49 if n == 4 else 0.3)),
        )
    ]
    [best] = run(of, frames)

    assert (best.observation.frame.camera, best.observation.frame.sequence) == ("yard", 60)


def test_a_request_may_name_a_camera_or_all() -> None:
    numbers = iter(range(100))
    of = Selection(["gate", "yard"], DAY_LONG, new_id=lambda _: f"id{next(numbers)}")
    of.request({"yard": "asked"})
    of.request()
    frames = [
        replace(each, frame=replace(each.frame, camera=camera))
        for each in (doubtful(n, 0.95) for n in range(4))
        for camera in ("gate", "yard")
    ]
    found = run(of, frames)

    assert sorted(c.observation.frame.camera for c in found) == ["gate", "yard", "yard"]
    assert [c.observation.frame.camera for c in found if c.id == "asked"] == ["yard"]
    assert {c.lane for c in found} == {Lane.REQUESTED}
