"""A model that crashes its process, or never finishes loading, is found in a subprocess."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.detector.fallback.subprocess_check import (
    SETTINGS,
    check_in_subprocess,
    command,
    environment,
)
from agent.errors import ModelUnusable
from agent.factories.model import model_variables
from agent.settings.load import without_environment
from tests.detector.planted_models import METADATA, fixed_model, planted_rows
from tests.limits import LIMIT_S

PATH = Path("m.onnx")


def python(text: str) -> list[str]:
    return [sys.executable, "-c", text]


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGKILL", "SIGABRT"])
def test_a_model_that_crashes_its_process_is_unusable(name: str) -> None:
    crash = python(f"import os, signal; os.kill(os.getpid(), signal.{name})")

    with pytest.raises(ModelUnusable, match=rf"m\.onnx: it crashed the process .*{name}.*memory"):
        check_in_subprocess(PATH, 60, crash)


def test_a_model_that_never_finishes_loading_is_unusable() -> None:
    with pytest.raises(ModelUnusable, match="loading it took longer than 0 s"):
        check_in_subprocess(PATH, 0.2, python("import threading; threading.Event().wait()"))


@pytest.mark.parametrize("code", [0, 1, 78])
def test_an_exit_code_is_ignored_because_the_caller_loads_next(code: int) -> None:
    check_in_subprocess(PATH, 60, python(f"raise SystemExit({code})"))


def test_a_subprocess_that_cannot_start_is_ignored() -> None:
    check_in_subprocess(PATH, 60, ["/no/such/interpreter"])


@pytest.mark.parametrize("whole", [True, False])
def test_the_subprocess_loads_the_model_of_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, whole: bool
) -> None:
    from agent.cli.load_model import main

    path = fixed_model(
        tmp_path / "m.onnx", planted_rows([(9, 9, 30, 30)], [[0.9, 0, 0]]), metadata=METADATA
    )
    if not whole:
        path.write_text("<html>")
    for name in [name for name in os.environ if name.startswith("AGENT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AGENT_MODEL", str(path))

    assert main() == (0 if whole else 78)


def test_the_subprocess_imports_nothing_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A planted package would run as the daemon's user."""
    marker = tmp_path / "ran"
    for name in ("agent", "onnxruntime", "sitecustomize", "usercustomize"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"open({str(marker)!r}, 'w')")
    model = fixed_model(
        tmp_path / "m.onnx", planted_rows([(9, 9, 30, 30)], [[0.9, 0, 0]]), metadata=METADATA
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for name in [name for name in os.environ if name.startswith("AGENT_")]:
        monkeypatch.delenv(name)

    assert run_like_the_check(model) == 0
    assert not marker.exists()


def run_like_the_check(model: Path) -> int:
    """Return the exit code, which the check itself ignores."""
    variables = environment(os.environ) | {"AGENT_MODEL": str(model)}
    return subprocess.run(
        command(), env=variables, cwd="/", check=False, timeout=LIMIT_S
    ).returncode


def test_the_subprocess_sees_no_secrets_and_the_root_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = {
        "AGENT_UPLOAD_TOKEN": "hush",
        "AGENT_UPLOAD_PROXY": "http://me:hush@proxy",
        "AGENT_CAMERAS": "rtsp://me:hush@camera/",
        "AWS_SECRET_ACCESS_KEY": "hush",
        "https_proxy": "http://me:hush@proxy",
        "CREDENTIALS_DIRECTORY": "/run/hush",
        "NOTIFY_SOCKET": "/run/hush",
    }
    kept = {"AGENT_MODEL_FORMAT": "yolox", "CUDA_VISIBLE_DEVICES": "1", "LD_LIBRARY_PATH": "/opt"}
    for name, value in (secrets | kept).items():
        monkeypatch.setenv(name, value)
    told = tmp_path / "told"
    ask = f"import os; open({str(told)!r}, 'w').write(repr((os.getcwd(), dict(os.environ))))"

    check_in_subprocess(PATH, 60, python(ask), settings={"AGENT_MODEL": "/m.onnx"})

    folder, seen = ast.literal_eval(told.read_text())
    assert folder == "/"
    assert "hush" not in str(seen)
    assert {**seen, **kept, "AGENT_MODEL": "/m.onnx"} == seen


def test_relative_paths_of_the_settings_become_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.txt").write_text("cat")
    settings = without_environment(model="m.onnx", model_labels="my.txt", spool_dir="spool")

    assert model_variables(settings) == {
        "AGENT_MODEL": str(tmp_path / "m.onnx"),
        "AGENT_MODEL_LABELS": str(tmp_path / "my.txt"),
        "AGENT_SPOOL_DIR": str(tmp_path / "spool"),
        "AGENT_STATE_DIR": str(tmp_path),
    }
    assert set(model_variables(settings)) <= SETTINGS
    listed = without_environment(model_labels="cat dog")
    assert model_variables(listed)["AGENT_MODEL_LABELS"] == "cat dog"
