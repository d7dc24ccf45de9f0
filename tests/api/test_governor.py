"""The API's share of the processor."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.web.executor import CallThreads
from agent.web.governor import LONGEST_S, GovernedSelector, Governor
from tests.limits import LIMIT_S

SHARE = 0.2


@given(st.lists(st.tuples(st.floats(0, 0.3), st.floats(0, 0.3)), max_size=200))
def test_the_share_is_never_exceeded_for_long(turns: list[tuple[float, float]]) -> None:
    """Whatever the turns use: their time is earned, saved, or slept for."""
    governor, now, in_all, most = Governor(SHARE), 0.0, 0.0, 0.0
    governor.due(now)
    for idle, used in turns:
        now += idle + used
        governor.used(used)
        in_all += used
        most = max(most, used)
        pause = governor.due(now)
        assert 0 <= pause <= LONGEST_S
        now += pause
    while (pause := governor.due(now)) > 0:
        now += max(pause, 1e-6)
    assert in_all <= SHARE * (now + 1) + most + 1e-6


def after(governor: Governor, seconds: float, used: float) -> float:
    governor.used(used)
    return governor.due(seconds)


def test_a_quiet_api_never_sleeps() -> None:
    governor = Governor(SHARE)

    assert [after(governor, second, 0.1) for second in range(100)] == [0.0] * 100
    assert governor.paused_s == 0.0


def test_the_first_calls_of_a_page_are_not_slowed() -> None:
    governor = Governor(SHARE)
    governor.due(0.0)

    assert after(governor, 0.15, 0.15) == 0.0
    assert after(governor, 0.5, 0.35) > 0.0


def test_each_turn_of_the_loop_passes_the_governor(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(Governor, "due", lambda *_: 0.1)

    with GovernedSelector(Governor(SHARE), pauses.append) as selector:
        selector.select(0)
        selector.select(0)

    assert pauses == [0.1, 0.1]


def test_a_turn_counts_as_long_as_it_lasted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two readings of the clock in the first turn, and three in each further one."""
    used: list[float] = []
    times = iter((1.0, 1.5, 1.75, 1.75, 4.0, 4.5, 4.5, 9.0))
    clock = SimpleNamespace(monotonic=lambda: next(times))
    monkeypatch.setattr("agent.web.governor.time", clock)  # not the clock of other threads
    monkeypatch.setattr(Governor, "used", lambda _, seconds: used.append(seconds))

    with GovernedSelector(Governor(SHARE), lambda _: None) as selector:
        selector.counts = True
        for _ in range(3):
            selector.select(0)

    assert used == [0.25, 0.5]  # not what it waited for events


def test_calls_in_threads_have_a_share_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that drew too much sleeps before the next call; it never waits for its end."""
    pauses: list[float] = []
    dues = iter((0.1, 0.05, 0.0, 0.0))
    monkeypatch.setattr(Governor, "due", lambda *_: next(dues))
    threads = CallThreads(1, Governor(SHARE), sleep=pauses.append)

    results = [threads.submit(sum, (number, 1)) for number in range(2)]

    assert [each.result(LIMIT_S) for each in results] == [1, 2]
    assert pauses == [0.1, 0.05]
    threads.shutdown()
