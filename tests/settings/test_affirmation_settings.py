"""How many shown predictions are drawn a day: never more than can be sent and kept."""

from pathlib import Path

import pytest

from agent.cli.preflight import check_secrets
from agent.factories.affirmation import affirmation_warning, affirmations_per_day
from agent.factories.application import asking
from agent.settings.declarations import Settings
from agent.settings.load import without_environment
from tests.fakes.clock import ManualClock
from tests.fakes.log import Recorder
from tests.runtime.runtime_builders import open_test_spool
from tests.runtime.whole_agent import Recording, WholeAgent


def settings(**given: object) -> Settings:
    ours = {"cameras": "gate=/dev/video0", "api": "127.0.0.1:8787"}
    return without_environment(**{**ours, **given})


@pytest.mark.parametrize(
    ("given", "drawn"),
    [
        ({}, 0.0),
        ({"affirm_per_day": 3}, 3.0),
        ({"affirm_per_day": 0.25}, 0.25),
        ({"affirm_per_day": 5}, 5.0),
        ({"affirm_per_day": 10_000, "budget_per_day": 0}, 10_000.0),
        ({"affirm_per_day": 1, "budget_per_day": 20}, 1.0),
    ],
)
def test_what_can_be_sent_is_drawn_as_it_is_set(given: dict[str, object], drawn: float) -> None:
    assert affirmations_per_day(settings(**given)) == drawn
    assert affirmation_warning(settings(**given)) is None


@pytest.mark.parametrize(
    ("given", "drawn", "words"),
    [
        ({"affirm_per_day": 6}, 5.0, ["AGENT_BUDGET_PER_DAY=100 pays", "set the other to 120"]),
        ({"affirm_per_day": 0.5, "budget_per_day": 10}, 0.0, ["0 a day are drawn", "other to 20"]),
        ({"affirm_per_day": 5, "api": "off"}, 0.0, ["without AGENT_API nobody tells", "set it"]),
        (
            {"affirm_per_day": 1000, "budget_per_day": 0, "affirm_after": 3600.0},
            768.0,
            ["768 a day are drawn", "AGENT_AFFIRM_AFTER=3600s", "memory", "lower either"],
        ),
    ],
)
def test_fewer_are_drawn_and_the_agent_says_why_and_what_helps(
    given: dict[str, object],
    drawn: float,
    words: list[str],
    tmp_path: Path,
    clock: ManualClock,
    log: Recorder,
) -> None:
    limited = settings(**given, spool_dir=tmp_path / "spool")

    assert affirmations_per_day(limited) == drawn
    with open_test_spool(tmp_path, clock, log) as spool:
        stages = WholeAgent(Recording([]), spool, log, clock=clock).stages
        asking(limited, stages, clock=clock, log=log.log)
    line = log.one("affirmations limited")
    assert line["log_level"] == "warning"
    checked = check_secrets(limited, {})
    for word in (f"AGENT_AFFIRM_PER_DAY={given['affirm_per_day']:g}", *words):
        assert word in line["error"]
        assert word in checked


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def log() -> Recorder:
    return Recorder()
