"""What a person sees beside the running daemon: the newest frames, and what waits."""

import os
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from uuid import uuid4

import cv2
import numpy as np
import pytest

from agent.camera.images.file import read_image
from agent.exchange.asks import Ask, AskKind
from tests.end_to_end.command import (
    COMMAND,
    Daemon,
    call,
    camera_states,
    clip,
    environment,
    here,
    quick_model,
    until,
)
from tests.limits import LIMIT_S

TWO = {
    "AGENT_CAMERAS": f"street={clip()} gate=/dev/video63",
    "AGENT_FPS": 0,
    "AGENT_MODEL": quick_model(),
    "AGENT_EVERY_NTH_FRAME": 50,
}


def test_look_shows_the_newest_frames_and_says_which_camera_has_none(tmp_path: Path) -> None:
    with Daemon(tmp_path, **TWO) as daemon:
        daemon.wait_for("camera ended")
        until(lambda: camera_states(tmp_path) == ["ended", "lost"], what=daemon.describe)
        both = call(tmp_path, "look")
        one = here(tmp_path, "look", "street", "--out", "one.jpg")
        none = here(tmp_path, "look", "gate", "--out", "none.jpg")
        wrong = here(tmp_path, "look", "yard")
        live = tmp_path / "spool" / "live"
        until(lambda: [path.name for path in live.iterdir()] == ["state.json"])

    assert (both.returncode, one.returncode, none.returncode) == (75, 0, 75)
    assert "gate: no frame: the camera is lost: cannot open camera /dev/video63" in both.stdout
    assert "640x272" in both.stdout
    assert both.stdout.endswith("look.jpg: street\n")
    assert read_image(tmp_path / "one.jpg").shape[1] >= 1280
    assert not (tmp_path / "none.jpg").exists()
    assert wrong.returncode == 1
    assert "the cameras are street, gate" in wrong.stderr


def test_what_waits_is_shown_with_and_without_a_daemon(tmp_path: Path) -> None:
    nothing = here(tmp_path, "look", "--waiting")
    with Daemon(tmp_path, **TWO) as daemon:
        daemon.wait_for("capture stored", 3)
        beside = here(tmp_path, "look", "--waiting", "--out", "a.jpg")
    alone = here(tmp_path, "look", "street", "--waiting", "--out", "b.jpg")
    other = here(tmp_path, "look", "gate", "--waiting")

    assert (nothing.returncode, beside.returncode, alone.returncode) == (75, 0, 0)
    assert "no capture waits" in nothing.stderr
    assert "of the captures that wait" in beside.stdout
    assert (tmp_path / "a.jpg").stat().st_size > 10_000
    assert (tmp_path / "b.jpg").stat().st_size > 10_000
    assert (other.returncode, "no capture of camera gate waits" in other.stderr) == (75, True)


def test_without_a_daemon_there_is_nothing_to_look_at(tmp_path: Path) -> None:
    result = here(tmp_path, "look")

    assert result.returncode == 3
    assert "no daemon runs" in result.stderr


@pytest.mark.slow
def test_the_image_goes_to_standard_output(tmp_path: Path) -> None:
    with Daemon(tmp_path, **TWO) as daemon:
        daemon.wait_for("camera ended")
        done = subprocess.run(
            [COMMAND, "look", "street", "--out", "-"],
            env=environment(tmp_path, {}),
            cwd=tmp_path,
            capture_output=True,
            check=True,
            timeout=LIMIT_S,
        )

    assert cv2.imdecode(np.frombuffer(done.stdout, np.uint8), cv2.IMREAD_COLOR) is not None
    assert b"street: " in done.stderr


def is_put(make: Callable[[Path], None], place: Path) -> bool:
    """Whether it was made there; not while the daemon writes a file of this name."""
    try:
        make(place)
    except FileExistsError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_what_others_put_into_the_folder_stops_nobody(tmp_path: Path, kind: str) -> None:
    with Daemon(tmp_path, **TWO) as daemon:
        daemon.wait_for("camera ended")
        live = tmp_path / "spool" / "live"
        ask = Ask(str(uuid4()), AskKind.FRAMES)
        for name in (ask.name, ask.answer_name, f"{ask.answer_name}.tmp", "state.json.tmp"):
            if kind == "pipe":
                until(partial(is_put, os.mkfifo, live / name))
            elif name != ask.name:
                until(partial(is_put, os.mkdir, live / name))
        for number in range(500):
            (live / f"junk{number}").write_bytes(b"x" * 1000)
        result = here(tmp_path, "look", "street")
        daemon.process.terminate()
        assert daemon.ends() == 0

    if kind == "folder":  # the state cannot be replaced: said once
        assert len(daemon.events("status unavailable")) == 1
    else:
        assert result.returncode == 0, result.stderr
