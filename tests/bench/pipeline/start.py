"""The time from `capture-agent run` to the first analysed frame."""

from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.pipeline.daemon import Daemon
from tests.bench.pipeline.plan import Plan
from tests.bench.pipeline.table import Row


def start(plan: Plan) -> list[Row]:
    """Start the daemon with a fresh spool, until it has evaluated a frame."""
    path = plan.recordings.street(100)
    row = Row("`run` to the first analysed frame", "s", aim="less than 2 s", digits=2)
    cpu = Row("CPU until then", "s", digits=2)
    settings = {
        "AGENT_CAMERAS": f"c0={path}",
        "AGENT_FPS": "0",
        "AGENT_RULES": "low_confidence",  # waits for no later frame
        "AGENT_LOG_LEVEL": "debug",
    }
    for _ in range(max(plan.rounds, 1)):
        with TemporaryDirectory() as folder, Daemon(Path(folder), settings) as running:
            row.daemon.append(running.event("frame evaluated") - running.began)
            cpu.daemon.append(running.cpu_s())
    return [row, cpu]
