"""The command `capture-agent replay`."""

import json
import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from agent.cli import app
from agent.domain import Task
from agent.selection import threshold_check
from agent.selection.plan import SelectionPlan
from agent.selection.rules import RULE_NAMES, supported
from tests.detector.planted_families import constant_output_model
from tests.in_process import call_here
from tests.limits import LIMIT_S
from tests.replay.recordings import clip, noise_folder

OPTIONS = ["--fps", "2", "--budget", "5", "--report", "page.html", "--explain", "25"]
COMMAND = str(Path(sys.executable).with_name("capture-agent"))


ENVIRONMENT = {"PATH": "/usr/bin:/bin", "COLUMNS": "200"}


def run_replay(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return call_here("replay", *arguments, folder=folder, environment=ENVIRONMENT | settings)


def test_json_is_the_report_and_nothing_else(tmp_path: Path) -> None:
    result = subprocess.run(
        [COMMAND, "replay", str(clip()), *OPTIONS, "--json"],
        env=ENVIRONMENT,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )

    assert (result.returncode, result.stderr) == (0, "")
    folder = tmp_path / "capture-agent-replay"
    assert result.stdout == (folder / "report.json").read_text()
    report = json.loads(result.stdout)
    assert report["frames_analysed"] == 20
    assert len(report["captures"]) == 5
    assert {each["source"] for each in report["captures"]} == {str(clip())}
    assert [each["frame"] for each in report["explained"]] == [25]
    assert (tmp_path / "page.html").read_text().count("<article>") == 5
    assert len(list((folder / "images").iterdir())) == 5
    assert not (tmp_path / "capture-agent-state").exists()


def test_a_threshold_that_no_confidence_reaches_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(threshold_check, "LEAST_FRAMES", 5)
    monkeypatch.setenv("AGENT_THRESHOLDS", "person=0.99")

    result = CliRunner().invoke(app, ["replay", str(clip()), "--fps", "2", "--report", "page.html"])

    assert result.exit_code == 0, result.stderr
    found = json.loads(Path("capture-agent-replay/report.json").read_text())["warnings"]
    [warning] = [each for each in found if "person" in each]
    assert re.fullmatch(
        r"threshold 0\.99 is above all \d+ confidences of person \(highest 0\.\d\d\)", warning
    )
    assert f"warning: {warning}\n" in result.stdout
    assert warning in Path("page.html").read_text()


def test_masks_that_do_not_fit_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AGENT_MASKS", "9000,0 9100,0 9100,90")
    noise_folder(tmp_path / "yard", 2)

    result = CliRunner().invoke(app, ["replay", "yard"])

    assert result.exit_code == 0, result.stderr
    [warning] = json.loads(Path("capture-agent-replay/report.json").read_text())["warnings"]
    assert warning.startswith("yard: the whole image of frames is hidden: mask 1 of this camera")
    assert f"warning: {warning}\n" in result.stdout


def test_a_budget_may_be_a_fraction(tmp_path: Path) -> None:
    noise_folder(tmp_path / "a", 6)

    result = run_replay(tmp_path, "a", "--budget", "0.5", "--report", "page.html")

    assert result.returncode == 0, result.stderr
    report = json.loads((tmp_path / "capture-agent-replay" / "report.json").read_text())
    assert (report["settings"]["budget"], report["captures"]) == (0.5, [])
    assert "the budget of 0.5 credits a day buys nothing in one recording" in result.stdout
    assert "0% of 0.5 credits" in (tmp_path / "page.html").read_text()


def test_images_that_cannot_be_decoded_are_counted(tmp_path: Path) -> None:
    noise_folder(tmp_path / "a", 6)
    (tmp_path / "a" / "cut.jpg").write_bytes(b"\xff\xd8\xff")

    result = run_replay(tmp_path, "a")

    assert result.returncode == 0, result.stderr
    assert "1 could not be decoded" in result.stdout
    report = json.loads((tmp_path / "capture-agent-replay" / "report.json").read_text())
    assert [each["unreadable"] for each in report["sources"]] == [1]


def test_each_recording_has_its_own_budget_and_folders_are_never_overwritten(
    tmp_path: Path,
) -> None:
    noise_folder(tmp_path / "a", 6)
    noise_folder(tmp_path / "b", 6)
    (tmp_path / "capture-agent-replay").mkdir()

    result = run_replay(
        tmp_path, "a", "b", "b", AGENT_BUDGET_PER_DAY="2", AGENT_RANDOM_INTERVAL="200ms"
    )

    assert result.returncode == 0, result.stderr
    report = json.loads((tmp_path / "capture-agent-replay-2" / "report.json").read_text())
    assert [each["chosen"] for each in report["sources"]] == [2, 2, 2]
    assert len({each["id"] for each in report["captures"]}) == 6
    assert report["captures_per_day"] == 2
    assert "frames a second" in result.stdout
    assert list((tmp_path / "capture-agent-replay").iterdir()) == []


def test_recordings_of_one_name_have_captures_of_different_ids(tmp_path: Path) -> None:
    """Else replays of two sequences whose folders are called alike could not be merged."""
    for place, count in (("gate", 3), ("door", 4)):
        (tmp_path / place).mkdir()
        noise_folder(tmp_path / place / "img1", count)

    def ids(source: str, out: str) -> set[str]:
        settings = {"AGENT_BUDGET_PER_DAY": "2", "AGENT_RANDOM_INTERVAL": "200ms"}
        result = run_replay(tmp_path, source, "--out", out, "--json", **settings)
        assert result.returncode == 0, result.stderr
        return {each["id"] for each in json.loads(result.stdout)["captures"]}

    gate = ids("gate/img1", "a")
    assert gate == ids("gate/img1", "b")
    assert gate.isdisjoint(ids("door/img1", "c"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing.mp4"], "not found"),
        (["rtsp://camera/1"], "is a camera"),
        (["/dev/video0"], "is a camera"),
        (["exec:true"], "is a program"),
        (["notes.txt"], "no video"),
        (["frames", "--out", "full"], "it is not empty"),
        (["frames", "--report", "full"], "cannot write --report"),
        (["frames", "--out", "notes.txt"], "cannot use --out"),
    ],
)
def test_a_wrong_argument_is_refused_before_any_analysis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    noise_folder(tmp_path / "frames", 2)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    (tmp_path / "notes.txt").write_text("words")

    monkeypatch.chdir(tmp_path)
    mask = os.umask(0o077)

    result = CliRunner().invoke(app, ["replay", *arguments])

    os.umask(mask)
    assert result.exit_code == 78
    assert words in result.stderr
    assert result.stdout == ""


def test_the_report_states_all_that_the_choice_depends_on(tmp_path: Path) -> None:
    noise_folder(tmp_path / "a", 6)
    settings = {
        "AGENT_EVERY_NTH_FRAME": "4",
        "AGENT_RANDOM_INTERVAL": "2s",
        "AGENT_MIN_VALUE": "0.3",
    }

    assert run_replay(tmp_path, "a", **settings).returncode == 0

    stated = json.loads((tmp_path / "capture-agent-replay/report.json").read_text())["settings"]
    assert (stated["every_nth"], stated["random_interval"], stated["min_value"]) == (4, 2.0, 0.3)
    ours = {field.name for field in fields(SelectionPlan)}
    renamed = {"thresholds", "per_day", "is_random", "period_s"}  # period_s: each source's seconds
    assert ours - renamed <= set(stated)
    assert {"threshold", "thresholds", "floor", "budget"} <= set(stated)


def test_a_classifier_is_judged_by_the_rules_of_the_daemon_alone(tmp_path: Path) -> None:
    noise_folder(tmp_path / "a", 6)
    scores = np.log(np.array([[0.35, 0.4, 0.25]], np.float32))
    model = constant_output_model(tmp_path / "kinds.onnx", {"logits": scores})
    settings = {"AGENT_MODEL": str(model), "AGENT_MODEL_LABELS": "ant bee cat"}

    assert run_replay(tmp_path, "a", **settings).returncode == 0

    report = json.loads((tmp_path / "capture-agent-replay/report.json").read_text())
    assert report["model"]["task"] == Task.CLASSIFY
    assert report["settings"]["rules"] == list(supported(RULE_NAMES, Task.CLASSIFY)[0])
    assert "flicker" not in report["settings"]["rules"]


def test_the_cards_of_several_recordings_name_theirs(tmp_path: Path) -> None:
    for name in ("yard", "gate"):
        noise_folder(tmp_path / name, 6)

    done = run_replay(
        tmp_path, "yard", "gate", "--report", "page.html", AGENT_RANDOM_INTERVAL="200ms"
    )

    assert done.returncode == 0, done.stderr
    page = (tmp_path / "page.html").read_text()
    cards = page.split("<article>")[1:]
    assert len([card for card in cards if "yard, frame" in card]) > 0
    assert all("yard, frame" in card or "gate, frame" in card for card in cards)
