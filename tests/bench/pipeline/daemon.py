"""Runs `capture-agent run` in its own process, and measures it from outside."""

import contextlib
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

COMMAND = str(Path(sys.executable).with_name("capture-agent"))
LONGEST_WAIT_S = 120.0


class Daemon:
    """A running daemon, its log lines, and what it uses.

    The process is stopped and waited for at the end of the context.
    """

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        """Prepare a daemon whose state is below `folder`; `variables` are its settings."""
        self._folder = folder
        own = {name: value for name, value in os.environ.items() if not name.startswith("AGENT_")}
        self._environment = own | {
            "AGENT_SPOOL_DIR": str(folder / "spool"),
            "AGENT_SPOOL_MIN_FREE": "0",
            "AGENT_DEVICE_ID": "bench",
            "AGENT_LOG_FORMAT": "json",
            "NOTIFY_SOCKET": str(folder / "notify"),
            **variables,
        }
        self.lines: list[dict[str, Any]] = []
        """All events so far."""
        self._ready = threading.Event()
        self._ready_at = 0.0
        self._arrived: queue.SimpleQueue[tuple[float, dict[str, Any]] | None] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        (self._folder / "spool").mkdir(parents=True, exist_ok=True)
        self._manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._manager.bind(self._environment["NOTIFY_SOCKET"])
        self.began = time.monotonic()
        self._process = subprocess.Popen(
            [COMMAND, "run"], env=self._environment, stderr=subprocess.PIPE, text=True
        )
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reading.join(5)
        if self._process.stderr is not None:
            self._process.stderr.close()
        self._manager.shutdown(socket.SHUT_RDWR)
        self._manager.close()
        (self._folder / "notify").unlink(missing_ok=True)

    def stop(self) -> None:
        """Ask for an orderly stop."""
        self._process.send_signal(signal.SIGTERM)

    def dump_threads(self) -> None:
        """End a daemon that does not stop, and print where each of its threads is."""
        self._process.send_signal(signal.SIGABRT)
        self._reading.join(10)
        for line in self.lines[-200:]:
            print(line.get("text", line), file=sys.stderr)

    @property
    def process(self) -> int:
        """Its id."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.poll() is not None

    def ready(self) -> float:
        """Wait until it is ready; return the monotonic time."""
        deadline = time.monotonic() + LONGEST_WAIT_S
        while time.monotonic() < deadline and not self.has_ended:
            if self._ready.wait(0.1):
                return self._ready_at
        raise SystemExit("the daemon was not ready in time:\n" + self._log())

    def event(self, name: str, wait: float = LONGEST_WAIT_S) -> float:
        """Wait for the next event of this name; return the monotonic time at which it came."""
        deadline = time.monotonic() + wait
        while True:
            try:
                item = self._arrived.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise SystemExit(f"no event {name!r} within {wait:.0f} s") from None
            if item is None:
                raise SystemExit(f"the daemon ended without the event {name!r}:\n{self._log()}")
            at, line = item
            if line["event"] == name:
                return at

    def cpu_s(self) -> float:
        """Return the CPU seconds that it used, in all threads."""
        text = Path(f"/proc/{self.process}/stat").read_text(encoding="ascii")
        fields = text.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self, name: str = "VmRSS") -> float:
        """Return its resident set in MB; `VmHWM` is the largest so far."""
        status = Path(f"/proc/{self.process}/status").read_text(encoding="ascii")
        [line] = [line for line in status.splitlines() if line.startswith(f"{name}:")]
        return int(line.split()[1]) * 1024 / 1e6

    def threads(self) -> int:
        """Return the number of its threads."""
        return len(list(Path(f"/proc/{self.process}/task").iterdir()))

    def open_files(self) -> int:
        """Return the number of its file descriptors."""
        return len(list(Path(f"/proc/{self.process}/fd").iterdir()))

    def sum_of(self, fact: str) -> int:
        """Add a fact of all summaries: there is one per minute, and one at the end."""
        return sum(line.get(fact, 0) for line in self.lines if line["event"] == "summary")

    def _log(self) -> str:
        return "\n".join(str(line) for line in self.lines[-20:])

    def _listen(self) -> None:
        """Take all that the daemon tells its service manager: a full socket would block it."""
        with contextlib.suppress(OSError):
            while True:
                if b"READY=1" in self._manager.recv(4096):
                    self._ready_at = time.monotonic()
                    self._ready.set()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for text in self._process.stderr:
            at = time.monotonic()
            try:
                line = json.loads(text[text.find("{") :])  # after the priority for systemd
            except ValueError:
                line = {"event": "not an event", "text": text.rstrip()}
            self.lines.append(line)
            self._arrived.put((at, line))
        self._arrived.put(None)
