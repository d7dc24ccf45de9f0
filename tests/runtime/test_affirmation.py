"""Shown predictions that nobody contradicts: what drops them, and what becomes of the others."""

import pytest

from agent.domain import Lane, Verdict, VerdictKind
from agent.errors import RefusalKind, RequestRefused
from agent.record.verdicts import is_verdict, verdict_line
from agent.runtime.affirmation import (
    AFFIRMED,
    CONTRADICTED,
    DRAWN,
    LOST,
    MOST_CANDIDATES,
    REVIEWED,
    SHOWN,
)
from tests.fakes.clock import ManualClock
from tests.fakes.log import Recorder
from tests.runtime.screen import AFTER_S, Screen

AGAINST = [VerdictKind.WRONG, VerdictKind.MISSING, VerdictKind.UNUSABLE]


@pytest.fixture
def screen(clock: ManualClock, log: Recorder) -> Screen:
    return Screen(clock, log)


def test_what_nobody_contradicts_becomes_a_capture_with_its_probability(screen: Screen) -> None:
    entry = screen.see()
    assert screen.show(entry)
    screen.wait(AFTER_S + 1.9)  # 2 s of display, of which none has passed
    assert screen.made == []

    screen.wait(0.1)

    [capture] = screen.made
    assert (capture.lane, capture.value, capture.note) == (Lane.VERDICT, 0.0, "")
    assert [hit.name for hit in capture.rules] == ["unobjected"]
    assert capture.observation.frame.jpeg == entry.frame.jpeg
    verdict = capture.verdict
    assert verdict is not None
    assert verdict.verdict is VerdictKind.UNOBJECTED
    assert (verdict.capture, verdict.of, verdict.by) == (capture.id, "", "")
    assert (verdict.moment, verdict.at) == (entry.frame.captured_at, screen.clock.wall())
    assert verdict.inclusion_probability == 0.25
    line = screen.log.one("prediction affirmed")
    assert (line["capture"], line["inclusion_probability"]) == (capture.id, 0.25)
    assert screen.counts() == {DRAWN: 1, AFFIRMED: 1}
    assert screen.facts == []
    screen.wait()
    assert len(screen.made) == 1


def test_the_verdict_is_a_valid_line_of_a_record(screen: Screen) -> None:
    name = "01a22880-18b0-7756-b977-8c13312ae212"
    verdict = Verdict(
        VerdictKind.UNOBJECTED, "gate", 1.0, 2.0, capture=name, inclusion_probability=1.2e-5
    )

    assert is_verdict(verdict_line(verdict))


@pytest.mark.parametrize("kind", AGAINST)
@pytest.mark.parametrize("away", [-9.9, 0.0, 1.0, 11.9])
def test_a_verdict_against_the_display_drops_it(
    screen: Screen, kind: VerdictKind, away: float
) -> None:
    """The display lasts 2 s; who objects names the moment up to 10 s beside it."""
    entry = screen.see()
    screen.show(entry)
    screen.clock.now += 30
    screen.say(kind, entry.frame.captured_at + away)
    screen.wait()

    assert (screen.made, screen.facts) == ([], [])
    assert screen.counts() == {DRAWN: 1, CONTRADICTED: 1}


@pytest.mark.parametrize(("camera", "away"), [("yard", 0.0), ("gate", -10.1), ("gate", 12.1)])
def test_a_verdict_about_something_else_drops_nothing(
    screen: Screen, camera: str, away: float
) -> None:
    entry = screen.see()
    screen.show(entry)
    screen.clock.now += 30
    screen.say(VerdictKind.WRONG, entry.frame.captured_at + away, camera=camera)
    screen.wait()

    assert len(screen.made) == 1


@pytest.mark.parametrize("kind", AGAINST)
@pytest.mark.parametrize("field", ["capture", "of"])
def test_a_verdict_against_its_capture_drops_it(
    screen: Screen, kind: VerdictKind, field: str
) -> None:
    entry = screen.see()
    entry.capture = "stored"
    screen.show(entry)
    screen.say(kind, 0.0, **{field: "stored"})  # of a clock that was wrong
    screen.wait()

    assert (screen.made, screen.facts) == ([], [])
    assert screen.counts() == {DRAWN: 1, CONTRADICTED: 1}


def test_a_verdict_that_came_before_the_display_was_reported_counts(screen: Screen) -> None:
    """An application reports a display at its end."""
    entry = screen.see()
    screen.clock.now += 4
    screen.say(VerdictKind.WRONG, screen.clock.wall() - 1)
    screen.clock.now += 2
    screen.show(entry, 6.0)
    screen.wait()

    assert screen.made == []
    assert screen.counts() == {DRAWN: 1, CONTRADICTED: 1}


@pytest.mark.parametrize("step", [3600.0, -7200.0])
def test_a_step_of_the_clock_hides_no_verdict(screen: Screen, step: float) -> None:
    entry = screen.see()
    screen.show(entry)
    screen.clock.wall_offset += step
    screen.clock.now += 3
    screen.say(VerdictKind.MISSING, screen.clock.wall() - 2)
    screen.wait()

    assert screen.counts() == {DRAWN: 1, CONTRADICTED: 1}


@pytest.mark.parametrize("step", [3600.0, -7200.0])
def test_a_step_between_a_frame_and_its_verdict_hides_it_neither(
    screen: Screen, step: float
) -> None:
    entry = screen.see()
    screen.show(entry)
    screen.clock.now += 1
    other = screen.see()
    screen.clock.wall_offset += step
    screen.say(VerdictKind.MISSING, other.frame.captured_at)
    screen.wait()

    assert screen.counts() == {DRAWN: 1, CONTRADICTED: 1}


