"""Each operator mistake: an exit code, and one line with the setting, its value and the fix."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from tests.end_to_end.command import Daemon, call, clip, long_recording, quick_model, status
from tests.end_to_end.endpoint import LocalEndpoint

CLIP = f"street={clip()}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Broken things under names that the table uses."""
    (tmp_path / "text.onnx").write_text("hello\n", "utf-8")
    (tmp_path / "zero.mp4").touch()
    (tmp_path / "text.mp4").write_text("no video\n", "utf-8")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    shape = [1, 3, 64, 64]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["image"], ["same"])],
        "strange",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("same", TensorProto.FLOAT, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, tmp_path / "strange.onnx")
    return tmp_path


SETTINGS = [
    ({}, ["AGENT_CAMERAS: required", "/dev/video0"]),
    ({"AGENT_CAMERAS": CLIP, "AGENT_THRESHOLD": 50}, ["AGENT_THRESHOLD", "between 0 and 1", "50"]),
    (
        {"AGENT_CAMERAS": CLIP, "AGENT_REDACT": "persn"},
        ["AGENT_REDACT", "no label persn (did you mean person?)"],
    ),
    ({"AGENT_CAMERAS": CLIP, "AGENT_FSP": 5}, ["AGENT_FSP: unknown", "AGENT_FPS?"]),
    ({"AGENT_CAMERAS": "gopher://x/y"}, ["AGENT_CAMERAS", "gopher", "rtsp"]),
    (
        {"AGENT_CAMERAS": CLIP, "AGENT_UPLOAD_URL": "ftp://x"},
        ["AGENT_UPLOAD_URL", "https://", "ftp"],
    ),
    ({"AGENT_CAMERAS": CLIP, "AGENT_UPLOAD_URL": "dir:x"}, ["AGENT_UPLOAD_URL", "dir:/", "dir:x"]),
    ({"AGENT_CAMERAS": CLIP, "AGENT_MODEL": "no.onnx"}, ["no.onnx", "No such file", "AGENT_MODEL"]),
    (
        {"AGENT_CAMERAS": CLIP, "AGENT_MODEL": "text.onnx"},
        ["text.onnx", "not an ONNX model"],
    ),
    ({"AGENT_CAMERAS": CLIP, "AGENT_MODEL": "strange.onnx"}, ["strange.onnx", "AGENT_MODEL"]),
    ({"AGENT_CAMERAS": CLIP, "AGENT_PROVIDERS": "CUDA"}, ["AGENT_PROVIDERS", "CUDA", "CPU"]),
    ({"AGENT_CAMERAS": CLIP, "AGENT_MODEL_SHA256": "0" * 64}, ["sha256", "AGENT_MODEL_SHA256"]),
    (
        {"AGENT_CAMERAS": CLIP, "AGENT_SPOOL_DIR": "file"},
        ["AGENT_SPOOL_DIR", "not a folder"],
    ),
]


@pytest.mark.parametrize(("settings", "words"), SETTINGS, ids=lambda value: str(value)[:60])
def test_a_wrong_setting_ends_the_start_with_one_line(
    folder: Path, settings: dict[str, object], words: list[str]
) -> None:
    result = call(folder, "run", AGENT_LOG_LEVEL="warning", **settings)

    assert result.returncode == 78, result.stderr
    assert result.stdout == ""
    [line] = result.stderr.splitlines()
    assert line.startswith("capture-agent: ")
    for word in words:
        assert word in line


@pytest.mark.parametrize(
    ("command", "address"), [("run", "ftp://x"), ("flush", "dir:x"), ("check", "s3://")]
)
def test_all_problems_are_named_at_once(folder: Path, command: str, address: str) -> None:
    wrong = {"AGENT_FPSS": 5, "AGENT_THRESHOLD": 50, "AGENT_UPLOAD_URL": address}
    result = call(folder, command, **wrong)

    assert result.returncode == 78
    lines = (result.stdout + result.stderr).splitlines()
    for name in wrong:
        assert sum(f"{name}: " in line for line in lines) == 1, lines


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("missing.mp4", ["missing.mp4", "not found", "Check the path"]),
        ("missing/", ["missing/", "not found", "Check the path"]),
        ("empty/", ["empty/", "no images", ".jpg"]),
        ("zero.mp4", ["zero.mp4", "0 bytes", "Copy it again"]),
        ("text.mp4", ["text.mp4", "no video", ".mp4"]),
    ],
)
def test_a_recording_that_cannot_be_read_ends_with_its_reason(
    folder: Path, source: str, words: list[str]
) -> None:
    with Daemon(folder, AGENT_CAMERAS=source) as daemon:
        assert daemon.ends() == 78, daemon.text
        [lost] = daemon.events("camera lost")
        assert lost["level"] == "error"
        for word in words:
            assert word in lost["error"]
        assert daemon.events("agent stopped")[0]["reason"] == "recording failed"


