"""The examples of `docs/extending.md`, applied to a copy of the repository and run there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT
from tests.docs.pages import blocks
from tests.docs.reader import short_clip

PAGE = ROOT / "docs" / "extending.md"
AFFECTED = ("selection", "upload", "detector", "house")
"""The folders of tests that an extension can break."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy with all three examples in it, and its generated texts refreshed."""
    copy = tmp_path_factory.mktemp("extended") / "copy"
    left_out = shutil.ignore_patterns(".*_cache", ".venv*", ".git", "__pycache__", "*.egg-info")
    shutil.copytree(ROOT, copy, ignore=left_out)
    for block in blocks(PAGE):
        kind, _, path = block.mark.partition(": ")
        if kind == "file":
            assert not (ROOT / path).exists(), f"{block.place}: {path} is there already"
            (copy / path).write_text(f"{block.text}\n", "utf-8")
        elif kind == "change":
            changed = with_change((copy / path).read_text("utf-8"), block.text)
            (copy / path).write_text(changed, "utf-8")
    python(copy, "-m", "tests.house.refresh")
    return copy


def with_change(text: str, change: str) -> str:
    """Return the text after each hunk: a blank keeps a line, a plus adds it, a minus removes it."""
    for hunk in change.split("\n@@\n"):
        lines = [(line[:1] or " ", line[1:]) for line in hunk.splitlines()]
        before = "\n".join(line for sign, line in lines if sign != "+")
        after = "\n".join(line for sign, line in lines if sign != "-")
        found = list(re.finditer(rf"(?m)^{re.escape(before)}$", text))
        assert len(found) == 1, f"not there once:\n{before}"
        text = text[: found[0].start()] + after + text[found[0].end() :]
    return text


def python(folder: Path, *words: str, **settings: str) -> str:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=inherited | {"PYTHONPATH": str(folder), "COLUMNS": "200"} | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_tests(copy: Path, *words: str) -> None:
    """Run tests in the copy; all must pass."""
    output = python(copy, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", *words)

    assert re.search(r"\d+ passed", output), output


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_tests_of_the_page_and_of_the_contracts_pass(copy: Path) -> None:
    run_tests(
        copy,
        *("tests/selection/test_edges.py", "tests/selection/test_failure_kinds.py"),
        *("tests/upload/test_contract.py", "tests/detector/test_families.py"),
        *("tests/house/test_layers.py", "tests/house/test_documents.py"),
    )


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("folder", AFFECTED)
def test_all_tests_of_an_affected_folder_pass(copy: Path, folder: str) -> None:
    run_tests(copy, "-m", "not slow and not hypothesis", f"tests/{folder}")


def test_its_code_keeps_the_rules_of_ruff(copy: Path) -> None:
    new = [b.mark.partition(": ")[2] for b in blocks(PAGE) if b.language in ("python", "diff")]

    python(copy, "-m", "ruff", "check", "--no-cache", *new)
    python(copy, "-m", "ruff", "format", "--no-cache", "--check", *new)


def test_the_new_names_stand_in_every_generated_text(copy: Path) -> None:
    assert "| `cut_off` | 0.3 | An object" in (copy / "docs" / "selection.md").read_text("utf-8")
    assert "| `cut_off.margin` | 2 | a number between 0 and 500 pixels |" in (
        copy / "docs" / "selection.md"
    ).read_text("utf-8")
    assert "| `unix:/PATH` | a line of JSON" in (copy / "docs" / "targets.md").read_text("utf-8")
    for file in ("systemd/capture-agent.env", "docs/settings.md"):
        text = " ".join((copy / file).read_text("utf-8").replace("\n#", "").split())
        assert "cut_off" in text
        assert "detection-output" in text


def test_the_rule_chooses_frames_of_a_recording(copy: Path, tmp_path: Path) -> None:
    short_clip(tmp_path / "street.mp4")

    report = python(
        copy,
        *("-m", "agent", "replay", str(tmp_path / "street.mp4"), "--json", "--budget", "0"),
        *("--out", str(tmp_path / "found")),
        AGENT_RULES="cut_off",
        AGENT_RULE_OPTIONS="cut_off.margin=8",
    )

    assert '"cut_off"' in report


def test_the_target_is_in_the_list_that_a_wrong_address_gets(copy: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "agent", "flush"],
        cwd=copy,
        env={"PATH": os.environ["PATH"], "AGENT_UPLOAD_URL": "ftp://x", "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert said.returncode == 78
    assert "unix:/PATH" in said.stderr


def test_a_change_that_does_not_fit_is_found() -> None:
    """A test of the test."""
    assert with_change("\na\nb\n", " a\n+x\n b") == "\na\nx\nb\n"
    for text in ("\na\nc\n", "\na\nb\na\nb\n"):
        with pytest.raises(AssertionError, match="not there once"):
            with_change(text, " a\n+x\n b")
