"""`capture-agent fleet`: what people read, what programs read, and the exit code."""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agent.cli import app
from agent.dataset.devices import DeviceFolder
from agent.files import Disk
from agent.record.timestamp import timestamp
from agent.system import SystemClock
from tests.fakes.captures import stored_capture
from tests.fakes.fleet import DAY, lost_camera, status_fields


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["fleet", *map(str, words)])


def sent(folder: Path, *devices: str, ago: float = 30.0, **changes: object) -> None:
    at = SystemClock().wall() - ago
    for device in devices:
        data = json.dumps(status_fields(device, at, **changes)).encode()
        DeviceFolder(folder, Disk(inside=folder)).receive(
            device, data, received_at=timestamp(at), received_from="10.0.0.1"
        )


def test_where_all_are_well_the_exit_code_is_0(tmp_path: Path) -> None:
    sent(tmp_path, "gate", "yard")

    result = run(tmp_path)

    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "2 devices, 2 well",
        "6 captures waiting, 14 delivered, at most 1 label a day",
        "most have version 0.1.0, model yolo11n-yard",
        "",
        "2 devices are well; --all lists them too.",
    ]


def test_who_needs_somebody_is_first_and_the_exit_code_is_1(tmp_path: Path) -> None:
    sent(tmp_path, "gate", ago=3 * DAY)
    sent(tmp_path, "yard", cameras=[lost_camera()])
    sent(tmp_path, "dock")

    result = run(tmp_path, "--all")

    assert result.exit_code == 1
    names = [word for word in result.output.split() if word in {"gate", "yard", "dock"}]
    assert names == ["gate", "yard", "dock"]
    assert "silent for 3.0 d: check power and network" in result.output
    assert "camera door lost for 2.0 h" in " ".join(result.output.split())
    assert max(map(len, result.output.splitlines())) <= 80


def test_programs_read_one_object(tmp_path: Path) -> None:
    sent(tmp_path, "gate")
    (tmp_path / "devices" / "half.json").write_bytes(b"{")

    result = run(tmp_path, "--json")
    facts = json.loads(result.stdout)

    assert result.exit_code == 1
    assert [each["device"] for each in facts["devices"]] == ["gate"]
    assert facts["problems"][0]["name"] == "half.json"
    assert "cannot show devices/half.json: it is no JSON" in result.stderr


def test_a_page_is_written(tmp_path: Path) -> None:
    sent(tmp_path, "gate")

    assert run(tmp_path, "--report", tmp_path / "fleet.html").exit_code == 0
    assert "<b>gate</b>" in (tmp_path / "fleet.html").read_text("utf-8")
    assert run(tmp_path, "--report", tmp_path / "devices" / "gate.json").exit_code == 78


def test_hostile_names_of_captures_and_files_are_shown_escaped(tmp_path: Path) -> None:
    sent(tmp_path, "gate")
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "x.json").write_text('{"device": "\\ud800\\u001b[2J"}')
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/devices/\xff\n.json")).write_bytes(b"{")

    for words in (["--json"], ["--all"], ["--report", tmp_path / "page.html"]):
        result = run(tmp_path, *words)

        assert result.exit_code == 1
        assert r"\ud800\x1b[2J" in result.output.replace("\\\\", "\\")
        assert r"devices/\udcff\n.json" in result.stderr


def test_captures_alone_are_a_fleet_too(tmp_path: Path) -> None:
    capture = stored_capture(1)
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / f"{capture.id}.json").write_bytes(capture.record_json)

    result = run(tmp_path)

    assert result.exit_code == 0
    assert "no heartbeat" in result.output
    assert str(capture.record["device"]) in result.output


@pytest.mark.parametrize(
    ("source", "words"),
    [("empty", "has neither heartbeats"), ("missing", "it is no folder"), ("file", "no folder")],
)
def test_what_is_no_fleet_is_said(tmp_path: Path, source: str, words: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_bytes(b"")

    result = run(tmp_path / source)

    assert result.exit_code == 78
    assert words in result.stderr


def test_a_bucket_without_credentials_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)

    result = run("s3://bucket/prefix")

    assert result.exit_code == 78
    assert "s3://bucket/prefix" in result.stderr


def test_the_folder_may_be_named_as_the_devices_name_it(tmp_path: Path) -> None:
    sent(tmp_path, "gate")

    assert run(f"dir:{tmp_path}").output == run(tmp_path).output


def test_a_device_that_was_stopped_for_long_needs_somebody(tmp_path: Path) -> None:
    sent(tmp_path, "gate", ago=2 * DAY, daemon="stopped", exit_code=0)

    assert run(tmp_path).exit_code == 1
    assert run(tmp_path, "--stopped-max", "7d").exit_code == 0
    assert run(tmp_path, "--stopped-max", "off").exit_code == 0
    result = run(tmp_path, "--stopped-max", "soon")
    assert result.exit_code == 78
    assert "--stopped-max: must be a duration such as 24h or 7d, or off, not 'soon'" in (
        result.stderr
    )


def test_a_device_that_is_no_longer_in_use_is_forgotten_and_nothing_else(tmp_path: Path) -> None:
    sent(tmp_path, "Gate 3", "gate 3", "yard")
    capture = stored_capture(1)
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / f"{capture.id}.json").write_bytes(capture.record_json)

    result = run(tmp_path, "--forget", "Gate 3", "--forget", "yard")

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.count("its captures stay") == 2
    assert [each.name for each in (tmp_path / "devices").iterdir()] == ["gate%203.json"]
    assert [each.name for each in (tmp_path / "records").iterdir()] == [f"{capture.id}.json"]


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ("gate-33", "has no heartbeat of it; did you mean gate-3?"),
        ("../gate-3", "has no heartbeat of it; did you mean gate-3?"),
        ("", "has no heartbeat of it"),
        ("mast", "it has no heartbeat; its captures name it, and they stay"),
        ("other", "it is the status of the device gate-3, whose file is gate-3.json"),
    ],
)
def test_what_cannot_be_forgotten_is_said(tmp_path: Path, device: str, words: str) -> None:
    sent(tmp_path, "gate-3")
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "x.json").write_text('{"device": "mast"}')
    (tmp_path / "devices" / "other.json").write_bytes(
        (tmp_path / "devices" / "gate-3.json").read_bytes()
    )

    result = run(tmp_path, "--forget", device)

    assert result.exit_code == 78
    assert words in " ".join(result.stderr.split())
    assert len(list((tmp_path / "devices").iterdir())) == 2


def test_a_damaged_heartbeat_can_be_forgotten(tmp_path: Path) -> None:
    sent(tmp_path, "gate")
    (tmp_path / "devices" / "half.json").write_bytes(b"{")

    assert run(tmp_path, "--forget", "half").exit_code == 0
    assert run(tmp_path).exit_code == 0


def test_forgetting_shows_nothing(tmp_path: Path) -> None:
    sent(tmp_path, "gate")

    result = run(tmp_path, "--forget", "gate", "--json")

    assert result.exit_code == 78
    assert "cannot use --forget with --all, --json or --report" in result.stderr
    assert (tmp_path / "devices" / "gate.json").exists()
