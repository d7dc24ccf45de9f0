"""A model that kills its process, or never ends, is told from one that works."""

import os
import sys
from pathlib import Path

import pytest

from agent.detector.fallback.subprocess_check import try_apart
from agent.errors import ModelUnusable
from tests.detector.planted_models import METADATA, fixed_model, planted_rows

PATH = Path("m.onnx")


def python(text: str) -> list[str]:
    return [sys.executable, "-c", text]


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGKILL", "SIGABRT"])
def test_a_model_that_kills_its_process_is_unusable(name: str) -> None:
    dies = python(f"import os, signal; os.kill(os.getpid(), signal.{name})")

    with pytest.raises(ModelUnusable, match=rf"m\.onnx: it ended the process .*{name}.*memory"):
        try_apart(PATH, 60, dies)


def test_a_model_that_is_never_loaded_is_unusable() -> None:
    with pytest.raises(ModelUnusable, match="not loaded within 0 s"):
        try_apart(PATH, 0.2, python("import threading; threading.Event().wait()"))


@pytest.mark.parametrize("code", [0, 1, 78])
def test_what_a_load_says_itself_is_left_to_it(code: int) -> None:
    try_apart(PATH, 60, python(f"raise SystemExit({code})"))


def test_a_trial_that_cannot_be_made_is_no_verdict() -> None:
    try_apart(PATH, 60, ["/no/such/interpreter"])


@pytest.mark.parametrize("whole", [True, False])
def test_the_trial_loads_the_model_of_the_settings(
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
