"""Clocks, disks and capture builders exist once, in `tests/fakes`; any folder collects alone."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import ROOT
from tests.fakes import captures

FAKES = ROOT / "tests" / "fakes"
BUILDERS = frozenset(
    node.name
    for node in ast.parse(Path(captures.__file__).read_text("utf-8")).body
    if isinstance(node, ast.FunctionDef)
)
FOLDERS = sorted({path.parent for path in (ROOT / "tests").rglob("test_*.py")})


def second_fakes(tree: ast.Module) -> Iterator[str]:
    """The clocks, disks and builders of captures that a module defines for itself.

    A planted bug may override a disk of `tests/fakes`, so only direct subclasses of `Disk` count.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            methods = {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
            if "monotonic" in methods:
                yield f"line {node.lineno}: {node.name} is a clock"
            if any(isinstance(base, ast.Name) and base.id == "Disk" for base in node.bases):
                yield f"line {node.lineno}: {node.name} is a disk"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name in BUILDERS:
            yield f"line {node.lineno}: {node.name} is a builder"


def test_no_test_defines_its_own_clock_disk_or_builder() -> None:
    found = {}
    for path in sorted((ROOT / "tests").rglob("*.py")):
        if FAKES not in path.parents:
            complaints = list(second_fakes(ast.parse(path.read_text("utf-8"))))
            if complaints:
                found[str(path.relative_to(ROOT))] = complaints

    assert found == {}, "use or extend tests/fakes"


def test_the_fakes_themselves_are_recognized() -> None:
    found = [
        complaint.partition(": ")[2]
        for path in sorted(FAKES.rglob("*.py"))
        for complaint in second_fakes(ast.parse(path.read_text("utf-8")))
    ]

    assert {"ManualClock is a clock", "RefusingDisk is a disk", "frame is a builder"} <= {*found}


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("class Fake:\n def monotonic(self): ...", "line 1: Fake is a clock"),
        ("def test():\n class Fake:\n  def monotonic(self): ...", "line 2: Fake is a clock"),
        ("class Full(Disk): ...", "line 1: Full is a disk"),
        ("def new_capture(number): ...", "line 1: new_capture is a builder"),
    ],
)
def test_a_planted_fake_is_found(code: str, complaint: str) -> None:
    assert list(second_fakes(ast.parse(code))) == [complaint]


@pytest.mark.parametrize(
    "code", ["class Torn(PowerCutDisk): ...", "class A:\n def frame(self): ...", "monotonic()"]
)
def test_other_code_passes(code: str) -> None:
    assert list(second_fakes(ast.parse(code))) == []


@pytest.mark.slow
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_each_folder_collects_alone(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n0", "-m", "", str(folder)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout + done.stderr
