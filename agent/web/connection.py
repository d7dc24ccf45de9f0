"""One connection of the API: uvicorn's HTTP/1.1, with a limit for everything that may take time."""

import asyncio
import ipaddress
import json
import socket
from collections.abc import Callable, Sequence
from enum import StrEnum
from http import HTTPStatus
from typing import Protocol

import h11
import uvicorn
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from agent.errors import RefusalKind, RequestRefused
from agent.runtime.metrics import Family
from agent.web.limits import WebLimits

HANDLE = "agent.connection"
"""Key of the connection in the scope of its calls."""


class Phase(StrEnum):
    """What a connection does."""

    IDLE = "idle"  # between two requests
    HEAD = "head"  # a request is awaited or began to arrive
    CALL = "call"  # its body arrives, it is worked on, or its response is sent
    STREAM = "stream"
    REFUSED = "refused"  # it is told why and closed


class Observer(Protocol):
    """Counts and reports what connections meet."""

    def refused(self, why: str, client: str) -> None:
        """Note that a client met a limit."""

    def failed(self, error: BaseException, call: str) -> None:
        """Report a bug in a call."""

    def families(self) -> list[Family]:
        """Return the counters for Prometheus."""


class Connections:
    """All connections of one server; used by the thread of its loop alone."""

    def __init__(self, limits: WebLimits, paused_s: Callable[[], float]) -> None:
        """`paused_s`: seconds that the server slept, so that it used no more than its share."""
        self._limits = limits
        self._paused_s = paused_s
        self._open: dict[Connection, None] = {}  # the oldest first

    def __len__(self) -> int:
        return len(self._open)

    @property
    def streams(self) -> int:
        """How many of them are event streams."""
        return sum(each.phase is Phase.STREAM for each in self._open)

    def add(self, new: "Connection") -> bool:
        """Add a connection, if need be in place of one that waits for a request.

        Returns False where there is no place: all others are at work.
        """
        same = [each for each in self._open if each.address == new.address]
        if new.address and len(same) >= self._limits.address_connections:
            if not self._end_oldest(same):
                return False
        elif len(self._open) >= self._limits.connections and not self._end_oldest([*self._open]):
            return False
        self._open[new] = None
        return True

    def _end_oldest(self, connections: "Sequence[Connection]") -> bool:
        """End the one that has waited longest for its client; False where none does."""
        ranks = [(rank, each) for each in connections if (rank := each.spare_rank) is not None]
        if not ranks:
            return False
        _, oldest = min(ranks, key=lambda pair: pair[0])
        self.remove(oldest)  # at once: `connection_lost` is called in a later turn of the loop
        oldest.abort()
        return True

    def remove(self, one: "Connection") -> None:
        """Forget a connection, if it was added."""
        self._open.pop(one, None)

    def families(self) -> list[Family]:
        """Return the gauges for Prometheus."""
        paused = {"": round(self._paused_s(), 3)}
        return [
            ("api_connections", "gauge", "Open connections of the API.", {"": len(self)}),
            ("api_streams", "gauge", "Of these, event streams.", {"": self.streams}),
            (
                "api_pause_seconds_total",
                "counter",
                "How long the API slept for the cameras.",
                paused,
            ),
        ]

    def abort_all(self) -> None:
        """End all at once, whatever is still to be sent."""
        for each in list(self._open):
            each.abort()


