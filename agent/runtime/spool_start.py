"""Opens the spool at start, and waits for a disk that is full or read-only.

A restart would not help, and would hide the cause among a hundred starts: so the daemon waits, as
it does when the disk refuses writes later, and begins once the disk takes them again.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from threading import Event

from agent.errors import SpoolUnavailable
from agent.logs import Log
from agent.ports import Notifier
from agent.printable import printable
from agent.spool.spool import Spool

FIRST_RETRY_S, LAST_RETRY_S = 1.0, 30.0

_OPENING_S = 120.0  # that an attempt may take, so that systemd waits for it

_STATUS_MAX = 500  # characters

OpenSpool = Callable[[], AbstractContextManager[Spool]]


def _wait(seconds: float) -> None:
    Event().wait(seconds)  # nobody sets it: a signal ends the process


@contextlib.contextmanager
def once_usable(
    open_spool: OpenSpool,
    *,
    notifier: Notifier,
    log: Log,
    report: Callable[[str], None] = lambda _why: None,
    open_again: OpenSpool | None = None,
    wait: Callable[[float], None] = _wait,
) -> Iterator[Spool]:
    """Open the spool for the `with` block; while it is unavailable, say so once and try again.

    `report` gets the reason before each wait. `open_again` is used from the second time on.

    Raises what `open_spool` raises but for `SpoolUnavailable`.
    """
    retry, is_refused = FIRST_RETRY_S, False
    with contextlib.ExitStack() as opened:
        while True:
            try:
                spool = opened.enter_context(open_spool())
                break
            except SpoolUnavailable as error:
                why = str(error)
                open_spool = open_again or open_spool
            if not is_refused:
                log.error("spool unavailable", error=why, pending=0)
            is_refused = True
            limit = int((retry + _OPENING_S) * 1e6)
            shown = printable(f"spool unavailable: {why}", _STATUS_MAX)
            notifier.notify(f"EXTEND_TIMEOUT_USEC={limit}\nSTATUS={shown}")
            report(why)
            wait(retry)
            retry = min(2 * retry, LAST_RETRY_S)
        if is_refused:
            log.error("spool available", waiting=spool.waiting())
        yield spool
