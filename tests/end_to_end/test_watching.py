"""Looking at a running daemon: once, again and again, and by Prometheus."""

import json
import signal
import subprocess
from pathlib import Path

from command import COMMAND, Daemon, call, environment, until


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


def test_the_schema_of_the_status_is_documented(tmp_path: Path) -> None:
    facts = json.loads(call(tmp_path, "status", "--json").stdout)
    text = (Path(__file__).parents[2] / "docs" / "operating.md").read_text("utf-8")

    assert [name for name in facts if f"| `{name}` |" not in text] == []


def test_the_daemon_writes_its_figures_for_prometheus(tmp_path: Path) -> None:
    file = tmp_path / "agent.prom"
    with Daemon(tmp_path, AGENT_CAMERAS="/dev/video63", AGENT_METRICS_FILE=file) as daemon:
        until(file.exists, what=daemon.describe)
        daemon.process.terminate()
        assert daemon.ends() == 0

    assert "# TYPE capture_agent_captures_waiting gauge\n" in file.read_text("utf-8")
