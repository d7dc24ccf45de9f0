"""Nothing leaves the device but captures: no other connection, no lookup, no other file."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.end_to_end import command
from tests.end_to_end.command import COMMAND, long_recording
from tests.end_to_end.endpoint import LocalEndpoint
from tests.end_to_end.system_calls import Trace, traced

SYSTEM = ("/dev/null", "/dev/tty", "/proc/self/", "/dev/shm/sem.")
"""What a process may write to without leaving anything behind."""


UNTIL_DELIVERED = """
"$0" run & daemon=$!
while kill -0 $daemon && ! ls dataset/images/*.jpg >/dev/null 2>&1; do sleep 0.2; done
kill -TERM $daemon
wait $daemon
"""


def environment(folder: Path, settings: dict[str, object]) -> dict[str, str]:
    """Settings and a home; Python's own cache of compiled modules is not ours."""
    return command.environment(folder, settings) | {"PYTHONDONTWRITEBYTECODE": "1"}


def assert_only(trace: Trace, *, url: str, folders: list[Path]) -> None:
    parts = urlsplit(url)
    assert trace.peers <= {(parts.hostname, parts.port)}
    allowed = (*SYSTEM, *(f"{folder}/" for folder in folders))
    foreign = {path for path in trace.written if not f"{path}/".startswith(allowed)}
    assert foreign == set()


@pytest.mark.parametrize("home", ["fresh", "read-only"])
def test_check_connects_to_the_endpoint_alone_and_writes_nothing(
    tmp_path: Path, endpoint: Callable[..., LocalEndpoint], home: str
) -> None:
    (tmp_path / "home").mkdir()
    settings = environment(
        tmp_path,
        {
            "HOME": tmp_path / "home" if home == "fresh" else "/proc/1",
            "AGENT_CAMERAS": long_recording(tmp_path),
            "AGENT_UPLOAD_URL": endpoint().url,
        },
    )
    done, trace = traced(tmp_path, [COMMAND, "check"], settings)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert trace.peers != set()
    assert not trace.listens
    assert_only(trace, url=settings["AGENT_UPLOAD_URL"], folders=[tmp_path / "spool"])


def test_run_connects_to_the_endpoint_alone_and_writes_into_its_spool_alone(
    tmp_path: Path, endpoint: Callable[..., LocalEndpoint]
) -> None:
    (tmp_path / "home").mkdir()
    settings = environment(
        tmp_path,
        {
            "HOME": tmp_path / "home",
            "AGENT_CAMERAS": long_recording(tmp_path),
            "AGENT_FPS": "1",
            "AGENT_EVERY_NTH_FRAME": "2",
            "AGENT_UPLOAD_URL": endpoint().url,
        },
    )
    done, trace = traced(tmp_path, ["sh", "-c", UNTIL_DELIVERED, COMMAND], settings)

    assert done.returncode == 0, done.stderr
    assert 'event="capture delivered"' in done.stderr
    assert not trace.listens  # until AGENT_API is set
    state = [tmp_path / "spool", *tmp_path.glob("known-good*")]
    assert_only(trace, url=settings["AGENT_UPLOAD_URL"], folders=state)
    assert list((tmp_path / "home").iterdir()) == []


@pytest.mark.slow
def test_the_demo_connects_to_its_own_endpoint_and_writes_into_its_folder(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    settings = environment(tmp_path, {"HOME": tmp_path / "home"})
    done, trace = traced(tmp_path, [COMMAND, "demo", "--dir", str(tmp_path / "demo")], settings)

    assert done.returncode == 0, done.stderr
    assert {host for host, _ in trace.peers} <= {"127.0.0.1"}
    ports = {port for _, port in trace.peers}
    assert len(ports) == 1
    assert_only(trace, url=f"http://127.0.0.1:{ports.pop()}", folders=[tmp_path / "demo"])
    assert list((tmp_path / "home").iterdir()) == []


def test_telemetry_that_was_left_on_would_be_found(tmp_path: Path) -> None:
    """The proof of this proof: a connection, a lookup and a file elsewhere are seen."""
    (tmp_path / "state").mkdir()
    program = (
        "import socket\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "s.sendto(b'lookup', ('127.0.0.53', 53))\n"
        "try: socket.create_connection(('127.0.0.1', 1), 1)\n"
        "except OSError: pass\n"
        "open('elsewhere', 'w').close()\n"
        "socket.create_server(('127.0.0.1', 0)).close()\n"
    )
    _, trace = traced(tmp_path, [COMMAND.replace("capture-agent", "python"), "-c", program], {})

    assert {("127.0.0.53", 53), ("127.0.0.1", 1)} <= trace.peers
    assert trace.listens
    with pytest.raises(AssertionError):
        assert_only(trace, url="http://127.0.0.9:1", folders=[tmp_path])
    with pytest.raises(AssertionError, match="elsewhere"):
        assert_only(Trace(written=trace.written), url="", folders=[tmp_path / "state"])
