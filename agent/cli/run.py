"""`capture-agent run`."""

import os
import signal
from types import FrameType

import typer

from agent.cli import console
from agent.system import SystemClock, SystemdNotifier, watchdog_interval


def run() -> None:
    """Run the daemon in the foreground until SIGTERM, or until all recordings have ended.

    Example: AGENT_CAMERAS=/dev/video0 AGENT_UPLOAD_URL=https://example.org/captures
    capture-agent run

    Exit codes: 0 stopped, 1 a bug, 75 another process owns the spool, 78 the configuration is
    wrong.
    """
    from agent.app import wired  # loads the camera and model libraries

    settings = console.settings(needs_cameras=True)
    log = console.log_of(settings)
    notifier = SystemdNotifier(os.environ.get("NOTIFY_SOCKET"))
    with wired(
        settings,
        clock=SystemClock(),
        notifier=notifier,
        log=log,
        watchdog=watchdog_interval(),
    ) as agent:
        asked = False

        def stop(_number: int, _frame: FrameType | None) -> None:
            nonlocal asked
            if asked:  # the second one means now
                os._exit(130)
            asked = True
            agent.supervisor.stop()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        code = agent.supervisor.run()
    raise typer.Exit(int(code))
