"""The real daemon and a real broker."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.command import NEVER_ENDS, Daemon, call, long_recording, status, until
from tests.mqtt.mosquitto import Mosquitto, Watcher

pytestmark = pytest.mark.slow

ROOT = "capture-agent/gate-07"


def settings(broker: Mosquitto, **more: object) -> dict[str, object]:
    return {"AGENT_MQTT_URL": broker.url, "AGENT_DEVICE_ID": "gate-07", **more}


def test_a_press_becomes_a_capture_that_is_told_and_stored(
    tmp_path: Path, broker: Mosquitto, watcher: Watcher
) -> None:
    camera = f"gate={long_recording(tmp_path)}"
    with Daemon(tmp_path, **settings(broker, AGENT_CAMERAS=camera, AGENT_FPS=2)) as daemon:
        watcher.wait_for(f"{ROOT}/availability", lambda payload: payload == b"online")
        watcher.wait_for(f"{ROOT}/cameras/gate/state", lambda payload: payload == b"live")
        watcher.wait_for(f"{ROOT}/cameras/gate/detections")

        watcher.publish(f"{ROOT}/cameras/gate/capture", '{"note": "from the line"}')

        told = json.loads(watcher.wait_for(f"{ROOT}/captures", lambda data: b"requested" in data))
        assert told["note"] == "from the line"
        until(lambda: told["id"] in daemon.stored(), what=daemon.describe)
        until(lambda: status(tmp_path)["mqtt"] == "connected", what=daemon.describe)

        daemon.signal(signal.SIGTERM)
        assert daemon.ends() == 0
        watcher.wait_for(f"{ROOT}/availability", lambda payload: payload == b"offline")


def test_the_last_will_of_a_daemon_that_is_killed(
    tmp_path: Path, broker: Mosquitto, watcher: Watcher
) -> None:
    with Daemon(tmp_path, **settings(broker, AGENT_CAMERAS=NEVER_ENDS)) as daemon:
        watcher.wait_for(f"{ROOT}/availability", lambda payload: payload == b"online")

        daemon.signal(signal.SIGKILL)

        watcher.wait_for(f"{ROOT}/availability", lambda payload: payload == b"offline")


@pytest.mark.parametrize("hangs", [True, False])
def test_a_broker_that_hangs_holds_neither_the_start_nor_the_stop(
    tmp_path: Path, broker: Mosquitto, hangs: bool
) -> None:
    """Nor does one that works. A process that is stopped keeps its socket and answers nothing."""
    if hangs:
        broker.signal(signal.SIGSTOP)
    overdue = []
    for _ in range(5):  # a busy machine may need longer than a stop may take
        with Daemon(tmp_path, **settings(broker, AGENT_CAMERAS=NEVER_ENDS)) as daemon:
            daemon.wait_for("camera lost")
            if not hangs:
                daemon.wait_for("mqtt connected")
            daemon.signal(signal.SIGTERM)
            assert daemon.ends() == 0
            overdue.append(daemon.events("stop overdue"))
        if not overdue[-1]:
            break
    assert overdue[-1] == [], overdue


@pytest.mark.parametrize("allowed", [True, False])
def test_check_says_whether_the_broker_can_be_used(
    tmp_path: Path, start: Callable[..., Mosquitto], allowed: bool
) -> None:
    own_user = ["user root"] if os.geteuid() == 0 else []
    rights = tmp_path / "acl"
    rights.write_text(f"topic readwrite {'#' if allowed else f'{ROOT}/state'}\n")
    broker = start("allow_anonymous true", f"acl_file {rights}", *own_user)
    camera = f"gate={long_recording(tmp_path)}"

    result = call(tmp_path, "check", "--json", **settings(broker, AGENT_CAMERAS=camera))

    [line] = [each for each in json.loads(result.stdout)["checks"] if each["name"] == "mqtt"]
    assert line["ok"] is allowed
    expected = f"takes the connection, {ROOT}/# may be used" if allowed else "refuses"
    assert expected in line["fact"]


def test_check_and_run_without_the_library_say_what_to_install(tmp_path: Path) -> None:
    hidden = tmp_path / "sitecustomize.py"
    hidden.write_text(
        "import importlib.util as util\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name, *more: None if name == 'paho' else find(name, *more)\n"
    )
    camera = f"gate={long_recording(tmp_path)}"

    result = call(
        tmp_path, "run", AGENT_CAMERAS=camera, AGENT_MQTT_URL="mqtt://x", PYTHONPATH=tmp_path
    )

    assert result.returncode == 78
    assert "AGENT_MQTT_URL needs paho: pip install 'edge-capture-agent[mqtt]'" in result.stderr
    assert "Traceback" not in result.stderr
