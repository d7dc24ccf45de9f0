"""Runs `rtsp_server.py` in a process, with the system's Python."""

import signal
import subprocess
from pathlib import Path

RTSP_SERVER = Path(__file__).with_name("rtsp_server.py")
SYSTEM_PYTHON = "/usr/bin/python3"


class RtspServer:
    """A process that can be suspended, killed and started again at the same port."""

    def __init__(self) -> None:
        self.port = "0"
        self.error = ""
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/ball"

    def start(self) -> bool:
        self._process = subprocess.Popen(
            [SYSTEM_PYTHON, str(RTSP_SERVER), self.port],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        self.port = self._process.stdout.readline().strip()
        if not self.port:
            self.error = self._process.communicate()[1]
        return bool(self.port)

    def suspend(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.communicate()
            self._process = None
