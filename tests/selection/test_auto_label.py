"""Which of the frames that the model may label itself become captures."""

from dataclasses import replace
from typing import Any, cast

import pytest

from agent.domain import Lane, Observation, Surroundings
from agent.record.audit import AUDIT_ONE_IN, is_audited
from agent.selection.auto_gate import AutoRefusal
from agent.selection.budget.hint import SendHint
from agent.selection.selector import SelectionOutcome
from agent.selection.similarity import coarse
from tests.fakes.captures import capture_id
from tests.selection.auto_frames import MODEL, Device, feedback, objects, plan, seen

HOUR = 3600.0
CAR, PERSON = ("car", 0.92), ("person", 0.97)


def passing(frames: int = 40, *, also: tuple[tuple[str, float], ...] = ()) -> list[Observation]:
    """Return a car that is at another place each minute and half, and what is beside it."""
    return [seen(90.0 * n, *objects(CAR, *also, x=20.0 * n), look=n) for n in range(frames)]


def device(**changes: Any) -> Device:
    made = Device(plan(HOUR, **changes))
    made.selection.use(feedback())
    return made


def test_frames_that_show_new_objects_are_labelled_evenly_over_the_day() -> None:
    of = device().run(passing())

    assert 20 <= len(of.auto) <= 40  # four cells for each of ten credits
    assert len(of.sent_of(Lane.AUTO)) == 10
    assert {hit.name for each in of.auto for hit in each.rules} == {"auto_label"}
    assert all(each.value == pytest.approx(1.0) for each in of.auto)


@pytest.mark.parametrize("also", [(PERSON,), (("car", 0.6),), (("person", 0.45),)])
def test_a_frame_with_anything_that_is_not_trusted_is_left_out(
    also: tuple[tuple[str, float], ...],
) -> None:
    assert device().run(passing(also=also)).auto == []


def test_nothing_is_labelled_without_feedback_or_with_that_of_another_model() -> None:
    without = Device(plan(HOUR)).run(passing())
    other = device()
    other.selection.use(replace(feedback(), model_sha256="00" * 32))
    other.run(passing())

    for each in (without, other):
        assert each.auto == []
        assert each.selection.auto is not None
        assert each.selection.auto.refused[AutoRefusal.NO_FEEDBACK] == 40


def test_new_feedback_changes_the_trust_at_once() -> None:
    of = device()
    frames = passing()
    of.run(frames[:20])
    before = len(of.auto)
    of.selection.use(feedback({}))
    of.run(frames[20:])

    assert before
    assert len(of.auto) == before


def test_a_parked_car_is_labelled_once() -> None:
    of = device().run([seen(10.0 * n, *objects(CAR)) for n in range(60)])

    assert len(of.auto) == 1
    assert of.selection.auto is not None
    assert of.selection.auto.refused[AutoRefusal.SHOWN] > 40


def test_the_frame_with_the_most_new_objects_is_the_one_of_its_cell() -> None:
    """A cell of 90 s holds one frame of one car, then one of three, then one of two."""
    several = [(20.0, 1), (40.0, 3), (60.0, 2)]
    of = device().run([seen(at, *objects(*[CAR] * n), look=n) for at, n in several])

    assert [each.value for each in of.auto] == [pytest.approx(3.0)]


def test_what_another_lane_captured_is_no_new_object() -> None:
    of = device(random_interval=60.0, is_random=True)
    of.run([seen(10.0 * n, *objects(CAR)) for n in range(60)])

    assert any(each.lane is Lane.RANDOM for each in of.captures.values())
    assert len(of.auto) <= 1


def test_the_score_lane_captures_and_buys_the_same_with_and_without_auto_labels() -> None:
    frames = passing(20) + [
        seen(1800.0 + 30 * n, *objects(("car", 0.5), x=20.0 * n), look=n) for n in range(40)
    ]
    ways = [device(per_day=8, auto_per_day=of).run(frames) for of in (0, 10)]
    purchased = [[of.captures[one] for one in of.sent_of(Lane.SCORE)] for of in ways]

    assert [bool(of.auto) for of in ways] == [False, True]
    assert [len(of.sent_of(Lane.AUTO)) for of in ways] == [0, 10]
    assert len(purchased[0]) == 8
    assert [[each.observation.frame.at for each in one] for one in purchased] == [
        [each.observation.frame.at for each in purchased[0]]
    ] * 2


def test_the_evaluation_says_why_the_model_does_not_label_a_frame() -> None:
    of = device().run([seen(10.0, *objects(CAR)), seen(20.0, *objects(PERSON)), seen(30.0)])

    assert [each.no_auto for each in of.evaluations] == [
        None,
        AutoRefusal.UNTRUSTED,
        AutoRefusal.EMPTY,
    ]
    assert of.evaluations[0].outcome is SelectionOutcome.AUTO_BEST_OF_CELL


def test_a_share_is_audited_whatever_the_capture_shows() -> None:
    ids = [capture_id(number, tag) for number in range(100) for tag in range(100)]
    share = sum(map(is_audited, ids)) / len(ids)

    assert share == pytest.approx(1 / AUDIT_ONE_IN, abs=0.01)
    assert [is_audited(one) for one in ids[:50]] == [is_audited(one) for one in ids[:50]]


def test_the_capture_says_whether_it_is_audited_and_what_it_rests_on() -> None:
    for each in device().run(passing()).auto:
        assert each.auto is not None
        assert each.auto.is_audited is is_audited(each.id)
        assert each.auto.precision == 0.98
        assert [one.label for one in each.auto.classes] == ["car"]
        assert each.observation.model == MODEL


@pytest.mark.parametrize("redact", [(), ("car",)])
def test_the_hint_of_an_auto_label_has_coarse_crops_of_redacted_labels(
    redact: tuple[str, ...],
) -> None:
    """The hint is what the spool writes."""
    for each in device(redact=redact).run(passing()).auto:
        for place in SendHint.from_text(each.hint).view.places:
            assert place.crop is not None
            assert (coarse(place.crop) == place.crop) is bool(redact)


def test_only_audits_keep_what_came_before_and_after_for_a_clip() -> None:
    frames = [replace(each, surroundings=cast(Surroundings, object())) for each in passing()]
    audited = next(n for n in range(10, 1000) if is_audited(capture_id(n)))
    of = Device(plan(HOUR), audited - 5)
    of.selection.use(feedback())
    auto = of.run(frames).auto
    kept = {each.id for each in auto if each.observation.surroundings is not None}

    assert kept == {each.id for each in auto if is_audited(each.id)}
    assert kept
