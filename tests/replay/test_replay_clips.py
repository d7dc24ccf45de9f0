"""A replay makes the clips that the daemon would make."""

import json
from pathlib import Path

import pytest

from agent.domain import ClipSpan
from agent.replay import clips
from tests.replay.recordings import ConstantDetector, noise_folder, plan_of, record, replayed

SPAN = ClipSpan(1.0, 0.6)


@pytest.mark.parametrize("budget", [0, 3])
def test_each_capture_has_what_was_analysed_around_it(tmp_path: Path, budget: int) -> None:
    """14 images, 0.2 s apart; without a budget, and where the best of a cell is known later."""
    folder = noise_folder(tmp_path / "images", 14)
    plan = plan_of(budget, min_value=0)
    result = replayed(folder, tmp_path / "out", detector=ConstantDetector(), plan=plan, span=SPAN)

    assert result.chosen
    for each in result.chosen:
        made = record(tmp_path / "out", each["id"])
        own = made["source_frame"]
        expected = [n for n in range(14) if own - 5 <= n <= own + 3]
        frames = made["clip"]["frames"]
        assert [frame["at"] for frame in frames] == [round((n - own) / 5, 3) for n in expected]
        assert each["bytes"] == made["image"]["bytes"] + made["clip"]["bytes"]
        times = tmp_path / "out" / "clips" / each["id"] / "times.json"
        assert len(json.loads(times.read_bytes())["frames"]) == len(expected)


def test_the_pixels_of_captures_that_wait_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clips, "HELD_BYTES", 3 * 180 * 320 * 3)
    folder = noise_folder(tmp_path / "images", 14)
    result = replayed(
        folder,
        tmp_path / "out",
        detector=ConstantDetector(),
        plan=plan_of(0, min_value=0),
        span=ClipSpan(1.0, 60.0),
    )

    tails = [record(tmp_path / "out", each["id"])["clip"]["tail"] for each in result.chosen]
    assert max(tails) < 1.5
