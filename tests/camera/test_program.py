"""`exec:` cameras: real programs that write frames, end, hang, or write something else."""

import contextlib
import errno
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Timer

import cv2
import numpy as np
import pytest

from agent.camera.address import parse_cameras
from agent.camera.images.file import decode_image
from agent.camera.live import LiveCamera
from agent.camera.masked import MaskedSource
from agent.camera.open import make_source
from agent.camera.program import process
from agent.camera.program.connection import Program
from agent.camera.program.process import environment_of
from agent.errors import CameraLost
from agent.system import SystemClock
from tests.camera.mjpeg_server import HEIGHT, WIDTH, jpeg
from tests.fakes.log import Recorder
from tests.limits import LIMIT_S
from tests.runtime.runtime_builders import wait_until
from tests.spool.small_file_system import skip_or_fail

STALL = 60.0  # for a program that is expected to write
SHORT = 0.3  # for one that is not
SHORTEST_FIRST = (SHORT, 10 * SHORT, 100 * SHORT)  # a busy machine may start a program late
LONG = 2 * LIMIT_S  # for one whose end is awaited: it must not come by itself
Run = Callable[..., LiveCamera]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Make cameras of commands; each is closed after the test."""
    monkeypatch.setattr("agent.camera.live.OPEN_AT_LEAST_S", 0.0)
    cameras = []

    def make(
        command: str, options: str = "", *, stall: float = STALL, log: Recorder | None = None
    ) -> LiveCamera:
        [address] = parse_cameras(f"line=exec:{command}{options}")
        camera = make_source(
            address,
            fps=0,
            stall=stall,
            clock=SystemClock(),
            boot_id="b",
            log=None if log is None else log.log,
        )
        assert isinstance(camera, LiveCamera)
        cameras.append(camera)
        return camera

    yield make
    for camera in cameras:
        camera.close()


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Twenty JPEG files in one file."""
    path = tmp_path / "clip.mjpeg"
    path.write_bytes(b"".join(jpeg(number) for number in range(20)))
    return path


def sh(script: str) -> str:
    return f"sh -c {shlex.quote(script)}"


def why_lost(camera: LiveCamera, after: int = 100) -> str:
    """The reason within so many frames; empty if it was not lost."""
    try:
        for _ in range(after):
            camera.read()
    except CameraLost as error:
        return str(error)
    return ""


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pid: int, within: float = LIMIT_S) -> bool:
    until = time.monotonic() + within
    while alive(pid) and time.monotonic() < until:
        os.sched_yield()
    return not alive(pid)


def pids_in(path: Path, count: int) -> list[int]:
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        if path.exists() and len(words := path.read_text().split()) == count:
            return [int(word) for word in words]
    pytest.fail("the program did not start")


def test_mjpeg_of_a_program_is_read(run: Run, clip: Path) -> None:
    camera = run(sh(f"cat {clip}; sleep 60"))
    frame = camera.read()

    assert frame.pixels.shape == (HEIGHT, WIDTH, 3)
    assert frame.camera == "line"
    assert frame.jpeg is not None


def test_raw_i420_of_a_program_is_read(run: Run, tmp_path: Path) -> None:
    bgr = np.zeros((48, 64, 3), np.uint8)
    bgr[:, :32] = (20, 200, 60)
    path = tmp_path / "raw"
    path.write_bytes(cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420).tobytes())
    camera = run(sh(f"cat {path}; sleep 60"), "?format=i420&size=64x48")
    frame = camera.read()

    assert frame.pixels.shape == bgr.shape
    assert np.abs(frame.pixels.astype(int) - bgr)[:, 8:24].max() < 6
    assert frame.jpeg is None


def test_old_frames_of_a_program_do_not_wait(run: Run, tmp_path: Path) -> None:
    """While nobody reads, the program is not held up: the newest frame replaces the others."""
    images = [jpeg(number) for number in range(WIDTH)] * 10
    (tmp_path / "first").write_bytes(images[0])
    (tmp_path / "clip").write_bytes(b"".join(images))
    wait = f"while [ ! -e {tmp_path}/go ]; do sleep 0.02; done"
    camera = run(sh(f"cat {tmp_path}/first; {wait}; cat {tmp_path}/clip; sleep 60"))
    camera.read()
    (tmp_path / "go").touch()
    program = connection_of(camera)
    wait_until(lambda: program._frames == 1 + len(images) and program._held is None)

    assert np.array_equal(camera.read().pixels, decode_image(images[-1]))


def connection_of(camera: LiveCamera) -> Program:
    connection = camera._connection
    assert isinstance(connection, Program)
    return connection


