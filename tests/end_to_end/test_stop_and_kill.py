"""Whatever ends the daemon, what it said it stored is delivered, once."""

import contextlib
import json
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import ROOT
from tests.end_to_end.command import (
    NEVER_ENDS,
    Daemon,
    assert_law,
    call,
    clip,
    environment,
    quick_model,
    status,
    until,
)
from tests.end_to_end.endpoint import LocalEndpoint
from tests.end_to_end.silent_server import SilentServer

MANY = {
    "AGENT_CAMERAS": f"street={clip()} {NEVER_ENDS}",
    "AGENT_FPS": 0,
    "AGENT_MODEL": quick_model(),
    "AGENT_EVERY_NTH_FRAME": 2,
    "AGENT_MAX_SIDE": 160,
}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_in_order_and_loses_nothing_in_memory(
    tmp_path: Path, number: signal.Signals
) -> None:
    with Daemon(tmp_path, **MANY) as daemon:
        daemon.wait_for("capture stored", 3)
        daemon.signal(number)

        assert daemon.ends() == 0, daemon.text
        captured = {line["capture"] for line in daemon.events("frame captured")}
        assert daemon.stored() == captured
        [stopped] = daemon.events("agent stopped")
        assert (stopped["reason"], stopped["lost"]) == ("asked", 0)
        assert stopped["waiting"] == len(captured)
    assert status(tmp_path)["waiting"] == len(captured)


def test_a_signal_before_the_model_is_loaded_ends_it_at_once(tmp_path: Path) -> None:
    with Daemon(tmp_path, **MANY) as daemon:
        until(lambda: '"agent started"' in daemon.text, what=daemon.describe)
        daemon.signal(signal.SIGINT)

        assert daemon.ends() == 0
        assert "Traceback" not in daemon.text


def test_a_second_signal_waits_for_nothing(tmp_path: Path) -> None:
    with SilentServer() as server, Daemon(tmp_path, **MANY, AGENT_UPLOAD_URL=server.url) as daemon:
        until(lambda: server.connections, what=daemon.describe)
        daemon.signal(signal.SIGTERM)
        daemon.wait_for("agent stopping")

        def ends() -> bool:
            daemon.signal(signal.SIGTERM)
            return daemon.process.poll() is not None

        until(ends, what=daemon.describe)
        assert daemon.ends() == 128 + signal.SIGTERM
        assert_law(status(tmp_path))


def test_two_signals_at_once_are_one_stop(tmp_path: Path) -> None:
    """So does `timeout 60 capture-agent run` end it.

    If the process stands still between the two, they are two stops: then it is tried again.
    """

    def stops_once() -> bool:
        with Daemon(tmp_path, **MANY) as daemon:
            daemon.wait_for("capture stored", 3)
            daemon.signal_at_once(signal.SIGTERM, signal.SIGINT)
            if daemon.ends() != 0:
                return False
            assert daemon.events("agent stopped")[0]["lost"] == 0
            return True

    assert any(stops_once() for _ in range(3))


@pytest.mark.slow
def test_a_target_and_a_camera_that_hang_do_not_hold_up_the_end(tmp_path: Path) -> None:
    with SilentServer() as server, SilentServer() as camera:
        settings = {
            **MANY,
            "AGENT_CAMERAS": f"street={clip()} dead=rtsp://127.0.0.1:{camera.port}/stream",
            "AGENT_CAMERA_STALL": "60s",
            "AGENT_UPLOAD_URL": server.url,
        }
        with Daemon(tmp_path, **settings) as daemon:
            until(lambda: server.connections and camera.connections, what=daemon.describe)
            daemon.signal(signal.SIGTERM)

            assert daemon.ends() == 0, daemon.text
            late = ",".join(line["workers"] for line in daemon.events("stop overdue"))
            assert "upload" in late  # a camera that does not respond is left at once
            assert daemon.events("agent stopped")[0]["lost"] == 0


def test_two_kills_at_random_moments_lose_nothing(
    tmp_path: Path, endpoint: Callable[..., LocalEndpoint]
) -> None:
    receiver = endpoint(up=False)
    promised: set[str] = set()
    for _ in range(2):
        with Daemon(tmp_path, **MANY, AGENT_UPLOAD_URL=receiver.url) as daemon:
            daemon.wait_for("capture stored", random.randint(1, 12))
            daemon.process.kill()
            daemon.ends()
            promised |= daemon.stored()
    receiver.start()
    with Daemon(tmp_path, **MANY, AGENT_UPLOAD_URL=receiver.url) as daemon:
        daemon.wait_for("capture delivered")
        daemon.signal(signal.SIGTERM)
        assert daemon.ends() == 0, daemon.text
        promised |= daemon.stored()
    flushed = call(tmp_path, "flush", AGENT_UPLOAD_URL=receiver.url)
    assert flushed.returncode == 0, flushed.stderr
    receiver.stop()

    assert promised <= receiver.records.keys()
    assert receiver.new == len(receiver.records)
    facts = status(tmp_path)
    assert facts["waiting"] == 0
    assert facts["delivered"] == len(receiver.records)
    assert_law(facts)


@pytest.mark.slow
def test_a_hundred_kills_at_random_moments_lose_nothing(
    tmp_path: Path, endpoint: Callable[..., LocalEndpoint]
) -> None:
    """Also in the middle of an upload: the endpoint stops and starts."""
    receiver = endpoint()
    log = tmp_path / "kill_loop.log"
    settings = {
        **{name: value for name, value in MANY.items() if name != "AGENT_MODEL"},
        "AGENT_EVERY_NTH_FRAME": 1,
        "AGENT_LOG_FORMAT": "json",
        "AGENT_UPLOAD_URL": receiver.url,
    }
    kill_loop = subprocess.Popen(
        [sys.executable, "-m", "tests.end_to_end.kill_loop", "100", str(log)],
        env=environment(tmp_path, settings) | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
    )
    try:
        while kill_loop.poll() is None:
            receiver.stop()
            with contextlib.suppress(subprocess.TimeoutExpired):
                kill_loop.wait(random.uniform(0, 2))
            receiver.start()
            with contextlib.suppress(subprocess.TimeoutExpired):
                kill_loop.wait(random.uniform(0, 4))
    finally:
        kill_loop.kill()
        kill_loop.wait()
    assert kill_loop.returncode == 0
    lines = [parsed for line in log.read_text("utf-8").splitlines() if (parsed := whole(line))]
    promised = {line["capture"] for line in lines if line["event"] == "capture stored"}
    lives = sum(line["event"] == "agent started" for line in lines)
    assert not [line for line in lines if line["event"] == "worker failed"]

    during = status(tmp_path)["delivered"]
    flushed = call(tmp_path, "flush", AGENT_UPLOAD_URL=receiver.url)
    assert flushed.returncode == 0, flushed.stderr
    receiver.stop()
    facts = status(tmp_path)
    summary = f"{lives} lives, {len(promised)} promised, {during} delivered between kills"
    sys.stdout.write(f"{summary}: {facts}\n")  # shown with -rP

    assert len(promised) > 40
    assert during >= 10
    assert promised <= receiver.records.keys()
    assert receiver.new == len(receiver.records)
    assert (facts["waiting"], facts["evicted"], facts["rejected"], facts["damaged"]) == (0, 0, 0, 0)
    assert facts["delivered"] == facts["stored"] == len(receiver.records)


def whole(line: str) -> Any:
    """A line of the log, None for one that a kill tore."""
    try:
        return json.loads(line)
    except ValueError:
        return None
