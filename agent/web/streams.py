"""Server-sent events: a response that goes on until the client leaves."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from agent.web.connection import HANDLE

PING_S = 15.0
"""Seconds without an event after which a comment is sent: a proxy keeps the connection open."""

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # nginx would keep events back


def event(data: Mapping[str, Any], name: str = "", number: str = "") -> str:
    """Return one event with JSON as its data; `name` and `number` are its type and id."""
    head = f"event: {name}\n" if name else ""
    head += f"id: {number}\n" if number else ""
    return f"{head}data: {json.dumps(data, separators=(',', ':'))}\n\n"


class EventStream(Response):
    """Sends what `events` yields, each made by `event`.

    The number of streams is limited: a further one is refused with the status 503. `events` is
    closed as soon as the client is gone or is not read from; while it sends, nothing is awaited but
    the next event.
    """

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[str], *, ping_s: float = PING_S) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._events = events
        self._ping_s = ping_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all events. Raises `RequestRefused`."""
        if scope["method"] != "HEAD" and HANDLE in scope:
            scope[HANDLE].begin_stream()
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        sending = asyncio.ensure_future(self._send_all(send))
        leaving = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sending

    async def _send_all(self, send: Send) -> None:
        upcoming = asyncio.ensure_future(anext(self._events, None))
        try:
            # The head goes out with it, so that the client knows that the stream is open.
            await send({"type": "http.response.body", "body": b":\n\n", "more_body": True})
            while True:
                await asyncio.wait({upcoming}, timeout=self._ping_s)
                text: str | None = ":\n\n"
                if upcoming.done():
                    text = upcoming.result()
                    upcoming = asyncio.ensure_future(anext(self._events, None))
                if text is None:
                    break
                body = {"type": "http.response.body", "body": text.encode(), "more_body": True}
                await send(body)
            await send({"type": "http.response.body", "body": b""})
        finally:
            upcoming.cancel()
            await asyncio.wait({upcoming})
            close = getattr(self._events, "aclose", None)
            if close is not None:
                await close()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