@pytest.mark.parametrize(
    ("command", "options", "why"),
    [
        ("no-such-program -t 0", "", "there is no program no-such-program in "),
        ("/nowhere/grab", "", "cannot start /nowhere/grab: No such file or directory"),
        ("/etc/passwd", "", "cannot start /etc/passwd: it is not executable. Run chmod +x on it"),
        ("/usr", "", "cannot start /usr: it is a folder"),
        (sh("echo no camera >&2; exit 3"), "", "sh ended with exit code 3 after "),
        (sh("echo no camera >&2; exit 3"), "", "Its last lines: no camera"),
        (sh("kill -9 $$"), "", "sh was ended by SIGKILL after "),
        ("true", "", "exit code 0 (let it run without end: rpicam-vid needs -t 0)"),
        (sh("exec >&-; sleep 60"), "", "sh closed its output"),
        ("sleep 60", "", "it wrote nothing for 0.3 s"),
        (sh("echo Setting up; sleep 60"), "", "no frame for 0.3 s. It wrote 11 bytes: text: "),
        (sh("echo Setting up; sleep 60"), "", "text: 'Setting up'. Let it write the video alone"),
        ("yes video", "", "it writes text: 'video\\nvideo"),
        ("cat /dev/zero", "", "neither JPEG nor a known video; it begins with 00 00 00 00"),
        (sh("printf '\\0\\0\\0\\001g'; sleep 60"), "", "It wrote 5 bytes: H.264 or H.265. Let it"),
        (sh("head -c 9 /dev/zero; sleep 60"), "?format=i420&size=64x48", "9 bytes of a frame"),
        ("head -c 5000 /dev/zero", "?format=i420&size=64x48", "one of 64x48 has 4608"),
    ],
)
def test_a_program_that_gives_no_frames_says_why(
    run: Run, command: str, options: str, why: str
) -> None:
    for stall in SHORTEST_FIRST:
        message = why_lost(run(command, options, stall=stall))
        if why in message.replace(f"{stall:.1f} s", "0.3 s"):
            break

    assert message.startswith("cannot ")
    assert why in message.replace(f"{stall:.1f} s", "0.3 s")


def test_jpeg_is_not_taken_for_raw_frames(run: Run, clip: Path) -> None:
    message = why_lost(run(f"cat {clip}", "?format=i420&size=64x48"))

    assert "it writes JPEG, not raw I420. Leave format=i420 and the size away" in message


def test_raw_frames_of_another_size_are_refused(run: Run) -> None:
    for pause in (0.03, 0.3, 3.0):  # a busy machine may read two of them at a time
        frames = f"while head -c 4896 /dev/zero; do sleep {pause}; done"  # of 68x48
        message = why_lost(run(sh(frames), "?format=i420&size=64x48"), after=20)
        if message:
            break

    assert "it writes 4896 bytes at a time, but a frame of 64x48 has 4608: check that" in message


def test_a_program_that_ends_in_an_image_says_so(run: Run, clip: Path) -> None:
    message = why_lost(run(f"head -c -9 {clip}"))

    assert "head ended with exit code 0" in message
    assert "bytes of an image without its end" in message


def test_a_program_that_falls_silent_is_lost_and_started_again(run: Run, clip: Path) -> None:
    for stall in SHORTEST_FIRST:
        camera, again = run(sh(f"cat {clip}; sleep 60"), stall=stall), 0
        message = why_lost(camera)
        camera.close()
        with contextlib.suppress(CameraLost):
            again = camera.read().sequence
        if "no new frame" in message and again:
            break

    assert f"no new frame for {stall:.1f} s" in message
    assert again >= 1


def test_the_lines_of_a_program_are_events_without_secrets(run: Run, clip: Path) -> None:
    recorder = Recorder()
    script = (
        f"for n in 1 2 3 4; do echo frame $n >&2; done; echo 'open rtsp://me:hunter2@h/live' >&2;"
        f" printf 'a\\033[2Jb' >&2; cat {clip}; sleep 60"
    )
    camera = run(sh(script), log=recorder)
    for _ in range(2):
        camera.read()
        camera.close()
    texts = [line["text"] for line in recorder.lines]

    assert texts == ["frame 1", "open rtsp://***@h/live", "a\\x1b[2Jb"]
    assert {line["event"] for line in recorder.lines} == {"program message"}
    assert {line["camera"] for line in recorder.lines} == {"line"}


def test_endless_lines_without_an_end_take_no_memory(run: Run, clip: Path) -> None:
    recorder = Recorder()
    camera = run(sh(f"cat /dev/zero | tr '\\0' x >&2 & cat {clip}; sleep 60"), log=recorder)
    camera.read()
    camera.close()

    assert len(recorder.lines) <= 1


def test_a_program_gets_no_secret_of_ours() -> None:
    own = {
        "PATH": "/bin",
        "LANG": "C",
        "GST_DEBUG": "2",
        "AGENT_UPLOAD_TOKEN": "s",
        "CREDENTIALS_DIRECTORY": "/run/c",
        "AWS_SECRET_ACCESS_KEY": "s",
        "HTTPS_PROXY": "http://u:p@h",
        "NOTIFY_SOCKET": "/run/n",
        "LD_PRELOAD": "x",
    }

    assert environment_of(own) == {"PATH": "/bin", "LANG": "C", "GST_DEBUG": "2"}


