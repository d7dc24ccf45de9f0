"""What a person reads while a pool is analysed."""

import io

from agent.cli.pool_progress import Rate, analysis_shown, facts_of
from agent.pool.engine import AnalysisProgress
from tests.fakes.clock import ManualClock


def at(done: int, images: int | None = None, *, unreadable: int = 0) -> AnalysisProgress:
    return AnalysisProgress(done, 10_000, done if images is None else images, unreadable)


def test_the_rate_is_that_of_this_run_and_of_its_last_minute() -> None:
    rate = Rate()
    rate.add(-30.0, at(3999))  # of former runs
    rate.add(0.0, at(4000))  # the models are loaded
    rate.add(10.0, at(4300))
    assert facts_of(at(4300), rate) == "30.0 images a second, about 3 min left"

    for second in range(11, 200):
        rate.add(float(second), at(4300 + 2 * second))
    assert round(rate.images, 1) == 2.0


def test_a_recording_has_a_rate_before_its_end() -> None:
    rate = Rate()
    rate.add(0.0, at(0, 0))
    rate.add(1.0, at(0, 20))
    rate.add(5.0, at(0, 100, unreadable=2))
    assert facts_of(at(0, 100, unreadable=2), rate) == "20.0 images a second, 2 unreadable"


def test_a_second_analysis_has_a_rate_of_its_own() -> None:
    """As that of `--after`, which begins with none done."""
    rate = Rate()
    rate.add(0.0, at(0))
    rate.add(10.0, at(300))
    rate.add(11.0, at(0))
    assert facts_of(at(0), rate) == ""

    rate.add(12.0, at(10))
    rate.add(14.0, at(50))
    assert round(rate.images, 1) == 20.0


def test_no_rate_is_told_before_there_is_one() -> None:
    rate = Rate()
    rate.add(3.0, at(10))
    assert facts_of(at(10), rate) == ""


def test_without_a_terminal_there_is_a_line_now_and_then() -> None:
    clock = ManualClock()
    screen = io.StringIO()
    with analysis_shown("analysing", screen=screen, clock=clock) as told:
        told(AnalysisProgress(0, 10_000, 0, 0, ("a part is \x1b damaged",)))
        for second in range(25):
            clock.now += 1
            told(at(20 * (second + 1), unreadable=1))

    assert screen.getvalue().splitlines() == [
        "a part is \\x1b damaged",
        "analysing: 200 of 10,000 items, 20.0 images a second, about 8 min left, 1 unreadable",
        "analysing: 400 of 10,000 items, 20.0 images a second, about 8 min left, 1 unreadable",
    ]


def test_a_line_without_facts_ends_with_the_items() -> None:
    clock = ManualClock()
    screen = io.StringIO()
    with analysis_shown("analysing", screen=screen, clock=clock) as told:
        clock.now += 20
        told(at(0))

    assert screen.getvalue() == "analysing: 0 of 10,000 items\n"
