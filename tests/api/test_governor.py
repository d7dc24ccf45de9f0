"""The API's share of the processor."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.api.governor import LONGEST_S, GovernedSelector, Governor

SHARE = 0.2


@given(st.lists(st.tuples(st.floats(0, 0.3), st.floats(0, 0.3), st.floats(0, 0.1)), max_size=200))
def test_the_share_is_never_exceeded_for_long(turns: list[tuple[float, float, float]]) -> None:
    """Whatever the turns use: their time is earned, saved, or slept for."""
    governor, now, own, most = Governor(SHARE), 0.0, 0.0, 0.0
    elsewhere_in_all = 0.0
    for idle, used, elsewhere in turns:
        now += idle + used
        own += used
        governor.used(elsewhere)
        elsewhere_in_all += elsewhere
        pause = governor.due(now, own)
        assert 0 <= pause <= LONGEST_S
        now += pause
        most = max(most, used + elsewhere)
    # One turn at most is owed; the longest pause earns a part of it back.
    while (pause := governor.due(now, own)) > 0:
        now += max(pause, 1e-6)
    assert own + elsewhere_in_all <= SHARE * (now + 1) + most + 1e-6


def test_a_quiet_api_never_sleeps() -> None:
    governor = Governor(SHARE)

    assert [governor.due(second, 0.1 * second) for second in range(100)] == [0.0] * 100
    assert governor.paused_s == 0.0


def test_the_first_calls_of_a_page_are_not_slowed() -> None:
    governor = Governor(SHARE)
    governor.due(0.0, 0.0)

    assert governor.due(0.15, 0.15) == 0.0
    assert governor.due(0.5, 0.5) > 0.0


def test_each_turn_of_the_loop_passes_the_governor(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(Governor, "due", lambda *_: 0.1)

    with GovernedSelector(Governor(SHARE), pauses.append) as selector:
        selector.select(0)
        selector.select(0)

    assert pauses == [0.1, 0.1]
