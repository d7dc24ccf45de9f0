"""Every bench script runs; the figures of such a short run mean nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT
from tests.docs.reader import short_clip

SMALLEST: dict[str, list[str]] = {
    "detector": ["--rounds", "1"],
    "drain": ["--captures", "20", "--rounds", "1"],
    "run_on_clip": ["--fps", "0", "--clip", "short.mp4"],
    "selection_cost": ["--frames", "3"],
    "spool_long_offline": ["1200"],
    "spool_put": ["--rounds", "2"],
    "stampede": ["--devices", "5", "--backlog", "2"],
    "startup": ["--rounds", "1"],
}
"""The arguments for the smallest input, by script."""


def test_every_bench_script_has_a_smallest_input() -> None:
    scripts = {path.stem for path in Path(__file__).parent.glob("*.py")}

    assert set(SMALLEST) == scripts - {"__init__", Path(__file__).stem}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", SMALLEST)
def test_a_bench_script_runs_and_prints_figures(name: str, tmp_path: Path) -> None:
    short_clip(tmp_path / "short.mp4")

    done = subprocess.run(
        [sys.executable, "-m", f"tests.bench.{name}", *SMALLEST[name]],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert any(character.isdigit() for character in done.stdout)