class Connection(H11Protocol):
    """One connection; each of its phases has a deadline."""

    def __init__(
        self,
        config: uvicorn.Config,
        app: ASGIApp,
        connections: Connections,
        observer: Observer,
        limits: WebLimits,
    ) -> None:
        super().__init__(config, ServerState(), {}, asyncio.get_running_loop())
        self.app = self._call
        self.phase = Phase.HEAD
        self.address = ""
        """IP address of a client on another computer, else empty."""
        self.is_unix = False
        self._inner = app
        self._all = connections
        self._observer = observer
        self._limits = limits
        self._timer: asyncio.TimerHandle | None = None
        self._send_timer: asyncio.TimerHandle | None = None
        self._limit: asyncio.Timeout | None = None

    @property
    def client_name(self) -> str:
        """Who is at the other end, as the log names it."""
        return self.client[0] if self.client else "unix socket"

    @property
    def spare_rank(self) -> int | None:
        """How early it may be ended for a new connection; None while the server works for it.

        It may be ended while it waits for its client: for a request, for the rest of a body, or
        until the client reads.
        """
        if self.phase in {Phase.IDLE, Phase.HEAD}:
            return 0
        if self.phase is Phase.CALL and self.cycle is not None and self.cycle.more_body:
            return 1
        return 2 if self.flow.write_paused else None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, or refuse the connection where there are too many."""
        super().connection_made(transport)
        self.is_unix = transport.get_extra_info("socket").family == socket.AF_UNIX
        self.address = remote_address(self.client)
        if self._all.add(self):
            self._due(self._limits.head_s)
        else:
            self._observer.refused("connections", self.client_name)
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections; try again")

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._all.remove(self)
        for timer in (self._timer, self._send_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)
        # Break the reference cycles through uvicorn's timer, the call and its scope: they would
        # keep 256 kB of TLS buffers until the timer fires or the garbage collector runs.
        self._unset_keepalive_if_required()
        self.app, self.scope, self.cycle = _nothing, None, None  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Take bytes of a request."""
        if self.phase is Phase.REFUSED:
            return
        if self.phase is Phase.IDLE:
            self.phase = Phase.HEAD
            self._due(self._limits.head_s)
        try:
            super().data_received(data)
        except Exception as error:  # noqa: BLE001 (a bug ends the connection, not the daemon)
            self._observer.failed(error, "request")
            self.abort()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep a connection whose client has sent its last request, until that is answered."""
        cycle = self.cycle
        is_asked = cycle is not None and not cycle.response_complete and not cycle.more_body
        if not is_asked or self.phase is Phase.STREAM or self.scheme == "https":
            return False
        cycle.keep_alive = False
        return True

    def pause_writing(self) -> None:
        """Note that the client does not read."""
        super().pause_writing()
        self._send_timer = self.loop.call_later(self._limits.send_s, self._late)

    def resume_writing(self) -> None:
        """Note that the client reads again."""
        super().resume_writing()
        if self._send_timer is not None:
            self._send_timer.cancel()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self.phase = Phase.IDLE
        # uvicorn closes an idle connection, but a close waits until the client has read everything:
        # abort it soon after.
        self._due(self._limits.idle_s + self._limits.linger_s)
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        del msg
        self._observer.refused("invalid request", self.client_name)
        text = (
            "cannot read the request: it is no valid HTTP/1.1, or its head is larger than "
            f"{self._limits.head_bytes} bytes"
        )
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._refuse(HTTPStatus.BAD_REQUEST, text)

    def begin_stream(self) -> None:
        """Make the present call an event stream, which has no end of its own.

        Raises `RequestRefused` where there are too many.
        """
        if self.phase is Phase.STREAM:
            return
        if self._all.streams >= self._limits.streams:
            self._observer.refused("streams", self.client_name)
            raise RequestRefused(
                RefusalKind.NOT_NOW,
                f"cannot open another event stream: {self._limits.streams} are open; close one",
            )
        self.phase = Phase.STREAM
        if self._limit is not None:
            self._limit.reschedule(None)
        if self._timer is not None:
            self._timer.cancel()

    def families(self) -> list[Family]:
        """Return the figures of the whole server for Prometheus."""
        return [*self._observer.families(), *self._all.families()]

    def abort(self) -> None:
        """End at once; what was not sent yet is lost."""
        self.transport.abort()

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application for one request."""
        limits, self.phase = self._limits, Phase.CALL
        # What comes after the call's own limit: a response that nobody reads.
        self._due(limits.call_s + limits.send_s)
        scope[HANDLE] = self
        answer = _Answer(send)
        # h11 has the limit only for a head that comes in pieces.
        if sum(len(name) + len(value) for name, value in scope["headers"]) > limits.head_bytes:
            self._observer.refused("invalid request", self.client_name)
            text = f"cannot read the request: its head is larger than {limits.head_bytes} bytes"
            await self._end(answer, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, text)
            return
        try:
            async with asyncio.timeout(limits.call_s) as limit:
                self._limit = limit
                await self._inner(scope, receive, answer)
        except TimeoutError as error:
            if limit.expired():
                self._observer.refused("time", self.client_name)
                text = f"the call took more than {limits.call_s:.0f} s"
                await self._end(answer, HTTPStatus.SERVICE_UNAVAILABLE, text)
            else:
                await self._fail(answer, error, scope)
        except ClientDisconnect:  # before its body was whole; nobody reads a response
            if self.phase is not Phase.REFUSED:
                self.abort()
        except asyncio.CancelledError:  # the server ends
            self.abort()
        except Exception as error:  # noqa: BLE001 (a bug in a call is reported, and ends only it)
            await self._fail(answer, error, scope)

    async def _fail(self, answer: "_Answer", error: Exception, scope: Scope) -> None:
        self._observer.failed(error, f"{scope['method']} {scope['path']}")
        text = "a bug in the agent; its log has the traceback"
        await self._end(answer, HTTPStatus.INTERNAL_SERVER_ERROR, text)

    async def _end(self, answer: "_Answer", status: HTTPStatus, text: str) -> None:
        if answer.started:
            self.abort()
            return
        body = _json(text)
        headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
        await answer({"type": "http.response.start", "status": status.value, "headers": headers})
        await answer({"type": "http.response.body", "body": body})

    def _refuse(self, status: HTTPStatus, text: str) -> None:
        """Say why without a call, and close."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE} and not self.transport.is_closing():
            self.transport.write(plain_response(status, text))
        self.phase = Phase.REFUSED
        self.transport.close()
        self._due(self._limits.linger_s)

    def _due(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, self._late)

    def _late(self) -> None:
        if self.phase in {Phase.HEAD, Phase.CALL, Phase.STREAM}:
            self._observer.refused("time", self.client_name)
        self.abort()


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """Stand for the application once a connection is lost."""


class _Answer:
    """Sends, and knows whether a response has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False

    async def __call__(self, message: Message) -> None:
        self.started = self.started or message["type"] == "http.response.start"
        await self._send(message)


def plain_response(status: HTTPStatus, text: str) -> bytes:
    """Return a whole response that closes the connection."""
    body = _json(text)
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n"
    )
    head += "Retry-After: 1\r\n" if status is HTTPStatus.SERVICE_UNAVAILABLE else ""
    return head.encode() + b"\r\n" + body


def _json(text: str) -> bytes:
    return json.dumps({"error": text}).encode()


def remote_address(client: tuple[str, int] | None) -> str:
    """Return the IP address of a client on another computer, else an empty text."""
    if client is None:
        return ""
    try:
        address = ipaddress.ip_address(client[0].partition("%")[0])
    except ValueError:
        return ""
    mapped = getattr(address, "ipv4_mapped", None) or address
    return "" if mapped.is_loopback else str(mapped)
