"""A model that crashes its process, or never finishes loading, is found in a subprocess."""

import os
import sys
from pathlib import Path

import pytest

from agent.detector.fallback.subprocess_check import check_in_subprocess
from agent.errors import ModelUnusable
from tests.detector.planted_models import METADATA, fixed_model, planted_rows

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
