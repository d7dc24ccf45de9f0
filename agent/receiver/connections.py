"""The connections of the receiver: how many there may be, and how long each may wait.

Anybody who can connect may hold connections open without sending anything, and no token is checked
before the first request. So there is a limit in all and for each address. Where it is reached, a
connection is closed for the new one: the oldest of those that have not shown the token, else the
oldest that waits for a request, which costs its sender a new connection. One that delivers a
capture is never closed so.
"""

import resource
import socket
import time
from collections import Counter
from dataclasses import dataclass
from threading import Lock

CONNECTIONS_MAX = 128
ADDRESS_MAX = 64
"""Connections of one address: of a device, or of all devices behind one router."""

HEAD_S = 10.0
"""Seconds within which the first request of a connection must have begun and its head ended."""

WAIT_S = 30.0
"""The same for each later request."""


@dataclass(eq=False, slots=True)
class Connection:
    """One connection. `ends` is its deadline, in seconds of the machine's monotonic clock."""

    socket: socket.socket
    address: str
    ends: float = 0.0
    since: float = 0.0  # when it began to wait, or to work on a request
    is_waiting: bool = True
    is_trusted: bool = False  # it has sent the token, or none is needed
    requests: int = 0
    is_ended: bool = False

    def waits(self) -> None:
        """Note that it waits for the head of a request."""
        self.is_waiting = True
        self.since = time.monotonic()
        self.ends = self.since + (WAIT_S if self.requests else HEAD_S)

    def works(self, seconds: float) -> None:
        """Note that the head of a request is there; its body may take `seconds` from now."""
        self.requests += self.is_waiting
        self.is_waiting = False
        self.since = time.monotonic()
        self.ends = self.since + seconds

    def end(self) -> None:
        """Shut it down, so that the thread that serves it ends."""
        self.is_ended = True
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # the sender was faster


def connections_limit() -> int:
    """Return how many connections there may be: half of the files that the process may open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(CONNECTIONS_MAX, max(soft // 2, 1)) if soft > 0 else CONNECTIONS_MAX


class Connections:
    """All connections of a server."""

    def __init__(self) -> None:
        self._most = connections_limit()
        self._most_of_address = min(ADDRESS_MAX, max(self._most // 2, 1))
        self._open: dict[socket.socket, Connection] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, accepted: socket.socket, address: str) -> bool:
        """Add a connection, if need be in place of one that waits; False where all work."""
        with self._lock:
            mine = [one for one in self._alive() if one.address == address]
            if len(mine) >= self._most_of_address and not _end_oldest(mine):
                return False
            alive = self._alive()
            if len(alive) >= self._most:
                of = Counter(one.address for one in alive)
                busiest = [one for one in alive if of[one.address] == max(of.values())]
                if not _end_oldest(busiest) and not _end_oldest(alive):
                    return False
            made = Connection(accepted, address)
            made.waits()
            self._open[accepted] = made
            return True

    def of(self, accepted: socket.socket) -> Connection:
        """Return the connection of a socket that was added."""
        with self._lock:
            return self._open[accepted]

    def remove(self, accepted: socket.socket) -> None:
        """Forget a connection, if it was added."""
        with self._lock:
            self._open.pop(accepted, None)

    def end_late(self) -> None:
        """End those whose deadline is over."""
        now = time.monotonic()
        with self._lock:
            for one in self._alive():
                if one.ends < now:
                    one.end()

    def end_all(self) -> None:
        """Shut down reading on all, so that a response that is under way still goes out."""
        with self._lock:
            for one in self._open.values():
                try:
                    one.socket.shutdown(socket.SHUT_RD)
                except OSError:
                    continue  # the sender was faster

    def _alive(self) -> list[Connection]:
        return [one for one in self._open.values() if not one.is_ended]


def _end_oldest(connections: list[Connection]) -> bool:
    """End the one that can be spared most; False where all deliver."""
    spare = [one for one in connections if one.is_waiting or not one.is_trusted]
    if not spare:
        return False
    min(spare, key=lambda one: (one.is_trusted, one.since)).end()
    return True
