"""What `journalctl -p warning` shows: without another line, a technician knows what is wrong."""

import re
import signal
from pathlib import Path

from tests.end_to_end.command import Daemon, call, clip, until


def serious(text: str) -> list[str]:
    """The lines at priority warning or worse, as the journal would filter them."""
    return [line for line in text.splitlines() if re.match("<[0-4]>", line)]


def test_the_warnings_alone_tell_what_is_wrong(tmp_path: Path) -> None:
    with Daemon(
        tmp_path,
        NOTIFY_SOCKET=tmp_path / "nobody",
        AGENT_LOG_FORMAT="logfmt",
        AGENT_CAMERAS=f"gate=/dev/video63 street={clip()}",
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
