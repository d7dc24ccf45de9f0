"""Looking at a running daemon: once, again and again, and by Prometheus."""

import json
import re
import signal
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from agent.selection.feedback import Side, feedback_bytes
from tests import ROOT
from tests.end_to_end.command import (
    COMMAND,
    Daemon,
    assert_law,
    call,
    camera_states,
    clip,
    environment,
    quick_model,
    status,
    until,
)
from tests.end_to_end.endpoint import LocalEndpoint
from tests.fakes.feedback import factor, feedback
from tests.limits import LIMIT_S


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
        _, errors = process.communicate(timeout=LIMIT_S)

    assert [look["waiting"] for look in looks] == [0, 0]
    assert (process.returncode, errors) == (0, "")


TYPES: dict[str, Callable[[object], bool]] = {
    "number": lambda value: type(value) in (int, float),
    "bytes": lambda value: type(value) is int,
    "text": lambda value: type(value) is str,
    "time": lambda value: type(value) is str and is_utc(value),
    "object": lambda value: isinstance(value, dict),
    "list": lambda value: isinstance(value, list),
    "null": lambda value: value is None,
}


def is_utc(text: str) -> bool:
    return datetime.fromisoformat(text).utcoffset() == timedelta(0)


def documented(heading: str) -> dict[str, str]:
    """Names and types of a table of the page."""
    page = (ROOT / "docs" / "operating.md").read_text("utf-8")
    _, _, table = page.partition(f"| {heading} | Type | Meaning |\n")
    rows = re.findall(r"(?m)^\| (`\w+`(?:, `\w+`)*) \| ([a-z ]+) \|", table.split("\n\n")[0])
    return {name: kind for names, kind in rows for name in re.findall(r"\w+", names)}


def assert_as_documented(look: Any, schema: dict[str, str]) -> None:
    assert list(look) == list(schema)
    for name, value in look.items():
        assert any(TYPES[kind](value) for kind in schema[name].split(" or ")), (name, value)


def test_the_status_is_what_the_page_says_of_it(
    tmp_path: Path, endpoint: Callable[..., LocalEndpoint]
) -> None:
    """Before the first start, while the daemon cannot deliver, while it can, and afterwards."""
    schema, camera_schema = documented("Name"), documented("Field of a camera")
    receiver = endpoint(up=False)
    reviewed = tmp_path / "feedback.json"
    reviewed.write_bytes(feedback_bytes(feedback(factor("flicker", Side.BELOW, 0.2))))
    looks = [status(tmp_path)]
    with Daemon(
        tmp_path,
        AGENT_CAMERAS=f"street={clip()} none=/dev/video63",
        AGENT_MODEL=quick_model(),
        AGENT_EVERY_NTH_FRAME=20,
        AGENT_CLIP="1s",
        AGENT_FEEDBACK=reviewed,
        AGENT_UPLOAD_URL=receiver.url,
    ) as daemon:
        daemon.wait_for("upload delayed")
        until(lambda: status(tmp_path)["daemon"] == "running", what=daemon.describe)
        looks.append(status(tmp_path))
        receiver.start()
        daemon.wait_for("capture delivered")

        def has_told_of_both() -> bool:
            cameras = status(tmp_path)["cameras"]
            captured = any(each["last_capture_id"] for each in cameras)
            return captured and "lost" in [each["state"] for each in cameras]

        until(has_told_of_both, what=daemon.describe)
        looks.append(status(tmp_path))
        daemon.process.terminate()
        assert daemon.ends() == 0
    looks.append(status(tmp_path))

    for look in looks:
        assert_as_documented(look, schema)
        for camera in look["cameras"]:
            assert_as_documented(camera, camera_schema)
        assert_law(look)
    seldom = {"model_error", "hours_until_full", "last_error", "disk_error", "mqtt", "mqtt_error"}
    seldom |= {"auto", "next_credit_s"}  # there is no budget
    for name in set(schema) - seldom:
        assert any(look[name] is not None for look in looks), name
    assert [look["daemon"] for look in looks] == ["none", "running", "running", "stopped"]
    assert {look["upload"] for look in looks} <= {"flowing", "delayed", "blocked", "closed", None}
    street, none = looks[2]["cameras"]
    assert (street["width"], street["height"]) == (640, 272)
    assert street["last_capture_id"] in daemon.stored()
    assert (none["state"], none["last_frame_age_s"]) == ("lost", None)
    assert looks[2]["needs"] == [need for need in looks[2]["needs"] if "camera none: lost" in need]


