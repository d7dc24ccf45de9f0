"""The daemon's selection over a real clip with the bundled model."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.replay.explanation import ReplayOutcome
from agent.replay.recording import counted
from tests.replay.recordings import (
    CachedDetector,
    ConstantDetector,
    clip,
    noise_folder,
    plan_of,
    record,
    replayed,
)

VALUE = r"; (at most )?\d+\.\d\d expected new failures[:;] |; no rule names a suspect"


@pytest.fixture(scope="module")
def model() -> CachedDetector:
    return CachedDetector()


@pytest.mark.parametrize("budget", [0.5, 1.5, 5, 20, 50])
def test_a_recording_never_takes_more_than_has_accrued(
    model: CachedDetector, tmp_path: Path, budget: float
) -> None:
    result = replayed(clip(), tmp_path, detector=model, plan=plan_of(budget))

    assert result.frames == 50
    end = result.length.seconds
    for n, each in enumerate(result.chosen, 1):
        assert n <= each["purchased_at"] / end * budget + 1e-3


@pytest.mark.parametrize("budget", [5, 20])
def test_where_much_is_suspect_the_whole_budget_is_spent(
    model: CachedDetector, tmp_path: Path, budget: int
) -> None:
    result = replayed(clip(), tmp_path, detector=model, plan=plan_of(budget))

    assert len(result.chosen) == budget


@pytest.mark.parametrize("least", [0.1, 0.8])
def test_no_credit_is_spent_on_less_than_the_least_value(
    model: CachedDetector, tmp_path: Path, least: float
) -> None:
    plan = plan_of(50, min_value=least)

    result = replayed(clip(), tmp_path, detector=model, plan=plan)

    added = [each["added"] for each in result.chosen if each["lane"] == "score"]
    assert added
    assert min(added) >= least
    assert len(result.chosen) < 50


def test_a_fifth_of_the_captures_is_random_and_has_the_weight_of_its_slot(
    model: CachedDetector, tmp_path: Path
) -> None:
    result = replayed(clip(), tmp_path, detector=model, plan=plan_of(20))

    drawn = [each for each in result.chosen if each["lane"] == "random"]
    assert len(drawn) == 4
    for each in drawn:
        sampling = record(tmp_path, each["id"])["sampling"]
        assert sampling["weight"] == pytest.approx(2.5)


def test_a_second_run_chooses_the_same_captures(model: CachedDetector, tmp_path: Path) -> None:
    first = replayed(clip(), tmp_path / "1", detector=model, plan=plan_of(12))
    again = replayed(clip(), tmp_path / "2", detector=model, plan=plan_of(12))

    assert first.chosen == again.chosen
    names = sorted(path.name for path in (tmp_path / "1").rglob("*.*"))
    assert names == sorted(path.name for path in (tmp_path / "2").rglob("*.*"))


def test_each_chosen_capture_is_in_the_dataset_as_reported(
    model: CachedDetector, tmp_path: Path
) -> None:
    result = replayed(clip(), tmp_path, detector=model, plan=plan_of(8))

    for each in result.chosen:
        stored = record(tmp_path, each["id"])
        assert (stored["source_frame"], stored["lane"]) == (each["frame"], each["lane"])
        assert each["frame"] == round(each["at"] * 25)
        assert (tmp_path / "images" / f"{each['id']}.jpg").stat().st_size == each["bytes"]
        assert each["purchased_at"] >= each["at"] or each["at"] == 0
    assert (tmp_path / "data.yaml").exists()


def test_without_a_budget_every_capture_is_chosen(model: CachedDetector, tmp_path: Path) -> None:
    result = replayed(clip(), tmp_path, detector=model, plan=plan_of(0, random_interval=2.0))

    assert 0 < len(result.chosen) == result.held
    assert counted(result.chosen)[1]["random"] == 5


def test_every_frame_of_a_folder_is_counted(tmp_path: Path) -> None:
    source = noise_folder(tmp_path / "frames", 40)

    result = replayed(source, tmp_path / "out", detector=ConstantDetector(), plan=plan_of(10))

    assert (result.frames, result.length.frames, result.length.seconds) == (40, 40, 8.0)
    assert len(result.chosen) == 10


def test_credits_that_the_random_lane_cannot_use_pay_for_the_score_lane(tmp_path: Path) -> None:
    """A fixed interval longer than the recording draws one capture or none."""
    source = noise_folder(tmp_path / "frames", 60)
    plan = plan_of(20, random_interval=3600.0)

    result = replayed(source, tmp_path / "out", detector=ConstantDetector(), plan=plan)

    assert len(result.chosen) == 20


def test_each_outcome_is_explained(model: CachedDetector, tmp_path: Path) -> None:
    wanted = tuple(range(0, 250, 5))

    result = replayed(clip(), tmp_path, detector=model, plan=plan_of(5), explain=(*wanted, 3, 900))

    explained: Mapping[int, Any] = {each.frame: each for each in result.explanations}
    assert set(explained) == {*wanted, 3, 900}
    assert explained[3].outcome == explained[900].outcome == ReplayOutcome.NOT_ANALYSED
    assert "frames: 0 and 5" in explained[3].text
    assert "250 frames" in explained[900].text
    chosen = {each["frame"] for each in result.chosen}
    assert {n for n, each in explained.items() if each.outcome is ReplayOutcome.CHOSEN} == chosen
    of = {
        outcome: [each.text for each in explained.values() if each.outcome is outcome]
        for outcome in ReplayOutcome
    }
    assert all("value then" in text for text in of[ReplayOutcome.CHOSEN] if "score lane" in text)
    unsold = of[ReplayOutcome.NOT_PURCHASED]
    assert unsold
    assert all("after what the purchases show it is" in text for text in unsold)
    refused = of[ReplayOutcome.NOT_CAPTURED]
    assert any("a better frame followed in its cell of time" in text for text in refused)
    assert any(re.search(r"has a higher value: frame \d+, \d\.\d\d; its own", t) for t in refused)
    assert all("random lane: the slot from" in explained[n].text for n in wanted)
    assert all(re.search(VALUE, explained[n].text) for n in wanted)


def test_one_scene_with_noise_is_purchased_once(tmp_path: Path) -> None:
    source = noise_folder(tmp_path / "frames", 40, scenes=1)
    wanted = tuple(range(40))

    result = replayed(
        source, tmp_path / "out", detector=ConstantDetector(), plan=plan_of(40), explain=wanted
    )

    assert len([each for each in result.chosen if each["lane"] == "score"]) == 1
    rest = [each.text for each in result.explanations if each.outcome is not ReplayOutcome.CHOSEN]
    assert rest
    assert all(re.search(r"\d\.\d{3} is below AGENT_MIN_VALUE=0\.1", text) for text in rest)


def test_a_suspect_that_was_shown_adds_nothing(tmp_path: Path) -> None:
    source = noise_folder(tmp_path / "frames", 40, scenes=1)

    result = replayed(source, tmp_path / "out", detector=ConstantDetector(), plan=plan_of(40))

    first, *others = result.chosen
    assert first["added"] == pytest.approx(first["value"], abs=1e-3)
    assert all(each["added"] < 0.1 for each in others)


def test_each_record_names_its_suspects(model: CachedDetector, tmp_path: Path) -> None:
    result = replayed(clip(), tmp_path, detector=model, plan=plan_of(8))

    for each in result.chosen:
        stored = record(tmp_path, each["id"])
        best: dict[str, float] = {}
        for suspect in stored["suspects"]:
            best[suspect["rule"]] = max(best.get(suspect["rule"], 0.0), suspect["p"])
        scores = {rule["name"]: rule["score"] for rule in stored["rules"]}
        scores.pop("random_interval", None)
        assert scores == best
