"""Throughput and CPU time of the whole daemon, beside a bare pipeline of the same work."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests import ROOT
from tests.bench.pipeline.daemon import Daemon
from tests.bench.pipeline.plan import Plan
from tests.bench.pipeline.table import Row

PACED_FPS = 10


@dataclass(frozen=True, slots=True)
class Cost:
    """What a number of frames took, without the start."""

    frames: float
    seconds: float
    cpu_s: float

    @property
    def fps(self) -> float:
        """Frames analysed in a second."""
        return self.frames / self.seconds

    @property
    def cpu_ms(self) -> float:
        """CPU time of one frame, in milliseconds."""
        return 1000 * self.cpu_s / self.frames


def throughput(plan: Plan) -> list[Row]:
    """Measure full speed with one camera and with four."""
    rows = []
    for cameras in (1, 4):
        path = plan.recordings.street(max(4, plan.frames // cameras))
        rate = Row(
            f"full speed, {cameras} camera{'s'[: cameras > 1]} at 720p",
            "frames/s",
            other_name="bare pipeline",
            aim="at least 0.95",
        )
        cpu = Row(
            f"CPU per frame, {cameras} camera{'s'[: cameras > 1]} at full speed",
            "ms",
            other_name="bare pipeline",
        )
        for side in plan.interleaved(("daemon", "bare")):
            if side == "daemon":
                cost, rates, costs = daemon([path] * cameras, fps=0), rate.daemon, cpu.daemon
            else:
                cost, rates, costs = bare([path] * cameras, fps=0), rate.other, cpu.other
            rates.append(cost.fps)
            costs.append(cost.cpu_ms)
        rows += [rate, cpu]
    return rows


def paced(plan: Plan) -> list[Row]:
    """Measure the CPU of a frame at a paced 10 fps, as a camera gives them."""
    path = plan.recordings.street(max(4, plan.seconds * PACED_FPS), fps=PACED_FPS)
    name = f"CPU per frame at a paced {PACED_FPS} fps, 1 camera at 720p"
    alone = Row(name, "ms", other_name="decode and run alone", aim="at most 1.12")
    whole = Row(name, "ms", other_name="bare pipeline")
    for side in plan.interleaved(("daemon", "alone", "whole")):
        if side == "daemon":
            alone.daemon.append(daemon([path], fps=PACED_FPS).cpu_ms)
        elif side == "alone":
            cost = bare([path], fps=PACED_FPS, workers=1, whole=False)
            alone.other.append(cost.cpu_ms)
        else:
            whole.other.append(bare([path], fps=PACED_FPS, workers=1).cpu_ms)
    whole.daemon = alone.daemon
    return [alone, whole]


def daemon(paths: list[Path], *, fps: float, **variables: str) -> Cost:
    """Run the daemon to the end of its recordings."""
    cameras = " ".join(f"c{number}={path}" for number, path in enumerate(paths))
    settings = {"AGENT_CAMERAS": cameras, "AGENT_FPS": str(fps), **variables}
    with TemporaryDirectory() as folder, Daemon(Path(folder), settings) as running:
        began = running.ready()
        cpu = running.cpu_s()
        ended = running.event("agent stopped", wait=3600)
        cost = running.cpu_s() - cpu
        return Cost(running.sum_of("frames_analysed"), ended - began, cost)


def bare(paths: list[Path], *, fps: float, workers: int = 0, whole: bool = True) -> Cost:
    """Run the bare pipeline to the end of the recordings; 0 workers: as many as the daemon."""
    asked = {
        "recordings": [str(path) for path in paths],
        "workers": workers or len(os.sched_getaffinity(0)),
        "fps": fps,
        "whole": whole,
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.pipeline.bare", json.dumps(asked)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return Cost(**json.loads(done.stdout))
