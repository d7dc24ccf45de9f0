"""The events of a stream that one client has not got yet."""

import asyncio
from collections import deque

QUEUED = 32
"""Events that wait for a slow client; then the oldest is dropped."""

RETRY = "retry: 2000\n\n"
"""Tells a browser to connect again after two seconds."""


class ClientQueue:
    """A bounded queue; used in the thread of the event loop alone."""

    def __init__(self, most: int = QUEUED) -> None:
        self._waiting: deque[str] = deque(maxlen=most)
        self._arrived = asyncio.Event()
        self.missed = 0
        """Events that this client has lost so far, because it was slow."""

    def put(self, event: str) -> None:
        """Add an event; drop the oldest where there is no room."""
        self.missed += len(self._waiting) == self._waiting.maxlen
        self._waiting.append(event)
        self._arrived.set()

    async def get(self) -> str:
        """Return the next event; wait for it."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        return self._waiting.popleft()
