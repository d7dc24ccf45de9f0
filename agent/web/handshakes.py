"""Accepts TLS connections: a client that has not finished its handshake holds a place too."""

import asyncio
import socket
import ssl
import traceback
from collections.abc import Callable

from agent.web.connection import Observer, remote_address
from agent.web.limits import WebLimits

_NO_DESCRIPTOR_S = 1.0
"""After an accept that failed; asyncio waits as long."""


class Handshakes:
    """The handshakes of one server that are under way; used by the thread of its loop alone.

    Each costs a descriptor and 256 kB of memory, and a `Connection` learns of its client only at
    the end of it. So they have the limits of the connections, and the oldest makes room.
    """

    def __init__(
        self,
        tls: ssl.SSLContext,
        connection: Callable[[], asyncio.Protocol],
        observer: Observer,
        limits: WebLimits,
    ) -> None:
        """`connection`: makes what serves a client whose handshake is done."""
        self._tls = tls
        self._connection = connection
        self._observer = observer
        self._limits = limits
        self._open: dict[asyncio.Task[None], str] = {}  # the oldest first, and whose it is

    async def accept(self, listening: socket.socket) -> None:
        """Accept connections for ever, one in each turn of the loop."""
        loop = asyncio.get_running_loop()
        listening.settimeout(0)  # it does not block
        while True:
            try:
                accepted, client = await loop.sock_accept(listening)
            except OSError:  # no descriptor is left, or the client is gone
                await asyncio.sleep(_NO_DESCRIPTOR_S)
                continue
            self._begin(accepted, client or ("", 0))  # a unix socket has no address
            await asyncio.sleep(0)

    def _begin(self, accepted: socket.socket, client: tuple[str, int]) -> None:
        address = remote_address(client)
        same = [task for task, whose in self._open.items() if whose == address]
        if address and len(same) >= self._limits.address_connections:
            self._end(same[0], client)
        elif len(self._open) >= self._limits.connections:
            self._end(next(iter(self._open)), client)
        task = asyncio.get_running_loop().create_task(self._shake(accepted))
        self._open[task] = address
        task.add_done_callback(lambda done: self._open.pop(done, None))

    def _end(self, oldest: asyncio.Task[None], client: tuple[str, int]) -> None:
        self._observer.refused("connections", client[0])
        self._open.pop(oldest, None)  # now: its end comes later
        oldest.cancel()

    async def _shake(self, accepted: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._connection,
                accepted,
                ssl=self._tls,
                ssl_handshake_timeout=self._limits.head_s,
            )
        except OSError as error:  # it failed, took too long, or the client is gone
            # The frames hold the error and the error the frames: their memory would stay until
            # the next search for such circles.
            traceback.clear_frames(error.__traceback__)
