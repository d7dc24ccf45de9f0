"""Runs `rtsp_server.py` in a process, with the system's Python."""

import signal
import subprocess
from pathlib import Path

from tests.ports import free_port

RTSP_SERVER = Path(__file__).with_name("rtsp_server.py")
SYSTEM_PYTHON = "/usr/bin/python3"


class RtspServer:
    """A process that can be suspended, killed and started again at the same port."""

    def __init__(self, fps: int = 20, kind: str = "tcp") -> None:
        """Serve `fps` frames a second; `kind` is explained in `rtsp_server.py`."""
        self.port = str(free_port())  # it stays its own while nobody listens
        self._options = [str(fps), kind]
        self.error = ""
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return self.at("ball")

    def at(self, path: str, user: str = "") -> str:
        """Return the address of one of the server's streams."""
        return f"rtsp://{user}127.0.0.1:{self.port}/{path}"

    def start(self) -> bool:
        self._process = subprocess.Popen(
            [SYSTEM_PYTHON, str(RTSP_SERVER), self.port, *self._options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        is_served = bool(self._process.stdout.readline())
        if not is_served:
            self.error = self._process.communicate()[1]
        return is_served

    def suspend(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def resize(self) -> None:
        """Change the size of the stream `resized`, which somebody reads."""
        assert self._process
        self._process.send_signal(signal.SIGUSR1)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.communicate()
            self._process = None
