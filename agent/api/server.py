"""Runs the HTTP server in a thread of its own."""

import asyncio
import socket
import threading

import uvicorn
from starlette.types import ASGIApp


class ApiServer:
    """The server of one daemon; `step` and `close` are those of a side worker."""

    def __init__(self, app: ASGIApp, listening: socket.socket) -> None:
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none")
        self._server = uvicorn.Server(config)
        self._listening = listening
        self._thread = threading.Thread(target=self._serve, name="api loop", daemon=True)

    def step(self) -> float:
        """Start the server at the first call."""
        if self._thread.ident is None:
            self._thread.start()
        return 1.0

    def close(self) -> None:
        """End all connections."""
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(1.0)

    def _serve(self) -> None:
        asyncio.run(self._server.serve([self._listening]))
