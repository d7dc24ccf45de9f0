"""Looking at a running daemon: once, again and again, and by Prometheus."""

import json
import re
import signal
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from tests import ROOT
from tests.end_to_end.command import COMMAND, Daemon, assert_law, clip, environment, status, until
from tests.end_to_end.endpoint import LocalEndpoint


def test_status_looks_again_until_it_is_interrupted(tmp_path: Path) -> None:
    with subprocess.Popen(
        [COMMAND, "status", "--json", "--watch"],
        env=environment(tmp_path, {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        looks = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)

    assert [look["waiting"] for look in looks] == [0, 0]
    assert (process.returncode, errors) == (0, "")


TYPES: dict[str, Callable[[object], bool]] = {
    "number": lambda value: type(value) in (int, float),
    "bytes": lambda value: type(value) is int,
    "text": lambda value: type(value) is str,
    "time": lambda value: type(value) is str and is_utc(value),
    "object": lambda value: isinstance(value, dict),
    "null": lambda value: value is None,
}


def is_utc(text: str) -> bool:
    return datetime.fromisoformat(text).utcoffset() == timedelta(0)


def test_the_status_is_what_the_page_says_of_it(
    tmp_path: Path, endpoint: Callable[..., LocalEndpoint]
) -> None:
    """Before the first start, while the daemon cannot deliver, while it can, and afterwards."""
    page = (ROOT / "docs" / "operating.md").read_text("utf-8")
    schema = dict(re.findall(r"(?m)^\| `(\w+)` \| ([a-z ]+) \|", page))
    receiver = endpoint(up=False)
    looks = [status(tmp_path)]
    with Daemon(
        tmp_path,
        AGENT_CAMERAS=f"street={clip()} none=/dev/video63",
        AGENT_EVERY_NTH_FRAME=20,
        AGENT_UPLOAD_URL=receiver.url,
    ) as daemon:
        daemon.wait_for("upload delayed")
        looks.append(status(tmp_path))
        receiver.start()
        daemon.wait_for("capture delivered")
        looks.append(status(tmp_path))
        daemon.process.terminate()
        assert daemon.ends() == 0
    looks.append(status(tmp_path))

    for look in looks:
        assert list(look) == list(schema)
        for name, value in look.items():
            assert any(TYPES[kind](value) for kind in schema[name].split(" or ")), (name, value)
        assert_law(look)
    for name in set(schema) - {"model_error", "hours_until_full", "last_error"}:
        assert any(look[name] is not None for look in looks), name
    assert {look["upload"] for look in looks} <= {"flowing", "delayed", "blocked", "closed", None}


def test_the_daemon_writes_its_figures_for_prometheus(tmp_path: Path) -> None:
    file = tmp_path / "agent.prom"
    with Daemon(tmp_path, AGENT_CAMERAS="/dev/video63", AGENT_METRICS_FILE=file) as daemon:
        until(file.exists, what=daemon.describe)
        daemon.process.terminate()
        assert daemon.ends() == 0

    assert "# TYPE capture_agent_captures_waiting gauge\n" in file.read_text("utf-8")
