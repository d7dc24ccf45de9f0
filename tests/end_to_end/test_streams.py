"""A closed, full, blocked or narrow stream: a command still does its work and ends when asked."""

import contextlib
import json
import os
import pty
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.command import (
    COMMAND,
    NEVER_ENDS,
    call,
    clip,
    environment,
    quick_model,
    until,
)
from tests.limits import LIMIT_S

ENDS_S = 90.0


def stored(folder: Path) -> int:
    """Captures on disk."""
    facts = call(folder, "status", "--json").stdout
    return int(json.loads(facts)["waiting"]) if facts else 0


def shell(folder: Path, command: str, **settings: object) -> subprocess.CompletedProcess[bytes]:
    """Run a command line of a shell, in which $0 is the program."""
    return subprocess.run(
        ["sh", "-c", command, COMMAND],
        env=environment(folder, settings),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=LIMIT_S,
        check=False,
    )


@pytest.mark.slow
def test_the_daemon_works_without_standard_error(tmp_path: Path) -> None:
    done = shell(
        tmp_path,
        '"$0" run <&- >&- 2>&-',
        AGENT_CAMERAS=clip(),
        AGENT_FPS=0,
        AGENT_EVERY_NTH_FRAME=50,
        AGENT_MAX_SIDE=160,
    )

    assert done.returncode == 0
    assert stored(tmp_path) > 0


COMMANDS = ["check --json", "status --json", "--help"]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_closed_standard_output_is_no_error_of_its_own(tmp_path: Path, command: str) -> None:
    closed = shell(tmp_path, f'"$0" {command} >&-', AGENT_CAMERAS=clip())
    kept = shell(tmp_path, f'"$0" {command}', AGENT_CAMERAS=clip())

    assert closed.returncode == kept.returncode
    assert b"Traceback" not in closed.stderr


@pytest.mark.parametrize("command", ["env", "--version"])
def test_a_standard_output_that_takes_no_more_is_told(tmp_path: Path, command: str) -> None:
    done = shell(tmp_path, f'"$0" {command} >/dev/full')

    assert done.returncode == 1
    assert done.stderr == b"capture-agent: cannot write the result: No space left on device\n"


def test_a_wrong_argument_is_repeated_without_its_secret(tmp_path: Path) -> None:
    done = shell(tmp_path, '"$0" demo --clip rtsp://admin:s3cret@10.0.0.7/x')

    assert done.returncode == 2
    assert b"rtsp://***@10.0.0.7/x" in done.stderr
    assert b"s3cret" not in done.stdout + done.stderr


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    done = shell(tmp_path, '"$0" env | head -1')

    assert done.stderr == b""


@pytest.mark.parametrize("encoding", [pytest.param("latin-1", marks=pytest.mark.slow), "ascii"])
@pytest.mark.parametrize("command", ["check", "run", "--help"])
def test_a_terminal_that_lacks_letters_gets_escapes(
    tmp_path: Path, encoding: str, command: str
) -> None:
    done = shell(
        tmp_path,
        f'PYTHONUTF8=0 PYTHONIOENCODING={encoding} "$0" {command}',
        AGENT_CAMERAS="/data/日本→/clip.mp4",
        AGENT_DEVICE_ID="Tür→",
    )

    assert b"Traceback" not in done.stderr
    assert b"UnicodeEncodeError" not in done.stderr
    assert done.returncode in (0, 1, 3, 78)


def fill(descriptor: int) -> None:
    """Write until the pipe takes no more."""
    os.set_blocking(descriptor, False)
    with contextlib.suppress(BlockingIOError):
        while os.write(descriptor, b"x" * 4096):
            pass
    os.set_blocking(descriptor, True)


