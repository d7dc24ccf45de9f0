"""AGENT_HEARTBEAT in the real daemon: what the endpoint gets, whatever becomes of it."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.record.device_status import STATUS_MAX, checked_status
from tests.end_to_end.command import NEVER_ENDS, Daemon, call, clip, quick_model, status, until
from tests.end_to_end.endpoint import LocalEndpoint
from tests.limits import LIMIT_S
from tests.upload.faulty_server import FaultyServer, Request, response, store

pytestmark = pytest.mark.slow

SETTINGS = {
    "AGENT_CAMERAS": f"street={clip()} {NEVER_ENDS}",
    "AGENT_FPS": 5,
    "AGENT_MODEL": quick_model(),
    "AGENT_DEVICE_ID": "gate-07",
    "AGENT_HEARTBEAT": "1s",
    "AGENT_MAX_SIDE": 160,
}


def latest(directory: Path, device: str = "gate-07") -> dict[str, Any]:
    """The latest status of the device; empty before the first."""
    file = directory / "devices" / f"{device}.json"
    return dict(checked_status(file.read_bytes())) if file.exists() else {}


def test_a_device_is_seen_while_it_runs_and_when_it_stops(
    tmp_path: Path, endpoint: Callable[..., LocalEndpoint]
) -> None:
    receiver = endpoint(token="right")
    with Daemon(
        tmp_path, AGENT_UPLOAD_URL=receiver.url, AGENT_UPLOAD_TOKEN="right", **SETTINGS
    ) as daemon:
        until(lambda: latest(receiver.directory).get("upload") == "flowing", what=daemon.describe)
        first = latest(receiver.directory)
        assert (first["daemon"], first["heartbeat_s"]) == ("running", 1.0)
        assert {camera["name"] for camera in first["cameras"]} >= {"street"}
        assert len(first["model_sha256"]) == 64
        until(lambda: status(tmp_path)["heartbeat"]["last"], what=daemon.describe)
        facts = status(tmp_path)
        assert facts["heartbeat"]["error"] is None
        for name in ("device", "version", "model", "budget_per_day", "target", "spool_dir"):
            assert first[name] == facts[name]
        daemon.process.terminate()
        assert daemon.ends() == 0
    last = latest(receiver.directory)
    for _ in range(4):  # the last heartbeat has a second, in which a busy computer may not send it
        if last["daemon"] == "stopped":
            break
        with Daemon(
            tmp_path, AGENT_UPLOAD_URL=receiver.url, AGENT_UPLOAD_TOKEN="right", **SETTINGS
        ) as daemon:
            until(
                lambda: latest(receiver.directory)["since_boot_s"] > last["since_boot_s"],  # noqa: B023
                what=daemon.describe,
            )
            daemon.process.terminate()
            assert daemon.ends() == 0
        last = latest(receiver.directory)
    assert (last["daemon"], last["exit_code"]) == ("stopped", 0)
    assert last["needs"] == ["the daemon does not run"]
    assert last["model_sha256"] == first["model_sha256"]


def test_a_killed_device_falls_silent_and_is_seen_again(
    tmp_path: Path, endpoint: Callable[..., LocalEndpoint]
) -> None:
    receiver = endpoint()
    with Daemon(tmp_path, AGENT_UPLOAD_URL=receiver.url, **SETTINGS) as daemon:
        until(lambda: bool(latest(receiver.directory)), what=daemon.describe)
        daemon.signal(signal.SIGKILL)
        daemon.ends()
    before = latest(receiver.directory)
    assert before["daemon"] == "running"
    with Daemon(tmp_path, AGENT_UPLOAD_URL=receiver.url, **SETTINGS) as daemon:
        until(
            lambda: latest(receiver.directory)["since_boot_s"] > before["since_boot_s"],
            what=daemon.describe,
        )


def answering(status_answer: Any) -> Any:
    """Take each capture, and answer heartbeats with this."""

    def behave(stream: Any, request: Request, stopping: Any) -> None:
        (status_answer if request.line.startswith("PUT") else store)(stream, request, stopping)

    return behave


def test_captures_go_on_while_the_endpoint_never_answers_a_heartbeat(tmp_path: Path) -> None:
    """Nor is the stop late; if the computer stands still in it for 2 s, it is tried again."""
    assert any(stops_in_time_beside_a_silent_heartbeat(tmp_path) for _ in range(3))


def stops_in_time_beside_a_silent_heartbeat(folder: Path) -> bool:
    def silence(_stream: Any, _request: Request, stopping: Any) -> None:
        stopping.wait(LIMIT_S)

    patient = {"AGENT_UPLOAD_TIMEOUT": LIMIT_S}
    with (
        FaultyServer(answering(silence)) as server,
        Daemon(
            folder,
            **SETTINGS | patient | {"AGENT_UPLOAD_WORKERS": 1, "AGENT_EVERY_NTH_FRAME": 2},
            AGENT_UPLOAD_URL=server.url,
        ) as daemon,
    ):
        until(
            lambda: any(request.line.startswith("PUT") for request in server.requests),
            what=daemon.describe,
        )
        daemon.wait_for("capture delivered", len(daemon.events("capture delivered")) + 5)
        daemon.process.terminate()
        assert daemon.ends() == 0
        assert sum(request.line.startswith("PUT") for request in server.requests) == 1
        assert daemon.events("upload delayed") == []
        return daemon.events("stop overdue") == []


@pytest.mark.parametrize("answer", [404, 405, 501])
def test_an_endpoint_without_heartbeats_gets_all_captures_and_one_question(
    tmp_path: Path, answer: int
) -> None:
    with (
        FaultyServer(answering(response(answer))) as server,
        Daemon(
            tmp_path, **SETTINGS | {"AGENT_EVERY_NTH_FRAME": 5}, AGENT_UPLOAD_URL=server.url
        ) as daemon,
    ):
        told = daemon.wait_for("heartbeat refused")
        assert str(answer) in told["error"]
        daemon.wait_for("capture delivered", len(daemon.events("capture delivered")) + 3)
        assert sum(request.line.startswith("PUT") for request in server.requests) == 1
        until(lambda: status(tmp_path)["heartbeat"]["refused"], what=daemon.describe)
        assert status(tmp_path)["upload"] == "flowing"
        daemon.process.terminate()
        assert daemon.ends() == 0


def test_a_device_whose_captures_are_refused_is_seen_with_the_reason(tmp_path: Path) -> None:
    def behave(stream: Any, request: Request, stopping: Any) -> None:
        answer = 204 if request.line.startswith("PUT") else 401
        response(answer)(stream, request, stopping)

    with (
        FaultyServer(behave) as server,
        Daemon(
            tmp_path, **SETTINGS | {"AGENT_EVERY_NTH_FRAME": 5}, AGENT_UPLOAD_URL=server.url
        ) as daemon,
    ):

        def last() -> dict[str, Any]:
            bodies = [each.body for each in server.requests if each.line.startswith("PUT")]
            return json.loads(bodies[-1]) if bodies else {}

        until(lambda: last().get("upload") == "blocked", what=daemon.describe)
        assert "AGENT_UPLOAD_TOKEN" in last()["last_error"]
        assert last()["waiting"] > 0
        assert last()["oldest_waiting"] is not None
        daemon.process.terminate()
        assert daemon.ends() == 0


def test_no_password_of_any_setting_leaves_in_a_heartbeat(
    tmp_path: Path, endpoint: Callable[..., LocalEndpoint]
) -> None:
    receiver = endpoint(token="tok-Secret-1")
    cameras = (
        "rtsp://admin:cam-Secret-2@127.0.0.1:9/live?token=cam-Secret-3 "
        "second=http://u:cam-Secret-4@127.0.0.1:9/mjpg"
    )
    with Daemon(
        tmp_path,
        **SETTINGS
        | {
            "AGENT_CAMERAS": f"first={cameras}",
            "AGENT_UPLOAD_URL": f"{receiver.url}?key=url-Secret-5",
            "AGENT_UPLOAD_TOKEN": "tok-Secret-1",
            "AGENT_MQTT_URL": "mqtt://user:mqtt-Secret-6@127.0.0.1:9",
        },
    ) as daemon:
        until(
            lambda: (
                all(each["error"] for each in latest(receiver.directory).get("cameras", [{}]))
                if latest(receiver.directory)
                else False
            ),
            what=daemon.describe,
        )
        sent = (receiver.directory / "devices" / "gate-07.json").read_text()
        assert "-Secret-" not in sent
        assert len(sent) < STATUS_MAX


def test_a_folder_has_the_latest_status(tmp_path: Path) -> None:
    with Daemon(tmp_path, AGENT_UPLOAD_URL=f"dir:{tmp_path / 'stick'}", **SETTINGS) as daemon:
        until(lambda: bool(latest(tmp_path / "stick")), what=daemon.describe)
        first = latest(tmp_path / "stick")
        until(
            lambda: latest(tmp_path / "stick")["since_boot_s"] > first["since_boot_s"],
            what=daemon.describe,
        )


def test_off_sends_none(tmp_path: Path, endpoint: Callable[..., LocalEndpoint]) -> None:
    receiver = endpoint()
    with Daemon(
        tmp_path,
        AGENT_UPLOAD_URL=receiver.url,
        **SETTINGS | {"AGENT_HEARTBEAT": "off", "AGENT_EVERY_NTH_FRAME": 5},
    ) as daemon:
        daemon.wait_for("capture delivered", 3)
        assert status(tmp_path)["heartbeat"] is None
    assert not (receiver.directory / "devices").exists()


def test_the_upload_test_sends_one(tmp_path: Path, endpoint: Callable[..., LocalEndpoint]) -> None:
    receiver = endpoint()
    done = call(
        tmp_path,
        "check",
        "--upload-test",
        AGENT_UPLOAD_URL=receiver.url,
        **SETTINGS | {"AGENT_CAMERAS": f"street={clip()}"},
    )
    assert "heartbeat  taken: " in done.stdout, done.stdout
    assert "a heartbeat each 1s; --upload-test shows" in done.stdout
    assert latest(receiver.directory)["daemon"] == "none"
