"""Requests that a signal handler makes and a worker serves."""

from queue import Empty, SimpleQueue

ASKED_S = 0.5
"""How long a worker waits for a request before it looks after other things, in seconds."""


class Requested:
    """One kind of request; all that were made before it is served are served at once."""

    def __init__(self) -> None:
        # Reentrant, unlike Event: a signal handler calls `put`.
        self._asked: SimpleQueue[None] = SimpleQueue()

    def ask(self) -> None:
        """Make a request; may be called from a signal handler."""
        self._asked.put(None)

    def wait(self) -> bool:
        """Return whether there was a request, within `ASKED_S`."""
        try:
            self._asked.get(timeout=ASKED_S)
            while not self._asked.empty():
                self._asked.get_nowait()
        except Empty:
            return False
        return True
