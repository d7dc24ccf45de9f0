"""The daemon's selection over a real clip with the bundled model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.replay.explanation import ReplayOutcome
from agent.replay.recording import RecordingResult, counted
from tests.replay.recordings import (
    CachedDetector,
    ConstantDetector,
    clip,
    noise_folder,
    plan_of,
    record,
    replayed,
)


@pytest.fixture(scope="module")
def model() -> CachedDetector:
    return CachedDetector()


@pytest.mark.parametrize("budget", [5, 20, 50])
def test_a_recording_uses_its_budget_and_never_more(
    model: CachedDetector, tmp_path: Path, budget: int
) -> None:
    result = replayed(clip(), tmp_path, detector=model, plan=plan_of(budget))

    assert result.frames == 50
    assert 0.97 * budget <= len(result.chosen) <= budget
    assert all(is_spent_in_time(result, budget))


def is_spent_in_time(result: RecordingResult, budget: int) -> list[bool]:
    """Whether each purchase was within the accrued credits plus one."""
    end = result.length.seconds
    return [
        n <= each["purchased_at"] / end * budget + 1 + 1e-3
        for n, each in enumerate(result.chosen, 1)
    ]


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
    held = [each for each in explained.values() if each.outcome is ReplayOutcome.NOT_PURCHASED]
    assert any("less its similarity" in each.text for each in held)
    refused = [each for each in explained.values() if each.outcome is ReplayOutcome.NOT_CAPTURED]
    assert any("less than 2 s later, is better" in each.text for each in refused)
    assert all("random lane: the slot from" in explained[n].text for n in wanted)
    assert all("raw score" in each.text or "no rule fired" in each.text for each in held)


def test_a_near_duplicate_is_explained_by_an_earlier_frame(tmp_path: Path) -> None:
    source = noise_folder(tmp_path / "frames", 40, scenes=1)
    wanted = tuple(range(40))

    result = replayed(
        source, tmp_path / "out", detector=ConstantDetector(), plan=plan_of(40), explain=wanted
    )

    duplicates = [
        each for each in result.explanations if "near-duplicate of a better capture" in each.text
    ]
    assert duplicates
    assert all(int(each.why[0].rpartition(" ")[2]) < each.frame for each in duplicates)
    assert len([each for each in result.chosen if each["lane"] == "score"]) < 10
