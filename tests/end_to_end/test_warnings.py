"""What `journalctl -p warning` shows: without another line, a technician knows what is wrong."""

import re
import signal
from pathlib import Path

import cv2
import numpy as np

from tests.end_to_end.command import Daemon, call, clip, quick_model, until


def serious(text: str) -> list[str]:
    """The lines at priority warning or worse, as the journal would filter them."""
    return [line for line in text.splitlines() if re.match("<[0-4]>", line)]


def test_the_warnings_alone_tell_what_is_wrong(tmp_path: Path) -> None:
    with Daemon(
        tmp_path,
        NOTIFY_SOCKET=tmp_path / "nobody",
        AGENT_LOG_FORMAT="logfmt",
        AGENT_CAMERAS=f"gate=/dev/video63 street={clip()}",
        AGENT_MODEL=quick_model(),
        AGENT_EVERY_NTH_FRAME=10,
        AGENT_UPLOAD_URL="http://127.0.0.1:9/captures",
    ) as daemon:
        until(lambda: 'event="upload delayed"' in daemon.text, what=daemon.describe)
        daemon.signal(signal.SIGTERM)
        assert daemon.ends() == 0

    assert all(re.match("<[0-7]>", line) for line in daemon.text.splitlines())
    lines = serious(daemon.text)
    camera = next(line for line in lines if "camera lost" in line)
    assert "camera=gate" in camera
    assert "/dev/video63: no such device" in camera
    upload = next(line for line in lines if "upload delayed" in line)
    assert "127.0.0.1:9" in upload
    assert not any("frame captured" in line for line in lines)


def test_settings_that_must_be_fixed_are_errors_of_the_journal(tmp_path: Path) -> None:
    result = call(tmp_path, "run", NOTIFY_SOCKET=tmp_path / "nobody", AGENT_FPS="fast")

    assert result.returncode == 78
    assert len(serious(result.stderr)) == len(result.stderr.splitlines())
    assert "AGENT_FPS: must be a number" in result.stderr


def test_damaged_images_of_a_library_are_events_and_do_not_flood_the_log(tmp_path: Path) -> None:
    """libjpeg writes a line of its own for each; a flaky camera makes 430,000 of them a day."""
    images = tmp_path / "damaged"
    images.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    good = cv2.imencode(".jpg", pixels)[1].tobytes()
    for number in range(30):
        torn = good[: 1000 + number] + bytes(17) + good[1000 + number :]
        (images / f"{number:02}.jpg").write_bytes(torn)
    result = call(tmp_path, "run", AGENT_CAMERAS=images, AGENT_FPS=0, AGENT_LOG_FORMAT="logfmt")

    assert result.returncode == 0, result.stderr
    assert all(" level=" in line for line in result.stderr.splitlines()), result.stderr
    said = [line for line in result.stderr.splitlines() if 'event="library message"' in line]
    assert any("Corrupt JPEG data" in line for line in said)
    assert len(said) < 6
