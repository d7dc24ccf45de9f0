"""Credits that the random lane cannot use pay for score-lane captures."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.camera.address import parse_cameras
from agent.domain import Lane, Thresholds
from agent.factories.spool import spool_of
from agent.selection.budget.ledger import DAY_S
from agent.selection.plan import SelectionPlan
from agent.settings.load import without_environment
from agent.spool.spool import Spool
from agent.spool.types import NewCapture
from agent.system import new_id
from tests.fakes.captures import record_of
from tests.fakes.clock import ManualClock
from tests.fakes.log import quiet_log
from tests.selection.budgeted_spool import hint_of_scene

NOON = 1_784_548_800.0


def plan(interval: float | None, *, is_random: bool = True, every_nth: int = 0) -> SelectionPlan:
    return SelectionPlan(
        (),
        Thresholds(0.5),
        "seed",
        random_interval=interval,
        is_random=is_random,
        every_nth=every_nth,
        per_day=100,
    )


@pytest.mark.parametrize(
    ("of", "cameras", "share"),
    [
        (plan(None), 1, 0.2),
        (plan(None), 7, 0.2),
        (plan(3600.0), 1, 0.2),  # 24 draws a day where 20 may be sent
        (plan(7200.0), 1, 0.12),
        (plan(7200.0), 2, 0.2),
        (plan(DAY_S), 1, 0.01),
        (plan(30 * DAY_S), 3, 0.001),
        (plan(None, is_random=False), 1, 0.0),
        (plan(DAY_S, every_nth=100), 1, 0.2),
    ],
)
def test_the_reserved_share_is_at_most_what_the_draws_of_a_day_use(
    of: SelectionPlan, cameras: int, share: float
) -> None:
    assert of.reserved_share(cameras) == pytest.approx(share)


@given(st.floats(0.001, 365 * DAY_S), st.integers(1, 50), st.integers(0, 10_000))
def test_the_reserved_share_never_exceeds_the_setting(
    interval: float, cameras: int, budget: int
) -> None:
    of = SelectionPlan((), Thresholds(0.5), "seed", random_interval=interval, per_day=budget)

    assert 0 <= of.reserved_share(cameras) <= of.random_share


@pytest.mark.parametrize(("interval", "drawn"), [("12h", 2), ("auto", 20), ("off", 0)])
def test_a_day_with_enough_captures_spends_the_whole_budget(
    tmp_path: Path, interval: str, drawn: int
) -> None:
    settings = without_environment(
        cameras=parse_cameras("gate=/dev/video0"),
        spool_dir=tmp_path,
        budget_per_day=100,
        random_interval=43_200.0 if interval == "12h" else interval,
    )
    clock, sent = ManualClock(0.0, wall=NOON - NOON % DAY_S), []
    log = quiet_log()
    with spool_of(settings, clock=clock, log=log) as spool:
        put(spool, Lane.SCORE, 120)
        for hour in range(1, 24 * 4):
            clock.now = hour * 900.0 - 1
            put(spool, Lane.RANDOM, drawn * hour // 95 - drawn * (hour - 1) // 95)
            while (capture := spool.claim()) is not None:
                spool.acknowledge(capture.id)
                sent.append(capture.record["lane"])

    assert len(sent) <= 100
    assert sent.count("random") in {drawn, drawn - 1}
    assert sent.count("score") >= 98 - drawn


def put(spool: Spool, lane: Lane, count: int) -> None:
    for n in range(count):
        name = new_id(NOON)
        record = record_of(n, b"x", id=name, lane=lane.value)
        hint = hint_of_scene(n, 0.5)
        spool.put([NewCapture(name, lane, 0.5, record, b"x", hint=hint)])