def test_a_daemon_that_was_killed_is_not_taken_for_a_running_one(tmp_path: Path) -> None:
    with Daemon(tmp_path, AGENT_CAMERAS="/dev/video63") as daemon:
        daemon.wait_for("camera lost")
        until(lambda: camera_states(tmp_path) == ["lost"], what=daemon.describe)
        alive = status(tmp_path, AGENT_CAMERAS="/dev/video63")
        daemon.process.kill()
        daemon.process.wait()
        dead = status(tmp_path, AGENT_CAMERAS="/dev/video63")

    assert (alive["daemon"], alive["cameras"][0]["state"]) == ("running", "lost")
    assert (dead["daemon"], dead["daemon_pid"], dead["cameras"][0]["state"]) == (
        "killed",
        None,
        "off",
    )
    assert dead["needs"] == ["the daemon does not run: it was killed or crashed"]


@pytest.mark.slow
def test_a_daemon_that_hangs_is_not_taken_for_a_running_one(tmp_path: Path) -> None:
    """Its process and its lock are there; its state in memory gets old."""
    (tmp_path / "run").mkdir(mode=0o700)
    with Daemon(
        tmp_path, AGENT_CAMERAS="/dev/video63", RUNTIME_DIRECTORY=tmp_path / "run"
    ) as daemon:
        daemon.wait_for("camera lost")
        until(lambda: status(tmp_path)["daemon"] == "running", what=daemon.describe)
        daemon.signal(signal.SIGSTOP)
        until(lambda: status(tmp_path)["daemon"] == "silent", what=daemon.describe)
        result = call(tmp_path, "status")
        daemon.signal(signal.SIGCONT)

    assert result.returncode == 1
    assert "the daemon does not answer: its state is" in result.stdout


def test_the_state_of_a_blocked_upload_survives_the_words_of_the_endpoint(
    tmp_path: Path, endpoint: Callable[..., LocalEndpoint]
) -> None:
    words = "\u0417\u0430\u043f\u0440\u0435\u0449\u0435\u043d\u043e \x1b[2J " * 40
    with (
        HeldEndpoint(words) as url,
        Daemon(
            tmp_path,
            AGENT_CAMERAS=f"street={clip()} none=/dev/video63",
            AGENT_MODEL=quick_model(),
            AGENT_EVERY_NTH_FRAME=20,
            AGENT_UPLOAD_URL=url,
        ) as daemon,
    ):
        daemon.wait_for("upload blocked")
        until(lambda: status(tmp_path)["upload"] == "blocked", what=daemon.describe)
        facts, shown = status(tmp_path), call(tmp_path, "status")
        daemon.process.terminate()
        assert daemon.ends() == 0
    after = status(tmp_path)

    assert facts["last_error"] is not None
    assert "\x1b" not in facts["last_error"] + shown.stdout
    assert any(need.startswith("nothing can be delivered") for need in facts["needs"])
    assert shown.returncode == 1
    assert (after["last_error"], after["daemon"]) == (facts["last_error"], "stopped")


class HeldEndpoint:
    """Refuses every token with the same words."""

    def __init__(self, words: str) -> None:
        body = words.encode()

        class Refusal(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(401)
                self.send_header("Content-Type", "text/plain; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Stay quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Refusal)
        self._thread = Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}/captures"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def test_the_daemon_writes_its_figures_for_prometheus(tmp_path: Path) -> None:
    """Also those of its last seconds."""
    file = tmp_path / "agent.prom"
    settings = {"AGENT_CAMERAS": f"street={clip()}", "AGENT_FPS": 0, "AGENT_MODEL": quick_model()}
    result = call(tmp_path, "run", AGENT_METRICS_FILE=file, **settings)
    assert result.returncode == 0, result.stderr
    text = file.read_text("utf-8")

    assert "# TYPE capture_agent_captures_waiting gauge\n" in text
    assert "capture_agent_frames_analysed_total 250\n" in text
