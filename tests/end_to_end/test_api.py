"""The API of the real daemon: beside a running pipeline, and at its end."""

import contextlib
import signal
import socket
import stat
from pathlib import Path

import pytest

from tests.end_to_end.command import NEVER_ENDS, Daemon, call, quick_model, status, until
from tests.fakes.api import ApiClient

JSON_HEAD = b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\n"
SLOW_CLIENTS = (
    b"",
    b"GET /v1/status HTTP/1.1\r\n",
    b"GET /v1/live HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST /v1/captures HTTP/1.1\r\nHost: localhost\r\n" + JSON_HEAD + b"{",
)


def with_api(folder: Path) -> tuple[Path, dict[str, object]]:
    """Return a socket, and the settings of a daemon that serves it."""
    path = folder / "api.sock"
    return path, {
        "AGENT_CAMERAS": NEVER_ENDS,
        "AGENT_MODEL": quick_model(),
        "AGENT_API": f"unix:{path}",
    }


def test_the_api_answers_as_the_commands_do(tmp_path: Path) -> None:
    path, settings = with_api(tmp_path)
    with Daemon(tmp_path, **settings) as daemon:
        started = daemon.wait_for("api started")
        assert (started["address"], started["token"]) == (f"unix:{path}", False)
        client = ApiClient(path=path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        until(lambda: client.get("/v1/status").json["daemon"] == "running", what=daemon.describe)
        until(lambda: status(tmp_path, **settings)["daemon"] == "running", what=daemon.describe)

        told, printed = client.get("/v1/status").json, status(tmp_path, **settings)
        changing = {"uptime_s", "state_age_s", "cameras", "needs", "disk_free_bytes"}
        same = set(told) - changing - {"disk_free_files", "hours_until_full", "next_credit_s"}
        assert {name: told[name] for name in same} == {name: printed[name] for name in same}
        assert [set(each) for each in told["cameras"]] == [set(each) for each in printed["cameras"]]
        assert b"capture_agent_info{" in client.get("/metrics").body


def test_slow_clients_hold_no_stop(tmp_path: Path) -> None:
    """The API has 2.5 s to end: if the computer stands still for so long, it is tried again."""
    path, settings = with_api(tmp_path)

    def stops_in_time() -> bool:
        with Daemon(tmp_path, **settings) as daemon, contextlib.ExitStack() as clients:
            daemon.wait_for("api started")
            for sent in SLOW_CLIENTS:
                slow = clients.enter_context(socket.socket(socket.AF_UNIX))
                slow.connect(str(path))
                slow.sendall(sent)
            assert ApiClient(path=path).get("/metrics").status == 200  # they are being served
            daemon.signal(signal.SIGTERM)

            assert daemon.ends() == 0, daemon.text
            assert daemon.events("agent stopped")[0]["exit_code"] == 0
            if daemon.events("stop overdue"):
                return False
            assert not daemon.events("library message")
            assert not path.exists()
            return True

    assert any(stops_in_time() for _ in range(3))


@pytest.mark.slow
def test_check_knows_the_daemon_that_listens(tmp_path: Path) -> None:
    settings = {
        "AGENT_CAMERAS": NEVER_ENDS,
        "AGENT_MODEL": quick_model(),
        "AGENT_API": f"unix:{tmp_path}/api.sock",
    }
    with Daemon(tmp_path, **settings) as daemon:
        daemon.wait_for("api started")
        checked = call(tmp_path, "check", **settings).stdout

    assert f"unix:{tmp_path}/api.sock; for the user " in checked
    assert f"the daemon (process {daemon.process.pid}) listens there" in checked


def test_an_api_that_cannot_be_opened_ends_the_start_with_what_to_change(tmp_path: Path) -> None:
    """Before the model is loaded, and with all that is wrong at once."""
    done = call(tmp_path, "run", AGENT_CAMERAS=NEVER_ENDS, AGENT_API="0.0.0.0:8787", AGENT_FPS="-1")

    assert done.returncode == 78
    lines = done.stderr.splitlines()
    assert [line.split()[1] for line in lines] == ["AGENT_FPS:", "AGENT_API:"]
    assert "other computers can reach it, so it needs a token" in lines[1]
    assert "Traceback" not in done.stderr