def test_a_person_s_right_is_a_review_and_no_affirmation_beside_it(screen: Screen) -> None:
    entry, other = screen.see(), None
    screen.show(entry)
    screen.clock.now += 1
    other = screen.see()
    screen.show(other)
    screen.say(VerdictKind.RIGHT, round(entry.frame.captured_at, 3))
    screen.wait()

    assert [capture.observation.frame.sequence for capture in screen.made] == [1]
    assert screen.counts() == {DRAWN: 2, REVIEWED: 1, AFFIRMED: 1}


def test_a_frame_that_is_a_capture_gets_a_fact_and_no_second_capture(screen: Screen) -> None:
    entry = screen.see()
    screen.show(entry)
    entry.capture = "stored"  # the rules judge it some frames later
    screen.wait()

    assert screen.made == []
    [fact] = screen.facts
    assert (fact.verdict, fact.capture) == (VerdictKind.UNOBJECTED, "stored")
    assert fact.inclusion_probability == 0.25
    assert screen.log.one("prediction affirmed")["capture"] == "stored"


def test_a_frame_whose_capture_was_evicted_gets_one_of_its_own(screen: Screen) -> None:
    entry = screen.see()
    entry.capture = "evicted"
    screen.show(entry)
    screen.wait()

    assert screen.facts == []
    assert len(screen.made) == 1


def test_what_is_shown_for_less_than_a_second_does_not_count(screen: Screen) -> None:
    entry = screen.see()
    assert not screen.show(entry, 0.5)
    assert screen.show(entry, 0.5)  # the same frame still
    assert screen.show(entry, 0.5)
    screen.clock.now += 1
    assert not screen.show(screen.see(), 0.99)
    screen.wait()

    assert len(screen.made) == 1
    assert screen.stats.total()[SHOWN] == 1


def test_a_frame_that_stays_on_the_screen_waits_from_its_end_on(screen: Screen) -> None:
    entry = screen.see()
    for _ in range(5):
        screen.clock.now += 1
        screen.show(entry, 1.0)
    screen.wait(AFTER_S - 0.1)
    assert screen.made == []

    screen.wait(0.1)

    assert len(screen.made) == 1
    assert screen.stats.total()[SHOWN] == 1


def test_a_second_viewer_who_is_behind_draws_nothing(screen: Screen) -> None:
    earlier = screen.see()
    screen.clock.now += 1
    later = screen.see()

    assert screen.show(later)
    assert not screen.show(earlier)
    assert screen.show(later)
    assert screen.stats.total()[SHOWN] == 1


def test_a_frame_without_a_whole_output_has_nothing_to_affirm(screen: Screen) -> None:
    assert not screen.show(screen.see(invalid=True))
    assert screen.stats.total()[SHOWN] == 0


def test_a_flood_of_reports_draws_one_frame_of_a_slot(clock: ManualClock, log: Recorder) -> None:
    screen = Screen(clock, log, slot=600.0)
    for _ in range(300):
        entry = screen.see()
        for _ in range(10):
            screen.show(entry, 3600.0)
        screen.clock.now += 0.2

    assert screen.stats.total()[DRAWN] <= 1
    assert screen.stats.total()[SHOWN] == 300


def test_the_frames_in_memory_are_bounded_and_what_is_lost_is_counted(screen: Screen) -> None:
    for _ in range(MOST_CANDIDATES + 6):
        screen.show(screen.see())
        screen.clock.now += 0.2
    screen.wait()

    assert len(screen.made) == MOST_CANDIDATES
    assert screen.counts() == {
        DRAWN: MOST_CANDIDATES + 6,
        AFFIRMED: MOST_CANDIDATES,
        LOST: 6,
    }


def test_a_frame_that_was_not_kept_is_lost_and_counted(screen: Screen) -> None:
    screen.show(screen.see(encode=False))
    screen.wait()

    assert screen.made == []
    assert screen.counts() == {DRAWN: 1, LOST: 1}


def test_a_stop_drops_what_may_still_be_contradicted(screen: Screen) -> None:
    screen.show(screen.see())
    screen.affirmations.close()
    screen.affirmations.close()
    screen.wait()

    assert screen.made == []
    assert screen.log.one("affirmations dropped")["dropped"] == 1
    assert screen.counts() == {DRAWN: 1, LOST: 1}


def test_a_capture_that_finds_no_room_is_made_later(screen: Screen) -> None:
    screen.show(screen.see())
    screen.refuses = True
    screen.wait()
    assert screen.made == []

    screen.refuses = False
    screen.wait(1.0)

    assert len(screen.made) == 1
    assert screen.counts() == {DRAWN: 1, AFFIRMED: 1}


@pytest.mark.parametrize("seconds", [0, -1, 3600.1, float("nan"), float("inf"), 10**400, True, "2"])
def test_other_durations_are_refused(screen: Screen, seconds: float) -> None:
    screen.see()

    with pytest.raises(RequestRefused, match="seconds: must be above 0 and at most 3600") as caught:
        screen.affirmations.shown("gate", 0.0, seconds=seconds)
    assert caught.value.kind is RefusalKind.INVALID
    assert len(str(caught.value)) < 200


def test_a_moment_or_camera_that_is_not_there_is_refused(screen: Screen) -> None:
    screen.see()
    for camera, at in (("roof", "-1s"), ("gate", "-60s"), ("gate", "noon")):
        with pytest.raises(RequestRefused):
            screen.affirmations.shown(camera, at, seconds=2)
