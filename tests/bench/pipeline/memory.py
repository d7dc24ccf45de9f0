"""The memory and the threads of the daemon with 1, 4 and 16 cameras, at 720p and 4K."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.pipeline.daemon import Daemon
from tests.bench.pipeline.plan import Plan
from tests.bench.pipeline.recordings import HD, UHD
from tests.bench.pipeline.table import Row

CAMERAS = (1, 4, 16)
FPS = 2
"""Analysed per camera: sixteen decoders of 4K take all of a small machine at more."""


def memory(plan: Plan) -> list[Row]:
    """Let H.264 cameras run for the seconds of a paced run, and read the peaks."""
    rows = []
    for size, name in ((HD, "720p"), (UHD, "4K")):
        path = plan.recordings.street(max(4, 3 * FPS * plan.seconds), size=size, fps=FPS)
        for cameras in CAMERAS:
            row = Row(f"largest resident set, {cameras} x {name}", "MB", digits=0)
            addresses = " ".join(f"c{number}={path}" for number in range(cameras))
            settings = {"AGENT_CAMERAS": addresses, "AGENT_FPS": str(FPS)}
            with TemporaryDirectory() as folder, Daemon(Path(folder), settings) as daemon:
                daemon.ready()
                time.sleep(plan.seconds)
                row.daemon.append(daemon.memory_mb("VmHWM"))
                row.other_name = f"{daemon.threads()} threads"
            rows.append(row)
    return rows
