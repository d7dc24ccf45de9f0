"""`capture-agent run`."""

import contextlib
import faulthandler
import os
import signal
import sys
import threading
from types import FrameType

import typer

from agent.cli import console
from agent.runtime.supervisor import Supervisor
from agent.system import SystemClock, SystemdNotifier, watchdog_interval


def run() -> None:
    """Run the daemon in the foreground until SIGTERM, or until all recordings have ended.

    SIGHUP takes up a new file at AGENT_MODEL, if it proves to be usable.

    Example: AGENT_CAMERAS=/dev/video0 AGENT_UPLOAD_URL=https://example.org/captures
    capture-agent run

    Exit codes: 0 stopped, 1 a bug, 75 another process owns the spool, 78 the configuration is
    wrong.
    """
    signals = _Signals()
    from agent.app import wired  # loads the camera and model libraries

    settings = console.settings(needs_cameras=True, needs_target=True)
    log = console.log_of(settings)
    console.log_library_output(log)
    # A crash in native code: the journal gets the line of each thread that led there.
    with contextlib.suppress(OSError, ValueError, AttributeError):  # standard error may be closed
        faulthandler.enable(sys.stderr)
    notifier = SystemdNotifier(os.environ.get("NOTIFY_SOCKET"))
    with wired(
        settings,
        clock=SystemClock(),
        notifier=notifier,
        log=log,
        watchdog=watchdog_interval(),
    ) as agent:
        signals.supervisor = agent.supervisor
        threading.excepthook = agent.supervisor.thread_failed
        code = agent.supervisor.run()
        if agent.supervisor.left_behind:
            # A thread that hangs in a driver or a request would use what is freed from here on.
            # All that was acknowledged is on disk.
            _end_now(code)
    raise typer.Exit(int(code))


class _Signals:
    """SIGTERM and SIGINT: the first asks for an orderly stop, the second forces it.

    SIGUSR1 asks for the next frame of each camera, SIGHUP for a look at the model file, which may
    be a new one.
    """

    def __init__(self) -> None:
        self.supervisor: Supervisor | None = None
        """Who stops; before there is one, nothing is in memory that could be lost."""
        self._asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle)
        signal.signal(signal.SIGUSR1, self._request)
        signal.signal(signal.SIGHUP, self._reload)

    def _request(self, _number: int, _frame: FrameType | None) -> None:
        if self.supervisor is not None:
            self.supervisor.request()

    def _reload(self, _number: int, _frame: FrameType | None) -> None:
        if self.supervisor is not None:  # before, the file is about to be read anyway
            self.supervisor.change_model()

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self.supervisor is None:
            _end_now(0)
        elif self._asked:
            _end_now(128 + number)
        else:
            self._asked = True
            self.supervisor.stop()


def _end_now(code: int) -> None:
    sys.stderr.flush()
    os._exit(code)
