"""A limit in seconds for one whole request, whatever the endpoint does meanwhile.

The timeouts of sockets count from one byte to the next, so a server that sends a byte a second
holds a request for ever. Here a timer shuts the connection down, and the thread that reads from
or writes to it gets an error.
"""

import os
import socket
from contextvars import ContextVar, Token
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Self

from agent.ports import Clock
from agent.progress import doing, wait
from agent.upload.connection_errors import NameTimeout
from agent.upload.http.rate_limit import RateLimit
from agent.upload.http.timer_thread import Timer, TimerThread

GRACE = 5.0
"""Seconds by which socket timeouts exceed the deadline, so that the deadline ends the request."""

_current: ContextVar["Deadline"] = ContextVar("deadline of the request of this thread")

Address = tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]


class Deadline:
    """The limit of one request, for use as a context manager by the thread that makes it.

    Connections opened or reused inside find it with `current()` and put themselves under it with
    `watch`. After the block no timer and no descriptor is left.

    A `throttle` limits the rate of bytes; the time that it waits does not count. `body_max` is how
    many bytes of the response's body are read.
    """

    def __init__(
        self,
        seconds: float,
        clock: Clock,
        *,
        timers: TimerThread,
        throttle: RateLimit | None = None,
        body_max: int = 0,
    ) -> None:
        self.expired = False
        """Whether the time ran out inside the block; then its result must not be used."""
        self.reused = False
        """Whether the connection of an earlier request was reused."""
        self.afresh = False
        """Whether the request must use a new connection."""
        self.throttle = throttle
        self.body_max = body_max
        self._clock = clock
        self._seconds = seconds
        self._ends_at = clock.monotonic() + seconds
        self._lock = Lock()
        self._watched: list[socket.socket] = []
        self._ended = False
        self._timers = timers
        self._timer: Timer | None = None
        self._token: Token[Deadline] | None = None

    def __enter__(self) -> Self:
        self._token = _current.set(self)
        self._timer = self._timers.set(self._seconds, self._expire)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._timer is not None:
            self._timers.cancel(self._timer)
        if self._token is not None:
            _current.reset(self._token)
        with self._lock:
            self._ended = True
            for duplicate in self._watched:
                duplicate.close()
            self._watched.clear()

    def now(self) -> float:
        """Return the time of the monotonic clock that the deadline uses."""
        return self._clock.monotonic()

    @property
    def remaining(self) -> float:
        """Return the seconds left, 0 or more."""
        return 0.0 if self.expired else max(self._ends_at - self._clock.monotonic(), 0.0)

    def extend(self, seconds: float) -> None:
        """Move the deadline: this time was not spent by the endpoint."""
        self._ends_at += seconds
        if self._timer is not None:
            self._timers.delay(self._timer, seconds)

    def watch(self, connection: socket.socket) -> None:
        """Shut `connection` down when the time is over; at once if it is over already."""
        # A duplicate descriptor: TLS takes the original over, and this one stays ours to close.
        duplicate = socket.socket(fileno=os.dup(connection.fileno()))
        with self._lock:
            self._watched.append(duplicate)
            if self.expired:
                _shut(duplicate)

    def _expire(self) -> None:
        with self._lock:
            if self._ended:
                return
            self.expired = True
            for duplicate in self._watched:
                _shut(duplicate)


def current() -> Deadline:
    """Return the deadline of this thread's request; raise `LookupError` outside of one."""
    return _current.get()


def connect(host: str, port: int, deadline: Deadline) -> socket.socket:
    """Open a TCP connection before the deadline, trying each address of `host` in turn.

    Raises `socket.gaierror` where the name has no address, `TimeoutError` where the time is over,
    and any other `OSError` for the last address that refused.
    """
    addresses = _resolve(host, port, deadline)
    failure: OSError = OSError(f"{host} has no address")
    for left, (family, kind, protocol, _, address) in zip(
        range(len(addresses), 0, -1), addresses, strict=True
    ):
        connection = socket.socket(family, kind, protocol)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # An address that swallows packets leaves their share of the time to the others.
            connection.settimeout(max(deadline.remaining / (left + 1), 0.001))
            connection.connect(address)
            connection.settimeout(deadline.remaining + GRACE)
            deadline.watch(connection)
        except OSError as error:
            connection.close()
            failure = error
        else:
            return connection
    raise failure


def _resolve(host: str, port: int, deadline: Deadline) -> list[Address]:
    """Resolve `host` in a thread of its own: the C library may block for minutes.

    Raises `NameTimeout` when the time is over. All requests for the same name then wait for the
    same thread, so that names that hang cost one thread each, however often they are asked for.
    """
    with _look_ups_lock:
        look_up = _look_ups.get((host, port))
        if look_up is None:
            look_up = _look_ups[host, port] = _LookUp(host, port)
            Thread(target=look_up.run, name="look up", daemon=True).start()
    with doing(f"looks up the name {host}"):
        is_done = wait(look_up.done, deadline.remaining)
    if not is_done:
        raise NameTimeout(host)
    if look_up.failure is not None:
        raise type(look_up.failure)(*look_up.failure.args)  # several threads raise it
    return look_up.found


class _LookUp:
    """One look-up of a name."""

    def __init__(self, host: str, port: int) -> None:
        self.done = Event()
        self.found: list[Address] = []
        self.failure: OSError | None = None
        self._host, self._port = host, port

    def run(self) -> None:
        """Look the name up; later requests for it start another look-up."""
        try:
            self.found += socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        except OSError as error:
            self.failure = error
        except (ValueError, OverflowError) as error:  # such as an empty part between two dots
            self.failure = socket.gaierror(socket.EAI_NONAME, str(error))
        finally:
            with _look_ups_lock:
                del _look_ups[self._host, self._port]
            self.done.set()


_look_ups: dict[tuple[str, int], _LookUp] = {}  # those that have not ended
_look_ups_lock = Lock()


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the endpoint was faster