def test_a_blocked_standard_error_stops_neither_the_work_nor_the_end(tmp_path: Path) -> None:
    """As behind a pager that is stopped: nobody reads the pipe."""
    reading, writing = os.pipe()
    fill(writing)
    cameras = f"{NEVER_ENDS} street={clip()}"
    settings = {"AGENT_CAMERAS": cameras, "AGENT_FPS": 0, "AGENT_MODEL": quick_model()}
    capture = {"AGENT_EVERY_NTH_FRAME": 20, "AGENT_MAX_SIDE": 160}
    daemon = subprocess.Popen(
        [COMMAND, "run"],
        env=environment(tmp_path, settings | capture),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=writing,
    )
    os.close(writing)
    try:
        until(lambda: stored(tmp_path) > 3, what=lambda: "no captures", every_s=0.2)
        daemon.send_signal(signal.SIGINT)
        assert daemon.wait(ENDS_S) == 0
    finally:
        daemon.kill()
        daemon.wait()
        os.close(reading)


def test_two_signals_end_a_start_that_is_blocked_in_standard_error(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    fill(writing)
    daemon = subprocess.Popen(
        [COMMAND, "run"],
        env=environment(tmp_path, {"AGENT_FPS": "x" * 5000}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=writing,
    )
    os.close(writing)
    try:
        wait_until_blocked(daemon.pid)
        daemon.send_signal(signal.SIGINT)
        daemon.wait(ENDS_S)
    finally:
        daemon.kill()
        daemon.wait()
        os.close(reading)


def wait_until_blocked(process: int) -> None:
    """Until its main thread waits in the kernel for room in a pipe."""
    wchan = Path(f"/proc/{process}/wchan")
    until(lambda: "pipe_write" in wchan.read_text("ascii"), what=lambda: "not blocked")


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """The two ends of a terminal: that of the person, and that of the program."""
    person, program = pty.openpty()
    yield person, program
    for descriptor in (person, program):
        with contextlib.suppress(OSError):
            os.close(descriptor)


def start_in(
    terminal: tuple[int, int], folder: Path, *, before: str = ""
) -> subprocess.Popen[bytes]:
    _, program = terminal
    # Where the tests run under nohup, the signal would be ignored from the start.
    not_ignored = ["env", "--default-signal=HUP"]
    return subprocess.Popen(
        [*not_ignored, "setsid", "--ctty", "sh", "-c", f'{before} exec "$0" run', COMMAND],
        env=environment(folder, {"AGENT_CAMERAS": NEVER_ENDS}),
        cwd=folder,
        stdin=program,
        stdout=program,
        stderr=program,
    )


def read_until(descriptor: int, text: bytes) -> None:
    seen = b""
    while text not in seen:
        seen += os.read(descriptor, 4096)


def test_a_daemon_whose_terminal_is_closed_stops(tmp_path: Path, terminal: tuple[int, int]) -> None:
    daemon = start_in(terminal, tmp_path)
    try:
        read_until(terminal[0], b"camera lost")
        os.close(terminal[1])
        os.close(terminal[0])
        assert daemon.wait(ENDS_S) == 0
    finally:
        daemon.kill()
        daemon.wait()


def test_a_signal_to_reload_does_not_stop_a_daemon_in_a_terminal(
    tmp_path: Path, terminal: tuple[int, int]
) -> None:
    daemon = start_in(terminal, tmp_path)
    try:
        read_until(terminal[0], b"camera lost")
        daemon.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            daemon.wait(2)
        daemon.send_signal(signal.SIGTERM)
        read_until(terminal[0], b"agent stopped")
        assert daemon.wait(ENDS_S) == 0
    finally:
        daemon.kill()
        daemon.wait()


def test_who_asks_to_survive_the_terminal_does(tmp_path: Path, terminal: tuple[int, int]) -> None:
    """As `nohup` starts it: the signal is ignored, and the log goes elsewhere."""
    daemon = start_in(terminal, tmp_path, before='trap "" HUP; exec 2>log;')
    (tmp_path / "log").touch()
    try:
        until(lambda: b"camera lost" in (tmp_path / "log").read_bytes(), what=lambda: "no log")
        os.close(terminal[1])
        os.close(terminal[0])
        with pytest.raises(subprocess.TimeoutExpired):
            daemon.wait(2)
    finally:
        daemon.kill()
        daemon.wait()