def test_the_environment_of_a_real_program_holds_no_setting(
    run: Run, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENT_UPLOAD_TOKEN", "hunter2")
    run(sh(f"env > {tmp_path}/env; cat {clip}; sleep 60")).read()
    text = (tmp_path / "env").read_text()

    assert "PATH=" in text
    assert "hunter2" not in text


def test_all_that_a_program_started_ends_when_it_is_closed(
    run: Run, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what ignores SIGTERM. Nothing stays as a zombie."""
    monkeypatch.setattr(process, "TERM_S", 0.2)
    sleep = f"sleep {LONG:.0f}"
    script = f"trap '' TERM; {sleep} & echo $$ $! > {tmp_path}/pids; cat {clip}; {sleep}"
    camera = run(sh(script))
    camera.read()
    pids = pids_in(tmp_path / "pids", 2)
    assert all(alive(pid) for pid in pids)
    started = time.monotonic()
    camera.close()

    assert time.monotonic() - started < 30, "it waits for what it started"
    assert all(gone(pid) for pid in pids)
    with pytest.raises(ChildProcessError):
        os.waitpid(pids[0], os.WNOHANG)


def test_a_program_that_may_end_by_itself_is_not_killed(
    run: Run, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "TERM_S", LIMIT_S)
    script = (
        f"trap 'echo ended > {tmp_path}/end; exit' TERM; cat {clip}; while :; do sleep 0.05; done"
    )
    camera = run(sh(script))
    camera.read()
    camera.close()

    assert (tmp_path / "end").read_text() == "ended\n"


def test_a_wait_for_a_silent_program_ends_at_a_stop(run: Run, clip: Path) -> None:
    camera = run(sh(f"cat {clip}; sleep 60"))
    camera.read()
    camera.interrupt()
    started = time.monotonic()

    assert "it was stopped" in why_lost(camera)
    assert time.monotonic() - started < STALL / 2, "it does not wait for the next frame"
    assert "it was stopped" in why_lost(camera), "it is not started again"


@pytest.mark.parametrize("is_masked", [False, True])
def test_a_wait_for_the_first_frame_ends_at_a_stop(run: Run, is_masked: bool) -> None:
    camera = run("sleep 60")
    source = MaskedSource(camera, ()) if is_masked else camera
    Timer(0.1, source.interrupt).start()
    started = time.monotonic()

    with pytest.raises(CameraLost, match="it was stopped"):
        source.read()
    assert time.monotonic() - started < STALL / 2


def test_a_silent_program_ends_when_the_agent_is_killed(tmp_path: Path, clip: Path) -> None:
    """It never notices that nobody reads its output."""
    if shutil.which("setpriv") is None:
        skip_or_fail("needs setpriv of util-linux")
    script = f"echo $$ > {tmp_path}/pids; cat {clip}; exec sleep {LONG:.0f}"
    code = f"""
import sys, time
from agent.camera.program.connection import Program
Program("exec:{sh(script)}", open_s=60, read_s=60, report=lambda _: None)
print("started", flush=True)
time.sleep(60)
"""
    agent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert agent.stdout
    assert agent.stdout.readline() == b"started\n"
    [pid] = pids_in(tmp_path / "pids", 1)
    assert alive(pid)
    agent.send_signal(signal.SIGKILL)
    agent.communicate()

    assert gone(pid)


def test_frames_that_nobody_ends_take_bounded_memory(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("agent.camera.program.output.MOST_BYTES", 100_000)
    image = jpeg(3)
    path = tmp_path / "endless"
    path.write_bytes(image[:-2] + b"x" * 300_000)

    assert "one without an end" in why_lost(run(sh(f"cat {path}; sleep 60")))


def test_no_program_is_left_if_its_output_is_no_video(run: Run, tmp_path: Path) -> None:
    why_lost(run(sh(f"echo $$ > {tmp_path}/pids; cat /dev/zero")))
    [pid] = pids_in(tmp_path / "pids", 1)

    assert gone(pid)


def test_without_a_free_descriptor_a_program_is_lost_and_nothing_is_left(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clip: Path
) -> None:
    """So it is with a thread that cannot be started."""
    camera = run(sh(f"echo $$ > {tmp_path}/pids; cat {clip}; sleep 60"))

    def refuse(*_: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    def no_thread(_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(process, "TERM_S", 0.2)
    with monkeypatch.context() as patch:
        patch.setattr("agent.camera.program.connection.os.eventfd", refuse)
        assert "cannot start a program: Too many open files" in why_lost(camera)
    with monkeypatch.context() as patch:
        patch.setattr("agent.camera.program.connection.threading.Thread.start", no_thread)
        assert "cannot read sh: can't start new thread" in why_lost(camera)
    started = (tmp_path / "pids").read_text() if (tmp_path / "pids").exists() else ""
    assert all(gone(int(pid)) for pid in started.split())
    assert camera.read().jpeg


def test_a_program_that_is_reaped_while_its_end_is_looked_at_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = process.Process(["true"])
    waitid = os.waitid

    def reaped_first(*asked: int) -> os.waitid_result | None:
        program.end(ended)  # as another thread does at a stop or a stall
        return waitid(*asked)

    ended = Event()
    ended.set()
    monkeypatch.setattr(os, "waitid", reaped_first)

    with program.stdout, program.stderr:
        assert program.exit_text(10.0).endswith("closed its output")
