"""What systemd hears, as systemd hears it: a datagram socket and prefixes."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.record.file_format import encode, file_name
from agent.spool.reconciliation import GROUP
from tests.end_to_end.command import Daemon, call, clip, until
from tests.fakes.captures import entry, record_of

ENDLESS = {"AGENT_CAMERAS": f"/dev/video63 street={clip()}".replace("/dev", "none=/dev", 1)}


class Manager:
    """The receiving end of sd_notify(3)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.received: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(0.05)

    def listen(self) -> list[str]:
        """All lines so server."""
        while True:
            try:
                self.received += self._socket.recv(4096).decode().splitlines()
            except TimeoutError:
                return self.received

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(tmp_path / "notify")
    yield manager
    manager.close()


def test_the_service_manager_hears_ready_progress_and_stop(
    tmp_path: Path, manager: Manager
) -> None:
    settings = {
        **ENDLESS,
        "NOTIFY_SOCKET": manager.path,
        "WATCHDOG_USEC": 600_000,
        "AGENT_LOG_FORMAT": "logfmt",
    }
    with Daemon(tmp_path, **settings) as daemon:
        until(lambda: "READY=1" in manager.listen(), what=daemon.describe)
        until(lambda: "model loaded" in daemon.text, what=daemon.describe)
        assert manager.received[0].startswith("EXTEND_TIMEOUT_USEC=")  # while the model loads
        until(lambda: manager.listen().count("WATCHDOG=1") >= 4, what=daemon.describe)
        daemon.process.terminate()
        # The socket holds ten messages, and the daemon waits a second for room: keep reading.
        until(lambda: "STOPPING=1" in manager.listen(), what=daemon.describe)
        assert daemon.ends() == 0
    received = manager.listen()

    assert "STOPPING=1" in received
    assert received.index("READY=1") < received.index("WATCHDOG=1") < received.index("STOPPING=1")
    assert received.count("READY=1") == 1


def test_the_service_manager_waits_while_a_lost_index_is_rebuilt(
    tmp_path: Path, manager: Manager
) -> None:
    records = tmp_path / "spool" / "cache" / "records"
    records.mkdir(parents=True)
    data = encode(record_of(1, b""), b"")
    for number in range(GROUP + 1):
        name = file_name(entry(number, size=len(data)))
        (records / name).write_bytes(data)

    settings = {
        **ENDLESS,
        "NOTIFY_SOCKET": manager.path,
        "AGENT_SPOOL_DIR": tmp_path / "spool",
        "AGENT_UPLOAD_URL": "",
    }
    with Daemon(tmp_path, **settings) as daemon:
        until(lambda: "READY=1" in manager.listen(), what=daemon.describe)

    assert manager.received[0].startswith("EXTEND_TIMEOUT_USEC=")
    assert manager.received[1] == (
        f"STATUS=rebuilding the index of the spool: {GROUP} of {GROUP + 1} files"
    )


def test_each_log_line_has_its_priority_under_systemd(tmp_path: Path) -> None:
    settings = {"AGENT_CAMERAS": "missing.mp4", "AGENT_LOG_FORMAT": "auto", "JOURNAL_STREAM": "8:1"}
    result = call(tmp_path, "run", **settings)

    assert result.returncode == 78
    lines = result.stderr.splitlines()
    assert lines
    assert all(re.match(r"<[2-6]>level=\w+ event=", line) for line in lines)
    assert [line[:3] for line in lines if "camera lost" in line] == ["<3>"]
    assert not [line for line in lines if "time=" in line]


def test_a_wrong_configuration_tells_systemd_not_to_try_again(
    tmp_path: Path, manager: Manager
) -> None:
    settings = {"NOTIFY_SOCKET": manager.path, "JOURNAL_STREAM": "8:1", "AGENT_FPS": "fast"}
    result = call(tmp_path, "run", **settings)

    assert result.returncode == 78
    assert result.stderr.splitlines()[-1].startswith(
        "<3>capture-agent: AGENT_FPS: must be a number"
    )
    assert "READY=1" not in manager.listen()
