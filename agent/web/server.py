"""Runs the HTTP server in a thread of its own, with an event loop of its own."""

import asyncio
import contextlib
import logging
import ssl
import threading
from collections.abc import Sequence
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from agent.web.connection import Connection, Connections
from agent.web.executor import CallThreads
from agent.web.governor import GovernedSelector, Governor
from agent.web.handshakes import Handshakes
from agent.web.limits import LIMITS, WebLimits
from agent.web.listening import BACKLOG, Listening
from agent.web.observer import WebObserver

_WAIT_S = 3600.0
_ACCEPTS = 4
"""Connections in one turn of the loop: so few that the request of one that is accepted is read long
before as many others came as take its place."""
_JOIN_S = 0.8  # the supervisor waits a second for it


class WebServer:
    """The server of one daemon; `step` and `close` are those of a side worker."""

    def __init__(
        self,
        app: ASGIApp,
        listening: Sequence[Listening],
        observer: WebObserver,
        *,
        limits: WebLimits = LIMITS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Make the server; from the first step on it accepts connections.

        Args:
            app: What is called.
            listening: Sockets that listen; they are closed at the end.
            observer: Counts and reports.
            limits: What clients may take.
            tls: The certificate, where the API has one.
        """
        self._app = app
        self._listening = listening
        self._observer = observer
        self._limits = limits
        self._tls = tls
        self.governor = Governor(limits.cpu_share)
        self.connections = Connections(limits, lambda: self.governor.paused_s)
        self._selector = GovernedSelector(self.governor)
        self._loop = asyncio.SelectorEventLoop(self._selector)
        self._threads = CallThreads(limits.threads, Governor(limits.thread_cpu_share))
        self._accepting: list[asyncio.Task[None]] = []
        self._is_closing = False
        self._thread = threading.Thread(target=self._serve, name="api loop", daemon=True)
        quiet_libraries()

    def step(self) -> float:
        """Start the server at the first call."""
        if self._thread.ident is None:
            self._thread.start()
        return _WAIT_S

    def close(self) -> None:
        """End all connections at once."""
        self._is_closing = True
        if self._thread.ident is None:
            self._loop.close()
        else:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_JOIN_S)
        # Only now: the loop may just be about to listen, and fails with a closed socket.
        for each in self._listening:
            each.remove()

    @property
    def has_ended(self) -> bool:
        """Whether its thread has ended."""
        return not self._thread.is_alive()

    def _serve(self) -> None:
        loop = self._loop
        asyncio.set_event_loop(loop)
        loop.set_default_executor(self._threads)
        loop.set_exception_handler(self._loop_failed)
        try:
            loop.run_until_complete(self._listen())
            self._selector.counts = True
            if not self._is_closing:  # else `stop` may have ended the turns before
                loop.run_forever()
            loop.run_until_complete(self._end())
        except (OSError, RuntimeError, ValueError):
            # Closed before it listened: the loop was stopped, or its sockets were closed.
            if not self._is_closing:
                raise
        finally:
            self._threads.shutdown()
            loop.close()

    async def _listen(self) -> None:
        config = uvicorn.Config(
            self._app,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            h11_max_incomplete_event_size=self._limits.head_bytes,
            timeout_keep_alive=round(self._limits.idle_s),
        )
        config.load()

        def connection() -> Connection:
            return Connection(config, self._app, self.connections, self._observer, self._limits)

        loop = asyncio.get_running_loop()
        if self._tls is not None:
            shakes = Handshakes(self._tls, connection, self._observer, self._limits)
            self._accepting = [
                loop.create_task(shakes.accept(each.socket)) for each in self._listening
            ]
            return
        for each in self._listening:
            await loop.create_server(connection, sock=each.socket, backlog=_ACCEPTS)
            each.socket.listen(BACKLOG)  # asyncio has made it as short as `_ACCEPTS`

    async def _end(self) -> None:
        """Abort all connections, and give the calls a moment to notice."""
        self.connections.abort_all()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_JOIN_S / 2)

    def _loop_failed(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, OSError | asyncio.CancelledError) or error is None:
            return  # a client that is gone, a handshake that failed
        self._observer.failed(error, "connection")


def quiet_libraries() -> None:
    """Keep what the libraries log from standard error: what matters is reported by `Connection`."""
    for name in ("uvicorn", "uvicorn.error", "asyncio"):
        logger = logging.getLogger(name)
        logger.propagate = False
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
