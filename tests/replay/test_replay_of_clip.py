"""The daemon's selection over a real clip with the bundled model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.replay.recording import RecordingResult, counted
from tests.replay.recordings import (
    Remembered,
    Sleepy,
    clip,
    noise_folder,
    plan_of,
    record,
    replayed,
)


@pytest.fixture(scope="module")
def model() -> Remembered:
    return Remembered()


@pytest.mark.parametrize("budget", [5, 20, 50])
def test_a_recording_uses_its_budget_and_never_more(
    model: Remembered, tmp_path: Path, budget: int
) -> None:
    outcome = replayed(clip(), tmp_path, detector=model, plan=plan_of(budget))

    assert outcome.frames == 50
    assert 0.97 * budget <= len(outcome.chosen) <= budget
    assert all(spent_in_time(outcome, budget))


def spent_in_time(outcome: RecordingResult, budget: int) -> list[bool]:
    """At any instant before the end no more than what has accrued, and one."""
    end = outcome.length.seconds
    return [
        n <= each["bought_at"] / end * budget + 1 + 1e-3 for n, each in enumerate(outcome.chosen, 1)
    ]


def test_a_fifth_is_drawn_by_chance_and_weighs_as_much_as_its_slot(
    model: Remembered, tmp_path: Path
) -> None:
    outcome = replayed(clip(), tmp_path, detector=model, plan=plan_of(20))

    drawn = [each for each in outcome.chosen if each["lane"] == "random"]
    assert len(drawn) == 4
    for each in drawn:
        sampling = record(tmp_path, each["id"])["sampling"]
        assert sampling["weight"] == pytest.approx(2.5)


def test_the_same_again_chooses_the_same(model: Remembered, tmp_path: Path) -> None:
    first = replayed(clip(), tmp_path / "1", detector=model, plan=plan_of(12))
    again = replayed(clip(), tmp_path / "2", detector=model, plan=plan_of(12))

    assert first.chosen == again.chosen
    names = sorted(path.name for path in (tmp_path / "1").rglob("*.*"))
    assert names == sorted(path.name for path in (tmp_path / "2").rglob("*.*"))


def test_each_choice_is_in_the_dataset_as_the_report_says(
    model: Remembered, tmp_path: Path
) -> None:
    outcome = replayed(clip(), tmp_path, detector=model, plan=plan_of(8))

    for each in outcome.chosen:
        stored = record(tmp_path, each["id"])
        assert (stored["source_frame"], stored["lane"]) == (each["frame"], each["lane"])
        assert each["frame"] == round(each["at"] * 25)
        assert (tmp_path / "images" / f"{each['id']}.jpg").stat().st_size == each["bytes"]
        assert each["bought_at"] >= each["at"] or each["at"] == 0
    assert (tmp_path / "data.yaml").exists()


def test_without_a_budget_everything_captured_is_chosen(model: Remembered, tmp_path: Path) -> None:
    outcome = replayed(clip(), tmp_path, detector=model, plan=plan_of(0, random_interval=2.0))

    assert 0 < len(outcome.chosen) == outcome.held
    assert counted(outcome.chosen)[1]["random"] == 5


def test_every_frame_of_a_folder_is_counted(tmp_path: Path) -> None:
    source = noise_folder(tmp_path / "pictures", 40)

    outcome = replayed(source, tmp_path / "out", detector=Sleepy(), plan=plan_of(10))

    assert (outcome.frames, outcome.length.frames, outcome.length.seconds) == (40, 40, 8.0)
    assert len(outcome.chosen) == 10


def test_credits_that_chance_cannot_use_buy_what_the_rules_found(tmp_path: Path) -> None:
    """A fixed interval that is longer than the recording draws nothing or one."""
    source = noise_folder(tmp_path / "pictures", 60)
    plan = plan_of(20, random_interval=3600.0)

    outcome = replayed(source, tmp_path / "out", detector=Sleepy(), plan=plan)

    assert len(outcome.chosen) == 20


def test_a_reason_is_given_for_each_kind_of_fate(model: Remembered, tmp_path: Path) -> None:
    asked = tuple(range(0, 250, 5))

    outcome = replayed(clip(), tmp_path, detector=model, plan=plan_of(5), explain=(*asked, 3, 900))

    told: Mapping[int, Any] = {each.frame: each for each in outcome.explanations}
    assert set(told) == {*asked, 3, 900}
    assert told[3].outcome == told[900].outcome == "not analysed"
    assert "frame 0 and 5" in told[3].text
    assert "250 frames" in told[900].text
    chosen = {each["frame"] for each in outcome.chosen}
    assert {n for n, each in told.items() if each.outcome.startswith("chosen")} == chosen
    held = [each for each in told.values() if each.outcome == "captured, not bought"]
    assert any("less its likeness" in each.text for each in held)
    refused = [each for each in told.values() if each.outcome == "not captured"]
    assert any("a moment later, is worth more" in each.text for each in refused)
    assert all("random lane: the slot from" in told[n].text for n in asked)
    assert all("raw score" in each.text or "no rule fired" in each.text for each in held)


def test_a_duplicate_names_its_twin(tmp_path: Path) -> None:
    source = noise_folder(tmp_path / "pictures", 40, scenes=1)
    asked = tuple(range(40))

    outcome = replayed(source, tmp_path / "out", detector=Sleepy(), plan=plan_of(40), explain=asked)

    twins = [each for each in outcome.explanations if "duplicate of a better one" in each.text]
    assert twins
    assert all(int(each.why[0].rpartition(" ")[2]) < each.frame for each in twins)
    assert len([each for each in outcome.chosen if each["lane"] == "score"]) < 10
