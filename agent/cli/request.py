"""`capture-agent request`: a person or a program wants a frame."""

import os
import signal

from agent.cli import console
from agent.errors import TemporaryError
from agent.spool.layout import SpoolPaths
from agent.spool.lock import owner_process


def request() -> None:
    """Ask the running daemon to capture the next frame of each of its cameras.

    Example: capture-agent request

    Requested captures are sent first, and take at most a tenth of the labelling credits. A program
    may as well send SIGUSR1 to the daemon: systemctl kill --signal=USR1 capture-agent
    """
    paths = SpoolPaths(console.settings().spool_dir)
    process = owner_process(paths.lock)
    if process is None:
        raise TemporaryError(
            f"cannot ask for a capture: no daemon owns the spool {paths.root}. Start it, or set "
            "AGENT_SPOOL_DIR as the daemon has it."
        )
    try:
        os.kill(process, signal.SIGUSR1)
    except PermissionError as error:
        raise TemporaryError(
            f"cannot ask process {process} for a capture: it runs as another user"
        ) from error
    except ProcessLookupError as error:
        raise TemporaryError(f"cannot ask process {process}: it has just ended") from error
    print(f"asked process {process} for the next frame of each camera")
