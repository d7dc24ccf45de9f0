"""`dataset synthesize` as a person calls it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.cli import app
from agent.dataset.health.check import measured_health
from tests.dataset.synthesis.reviewed_street import add
from tests.fakes.clock import WALL

RUNNER = CliRunner()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in (1, 2, 3):
        add(tmp_path / "set", number)
    return tmp_path / "set"


def call(*words: object) -> tuple[int, str]:
    done = RUNNER.invoke(app, ["dataset", "synthesize", *map(str, words)])
    return done.exit_code, done.stdout


def test_it_makes_what_the_health_check_misses_and_says_so(folder: Path, tmp_path: Path) -> None:
    plan = json.loads(call(folder, "--credits", 4, "--json", "--dry-run")[1])
    made = json.loads(call(folder, "--credits", 4, "--json")[1])
    code, again = call(folder, "--credits", 4)
    other = json.loads(call(folder, "--credits", 2, "--json", "--out", tmp_path / "more")[1])

    assert plan["variants"] == made["variants"]
    assert (made["made"], made["existing"], made["left"]) == (4, 0, 0)
    assert made["gaps"][0] | {"made": 4} == made["gaps"][0]
    assert code == 0
    assert "made 0 variants of 3 reviewed captures; 4 were there, 0 of 4 credits are left" in again
    assert len(list((tmp_path / "more" / "images").iterdir())) == other["made"] == 2


def test_the_health_check_counts_no_variant(folder: Path) -> None:
    before = measured_health(folder, now=WALL, agent="1").report

    call(folder, "--credits", 4)

    after = measured_health(folder, now=WALL, agent="1").report
    assert after["images"] == {**before["images"], "synthetic": 4}
    assert after["gaps"] == before["gaps"]


def test_a_folder_without_captures_is_refused_with_what_to_do(tmp_path: Path) -> None:
    done = RUNNER.invoke(app, ["dataset", "synthesize", str(tmp_path), "--credits", "4"])

    assert done.exit_code == 78
    assert "it is no dataset folder of captures" in done.stderr
