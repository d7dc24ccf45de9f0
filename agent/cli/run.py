"""`capture-agent run`."""

import contextlib
import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

import typer

from agent.cli import console
from agent.cli.settings_warnings import settings_warnings
from agent.cli.streams import Terminal
from agent.log_queue import LogQueue
from agent.logs import Log
from agent.runtime.supervisor import ExitCode, Supervisor
from agent.settings.declarations import Settings
from agent.system import SystemClock, SystemdNotifier, watchdog_interval

_LOG_S = 1.0
"""Seconds that the last lines of the log may take."""


def run() -> None:
    """Run the daemon in the foreground until SIGTERM, or until all recordings have ended.

    SIGHUP takes up new files at AGENT_MODEL and AGENT_FEEDBACK, if they prove to be usable.

    Example: AGENT_CAMERAS=/dev/video0 AGENT_UPLOAD_URL=https://example.org/captures
    capture-agent run

    Exit codes: 0 stopped, 1 a bug, 75 another process owns the spool, 78 the configuration is
    wrong.
    """
    signals = _Signals()
    settings = console.settings(needs_cameras=True, needs_target=True, needs_doors=True)
    with _queued_log(settings, signals) as log:
        code = _run(settings, signals, log)
    raise typer.Exit(int(code))


@contextlib.contextmanager
def _queued_log(settings: Settings, signals: "_Signals") -> Iterator[Log]:
    """The log of the daemon, whose threads never wait for standard error."""
    queue = LogQueue(sys.stderr)
    signals.log_queue = queue
    try:
        log = console.log_of(settings, stream=queue)
        queue.tell_drops(lambda lines: log.warning("log lines dropped", lines=lines))
        console.log_library_output(log)
        for warning in settings_warnings():
            log.warning("settings doubtful", error=warning)
        yield log
    finally:
        queue.close(_LOG_S)


def _run(settings: Settings, signals: "_Signals", log: Log) -> ExitCode:
    from agent.app import wired  # loads the camera and model libraries
    from agent.runtime.garbage import look_less_often

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
        look_less_often()
        code = agent.supervisor.run()
        if agent.supervisor.left_behind:
            # A thread that hangs in a driver or a request would use what is freed from here on.
            # All that was acknowledged is on disk.
            signals.end_now(code)
    return code


_ONE_STOP_S = 0.1
"""Signals that are closer together ask for one stop: timeout(1) signals its command and then the
whole group, and a terminal may signal beside it."""


class _Signals:
    """SIGTERM and SIGINT: the first asks for an orderly stop, a later one forces it.

    SIGUSR1 asks for the next frame of each camera, SIGHUP for a look at the model file and the
    feedback file, which may be new ones. SIGHUP of a terminal that was closed stops: nobody would
    read the log any more.
    """

    def __init__(self) -> None:
        self.log_queue: LogQueue | None = None
        self.supervisor: Supervisor | None = None
        """Who stops; before there is one, nothing is in memory that could be lost."""
        self._clock = SystemClock()
        self._asked_at: float | None = None
        self._terminal = Terminal()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle)
        signal.signal(signal.SIGUSR1, self._request)
        signal.signal(signal.SIGHUP, self._hang_up)

    def _request(self, _number: int, _frame: FrameType | None) -> None:
        if self.supervisor is not None:
            self.supervisor.request()

    def _hang_up(self, number: int, frame: FrameType | None) -> None:
        if self._terminal.hung_up():
            self._handle(number, frame)
        elif self.supervisor is not None:  # before, the file is about to be read anyway
            self.supervisor.reload()

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        now = self._clock.monotonic()
        if self.supervisor is None:
            self.end_now(0)
        elif self._asked_at is None:
            self._asked_at = now
            self.supervisor.stop()
        elif now - self._asked_at >= _ONE_STOP_S:
            self.end_now(128 + number)

    def end_now(self, code: int) -> NoReturn:
        """End the process without waiting for a thread, or for the reader of the log."""
        if self.log_queue is not None:
            self.log_queue.close(_LOG_S)
        os._exit(code)
