"""Devices that come back at once: with the real pace, in virtual time, with loose bounds."""

import pytest

from agent.upload.backoff import Backoff
from tests.upload.fleet import Scenario, full_jitter, no_jitter, simulate

SHARED = {"devices": 150, "backlog": 10, "capacity": 30.0}

SCENARIOS = [
    Scenario("power returns", **SHARED),  # type: ignore[arg-type]
    Scenario("power returns, Retry-After", retry_after=30.0, **SHARED),  # type: ignore[arg-type]
    Scenario("network returns", outage=3600.0, **SHARED),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_fleet_drains_without_a_stampede(scenario: Scenario, seed: int) -> None:
    figures = simulate(scenario, full_jitter(seed))

    assert figures.left == 0
    assert figures.drained < 10 * scenario.ideal
    assert figures.peak < 8 * scenario.capacity
    assert figures.turned_away < 2 * scenario.devices * scenario.backlog


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_without_jitter_there_is_one(scenario: Scenario) -> None:
    """What the test above would see if the jitter were lost."""
    figures = simulate(scenario, no_jitter, first_bound=0.0, give_up=600.0)

    assert figures.peak >= scenario.devices


def test_one_device_alone_drains_at_line_rate() -> None:
    """What holds a fleet back costs one device two round trips."""
    alone = Scenario("alone", devices=1, backlog=2000, capacity=1e6)
    figures = simulate(alone, full_jitter(1), first_bound=0.0)
    at_once = alone.backlog * alone.latency / alone.workers

    assert figures.drained < 1.05 * at_once + 3 * alone.latency


@pytest.mark.parametrize("seed", range(40))
def test_a_link_that_comes_and_goes_is_met_in_its_first_or_second_time_up(seed: int) -> None:
    """After a day offline, it is up for 40 s of every 80 s; each try without it takes 5 s."""
    jitter = full_jitter(seed)
    backoff = Backoff(jitter, first_bound=0.0)
    now, up_from = 0.0, 86_400.0 + jitter(80.0)
    while True:
        wait = backoff.admit(now)
        if wait > 0:
            now += wait
            continue
        since = now - up_from
        if since >= 0 and since % 80 < 40:
            break
        now += 5.0
        backoff.unavailable(now, reached=False)

    assert since < 120
