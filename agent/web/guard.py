"""Stands before all routes: who may ask, how large a body may be, and what is counted."""

import asyncio
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.web.access import UNIX_ACCESS, Access, Refusal
from agent.web.connection import HANDLE, Connection
from agent.web.limits import WebLimits
from agent.web.observer import WebObserver
from agent.web.response_headers import PROTECTION

_HEADERS = tuple((name.encode(), value.encode()) for name, value in PROTECTION)


class Guard:
    """Refuses requests before a route sees them."""

    def __init__(
        self,
        app: ASGIApp,
        access: Access,
        observer: WebObserver,
        limits: WebLimits,
        *,
        call_of: Callable[[Scope], str],
        image_paths: str | None = None,
    ) -> None:
        """Guard an application.

        Args:
            app: Is called for what is not refused.
            access: What an address of TCP asks; unix sockets ask nothing but a plain host.
            observer: Counts the responses.
            limits: Of bodies and wrong tokens.
            call_of: Names the call of a request that was routed, one of a few.
            image_paths: Calls below this path may have a body of `image_bytes`.
        """
        self._app = app
        self._access = access
        self._observer = observer
        self._limits = limits
        self._call_of = call_of
        self._image_paths = image_paths
        self._wrong_tokens = 0  # whose responses wait
        self._bodies = 0  # bytes of all bodies under way

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        connection: Connection = scope[HANDLE]
        send = self._counted(scope, send)
        access = UNIX_ACCESS if connection.is_unix else self._access
        target = scope["raw_path"].decode("latin-1")
        refusal = access.refusal(scope["method"], target, scope["headers"])
        if refusal is not None:
            await self._refuse(refusal, connection, scope, receive, send)
            return
        body = _Body(self, receive, self._largest(scope))
        declared = _length(scope)
        try:
            if declared > body.most:
                await too_large(body.most)(scope, receive, send)
                return
            await self._app(scope, body, send)
        finally:
            self._bodies -= body.read

    def hold(self, more: int) -> None:
        """Count bytes of a body. Raises `HTTPException` where all bodies together are too large."""
        self._bodies += more
        if self._bodies > self._limits.bodies_bytes:
            raise HTTPException(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "cannot take so many bytes at once: other clients send too; try again",
                {"Retry-After": "1"},
            )

    def _largest(self, scope: Scope) -> int:
        paths = self._image_paths
        is_image = paths is not None and scope["path"].startswith(paths)
        return self._limits.image_bytes if is_image else self._limits.body_bytes

    async def _refuse(
        self,
        refusal: Refusal,
        connection: Connection,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        if refusal.reason:
            self._observer.refused(refusal.reason, connection.client_name)
        headers = dict(refusal.headers)
        if refusal.is_wrong_token and self._wrong_tokens < self._limits.wrong_tokens:
            self._wrong_tokens += 1
            try:
                await asyncio.sleep(self._limits.wrong_token_s)
            finally:
                self._wrong_tokens -= 1
        elif refusal.is_wrong_token:
            headers["Connection"] = "close"
        response = JSONResponse({"error": refusal.text}, refusal.status, headers)
        await response(scope, receive, send)

    def _counted(self, scope: Scope, send: Send) -> Send:
        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._observer.answered(self._call_of(scope), message["status"])
                headers = list(message.get("headers", ()))
                there = {name.lower() for name, _ in headers}
                headers += [each for each in _HEADERS if each[0] not in there]
                headers.append((b"date", formatdate(usegmt=True).encode()))
                message = {**message, "headers": headers}
            await send(message)

        return counted


class _Body:
    """Receives the body of one request, up to its limit."""

    def __init__(self, guard: Guard, receive: Receive, most: int) -> None:
        self.most = most
        self.read = 0
        self._guard = guard
        self._receive = receive

    async def __call__(self) -> Message:
        message = await self._receive()
        more = len(message.get("body", b""))
        self.read += more
        self._guard.hold(more)
        if self.read > self.most:
            raise HTTPException(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                _too_large_text(self.most),
                {"Connection": "close"},  # else what is still sent would be read and thrown away
            )
        return message


def too_large(most: int) -> JSONResponse:
    """Return the response to a body whose length says that it is too large."""
    return JSONResponse({"error": _too_large_text(most)}, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


def _too_large_text(most: int) -> str:
    return f"cannot take the body: it has more than {most} bytes"


def _length(scope: Scope) -> int:
    """The declared length of the body; 0 where none is declared. h11 has checked it."""
    return next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)
