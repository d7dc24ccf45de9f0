"""Every bench script runs; the figures of such a short run mean nothing."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests import ROOT
from tests.bench.pipeline.soak import soaked

SMALLEST: dict[str, list[str]] = {
    "api": ["--rounds", "1", "--seconds", "0.5"],
    "clips": ["--seconds", "1", "--rounds", "1", "--rates", "5"],
    "detector": ["--rounds", "1"],
    "drain": ["--captures", "20", "--rounds", "1"],
    "features": ["sequence", "--apart", "0.1", "--again", "--starts", "1"],
    "labelled": ["sequence", "--seeds", "1", "--starts", "2", "--repeat", "2", "--join"],
    "pipeline": ["--rounds", "1", "--frames", "40", "--seconds", "1"],
    "pool_choice": ["--frames", "300", "--take", "20", "--cameras", "3", "--loss"],
    "pool_engines": ["--images", "40", "--rounds", "1", "--workers", "1", "--empty", "20"],
    "push": ["--rounds", "1", "--frames", "30"],
    "reliability": ["sequence", "--seeds", "1", "--frames", "30"],
    "selection.chances": ["--seeds", "1", "--frames", "30"],
    "selection.loop": ["sequence", "--seeds", "1", "--threshold", "0.5", "--share", "0.1"],
    "selection.run": ["1", "still", "--frames", "30"],
    "selection.signs": ["1", "--frames", "30"],
    "selection_cost": ["--frames", "3"],
    "spool_long_offline": ["1200"],
    "spool_put": ["--rounds", "2"],
    "stampede": ["--devices", "5", "--backlog", "2"],
    "startup": ["--rounds", "1"],
}
"""The arguments for the smallest input, by script."""


def test_every_bench_script_has_a_smallest_input() -> None:
    folder = Path(__file__).parent
    scripts = {
        ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__main__")
        for path in folder.rglob("*.py")
        if "def main(" in path.read_text(encoding="utf-8") and path != Path(__file__)
    }

    assert set(SMALLEST) == scripts


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALLEST)
def test_a_bench_script_runs_and_prints_figures(name: str, tmp_path: Path) -> None:
    short_sequence(tmp_path / "sequence")

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


def short_sequence(folder: Path) -> None:
    """Write a labelled sequence with one person whom no model finds."""
    (folder / "gt").mkdir(parents=True)
    (folder / "img1").mkdir()
    rows = [f"{n},1,50,60,40,90,1,-1,-1,-1" for n in range(1, 13)]
    (folder / "gt" / "gt.txt").write_text("\n".join(rows), encoding="ascii")
    (folder / "seqinfo.ini").write_text(
        "[Sequence]\nname=short\nframeRate=5\nimWidth=320\nimHeight=180\n", encoding="ascii"
    )
    for n in range(1, 13):
        noise = np.random.default_rng(n).integers(0, 255, (180, 320, 3), np.uint8)
        cv2.imwrite(str(folder / "img1" / f"{n:06d}.jpg"), noise)


@pytest.mark.slow
def test_files_and_threads_stay_flat_among_faults_of_cameras_and_endpoint() -> None:
    """Their least number in the second half is no higher than before: nothing is left open."""
    samples = soaked(60)

    assert samples.facts["cameras lost"] >= 3
    assert samples.facts["captures stored"] > 0
    for figures in (samples.open_files, samples.threads):
        half = len(figures) // 2
        assert half >= 10
        assert min(figures[half:]) <= max(figures[3:half])