def test_a_camera_that_is_not_there_is_tried_again_and_logged_once(folder: Path) -> None:
    with Daemon(folder, AGENT_CAMERAS="/dev/video63") as daemon:
        lost = daemon.wait_for("camera lost")
        assert "/dev/video63" in lost["error"]
        assert "no such device" in lost["error"]
        daemon.process.terminate()
        assert daemon.ends() == 0
        assert len(daemon.events("camera lost")) == 1


def test_a_spool_of_somebody_else_is_refused(folder: Path) -> None:
    theirs = folder / "theirs"
    theirs.mkdir()
    if os.geteuid() != 0:
        theirs = Path("/usr")
    else:
        os.chown(theirs, 65534, 65534)
    result = call(folder, "run", AGENT_CAMERAS=CLIP, AGENT_SPOOL_DIR=theirs)

    assert result.returncode == 78
    [line] = result.stderr.splitlines()
    assert f"AGENT_SPOOL_DIR {theirs}" in line
    assert "belongs to" in line
    assert "Run it as" in line


def test_a_second_daemon_on_one_spool_names_the_first(folder: Path) -> None:
    with Daemon(folder, AGENT_CAMERAS="/dev/video63") as first:
        first.wait_for("agent started")
        for command in ("run", "flush"):
            second = call(
                folder, command, AGENT_CAMERAS=CLIP, AGENT_UPLOAD_URL=f"dir:{folder / 'dataset'}"
            )
            assert second.returncode == 75
            [line] = second.stderr.splitlines()
            assert f"process {first.process.pid}" in line
            assert str(folder / "spool") in line
        assert status(folder)["daemon_pid"] == first.process.pid


HELD = {
    "AGENT_FPS": 5,
    "AGENT_MODEL": quick_model(),
    "AGENT_EVERY_NTH_FRAME": 2,
    "AGENT_MAX_SIDE": 64,
}


def test_a_wrong_token_holds_all_and_says_so_once(
    folder: Path, endpoint: Callable[..., LocalEndpoint]
) -> None:
    receiver = endpoint(token="right-token")
    settings = {
        "AGENT_CAMERAS": f"street={long_recording(folder)}",
        "AGENT_UPLOAD_URL": receiver.url,
        "AGENT_UPLOAD_TOKEN": "wrong-token",
    }
    with Daemon(folder, **HELD, **settings) as daemon:
        held = daemon.wait_for("upload blocked")
        assert held["level"] == "error"
        assert "AGENT_UPLOAD_TOKEN" in held["error"]
        stored = len(daemon.stored())
        daemon.wait_for("capture stored", stored + 3)
        daemon.process.terminate()
        assert daemon.ends() == 0
        assert len(daemon.events("upload blocked")) == 1
        assert daemon.events("upload delayed") == []
        assert "wrong-token" not in daemon.text
        kept = len(daemon.stored())
    assert status(folder)["waiting"] == kept

    flushed = call(folder, "flush", **settings)
    assert flushed.returncode == 75
    assert flushed.stdout == f"delivered 0, waiting {kept}, rejected 0\n"
    [line] = flushed.stderr.splitlines()
    assert line.startswith(f"capture-agent: cannot deliver {kept} captures: ")
    assert "AGENT_UPLOAD_TOKEN" in line

    fixed = call(folder, "flush", **settings | {"AGENT_UPLOAD_TOKEN": "right-token"})
    assert fixed.returncode == 0
    assert len(receiver.records) == kept


def test_json_answers_of_commands_are_json_whatever_goes_wrong(folder: Path) -> None:
    result = call(folder, "check", "--json")

    assert result.returncode == 78
    facts = json.loads(result.stdout)
    assert facts["ok"] is False
    assert "AGENT_CAMERAS" in facts["checks"][0]["fact"]
