"""Cameras by `exec:` in the real daemon: beside each other, and whatever ends it."""

import os
import signal
from pathlib import Path

import pytest

from tests.camera.mjpeg_server import jpeg
from tests.end_to_end.command import Daemon, call, status, until

CAMERAS = 10
PASSWORD = "hunter2"


def program(folder: Path, name: str, *, hangs: bool = False) -> str:
    """Return a camera: a shell that shows 20 images over and over, and a child of it.

    One that hangs writes nothing and ignores SIGTERM.
    """
    begin = f"sleep 1000 & echo $$ $! >> {folder}/pids\n"
    script = f"{begin}while :; do for image in {folder}/*.jpg; do cat $image; sleep 0.2; done; done"
    if hangs:
        script = f"trap '' TERM\n{begin}sleep 1000"
    (folder / name).write_text(script)
    return f"'{name}=exec:sh {folder}/{name} rtsp://me:{PASSWORD}@h/x'"


@pytest.fixture
def cameras(tmp_path: Path) -> str:
    for number in range(20):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg(number))
    return " ".join(program(tmp_path, f"c{n}", hangs=n == 0) for n in range(CAMERAS))


def alive(folder: Path) -> list[int]:
    """The programs, and what they started, that still run."""
    pids = [int(pid) for pid in (folder / "pids").read_text().split()]
    assert len(pids) >= 2 * CAMERAS
    return [pid for pid in pids if is_alive(pid)]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def settings(cameras: str) -> dict[str, object]:
    return {
        "AGENT_CAMERAS": cameras,
        "AGENT_CAMERA_STALL": "10s",
        "AGENT_FPS": 2,
        "AGENT_EVERY_NTH_FRAME": 5,
        "AGENT_MAX_SIDE": 64,
        "AGENT_UPLOAD_TOKEN": "token-of-the-endpoint",
    }


@pytest.mark.slow
def test_nine_programs_work_while_the_tenth_hangs_and_all_end_at_a_stop(
    tmp_path: Path, cameras: str
) -> None:
    with Daemon(tmp_path, **settings(cameras)) as daemon:
        daemon.wait_for("camera opened", CAMERAS - 1)
        lost = daemon.wait_for("camera lost")
        assert lost["camera"] == "c0"
        assert "it wrote nothing for 10.0 s" in lost["error"]
        cameras_shown = status(tmp_path)["cameras"]
        assert {each["name"] for each in cameras_shown} == {f"c{n}" for n in range(CAMERAS)}
        assert PASSWORD not in str(cameras_shown)
        known = len(daemon.lines)

        def captured() -> set[str]:
            later = daemon.lines[known:]
            return {line["camera"] for line in later if line["event"] == "frame captured"}

        until(lambda: captured() == {f"c{n}" for n in range(1, CAMERAS)}, what=daemon.describe)
        assert not daemon.events("worker stalled")
        daemon.signal(signal.SIGTERM)

        assert daemon.ends() == 0, daemon.text
        assert PASSWORD not in daemon.text
        overdue = [line["workers"] for line in daemon.events("stop overdue")]
        assert set(overdue) <= {"camera c0"}
        assert {line["camera"] for line in daemon.events("camera lost")} == {"c0"}
    until(lambda: not alive(tmp_path))


@pytest.mark.slow
def test_no_program_outlives_a_daemon_that_was_killed(tmp_path: Path, cameras: str) -> None:
    """What a program started may stay without systemd, which ends all of a service."""
    with Daemon(tmp_path, **settings(cameras)) as daemon:
        daemon.wait_for("camera opened", CAMERAS - 1)
        daemon.signal(signal.SIGKILL)
        daemon.ends()
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    until(lambda: not any(is_alive(pid) for pid in pids[::2]))
    for pid in pids[1::2]:
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.slow
def test_replay_takes_no_program(tmp_path: Path) -> None:
    done = call(tmp_path, "replay", f"exec:touch {tmp_path}/ran --password {PASSWORD}")

    assert done.returncode != 0
    assert "is a program; replay reads recordings" in done.stderr
    assert PASSWORD not in done.stderr
    assert not (tmp_path / "ran").exists()


@pytest.mark.slow
def test_check_says_what_a_program_gives(tmp_path: Path) -> None:
    for number in range(1, 4):
        (tmp_path / str(number)).write_bytes(jpeg(number))
    loop = f"while :; do for n in 1 2 3; do cat {tmp_path}/$n; sleep 0.1; done; done"
    done = call(
        tmp_path,
        "check",
        AGENT_CAMERAS=f"""good="exec:sh -c '{loop}'" 'bad=exec:sh -c "echo no >&2; exit 7"'""",
        AGENT_CAMERA_STALL="60s",
    )
    text = " ".join((done.stdout + done.stderr).split())

    assert "160x120 at" in text, text
    assert "sh ended with exit code 7 after" in text
    assert "Its last lines: no" in text
