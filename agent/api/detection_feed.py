"""What the model found in each frame, to all clients that listen; each frame is written once."""

import asyncio
import json
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Collection
from dataclasses import dataclass, field

from agent.domain import Observation
from agent.runtime.application import AnalysedFrames
from agent.web.client_queue import QUEUED, RETRY, ClientQueue


@dataclass(frozen=True, slots=True, eq=False)
class _Client:
    cameras: Collection[str]
    shapes: bool
    queue: ClientQueue = field(default_factory=ClientQueue)


class DetectionFeed:
    """Listens to the pipeline while there is a client.

    The pipeline leaves a frame without its pixels in a bounded queue and goes on; the text is made
    in the thread of the event loop, once for all clients that want the same.
    """

    def __init__(self, frames: AnalysedFrames) -> None:
        self._frames = frames
        self._clients: list[_Client] = []
        self._arrived: deque[Observation] = deque(maxlen=QUEUED)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_woken = False
        self._remove: Callable[[], None] | None = None
        self._dropped: Counter[str] = Counter()  # by camera, because the event loop was late
        self._noted: Counter[str] = Counter()  # of these, what the clients know

    async def events(self, cameras: Collection[str], *, shapes: bool) -> AsyncGenerator[str, None]:
        """Yield the events of a new client."""
        client = _Client(frozenset(cameras), shapes)
        self._enter(client)
        try:
            yield RETRY
            while True:
                head = await client.queue.get()
                yield f'{head}, "missed": {client.queue.missed}}}\n\n'
        finally:
            self._leave(client)

    def _enter(self, client: _Client) -> None:
        if not self._clients:
            self._loop = asyncio.get_running_loop()
            self._remove = self._frames.listen(self._tell)
        self._clients.append(client)

    def _leave(self, client: _Client) -> None:
        self._clients.remove(client)
        if not self._clients and self._remove is not None:
            self._remove()
            self._arrived.clear()

    def _tell(self, observation: Observation) -> None:
        """Take a frame, in the thread of the pipeline."""
        if len(self._arrived) == QUEUED:
            self._dropped[self._arrived[0].frame.camera] += 1
        self._arrived.append(observation)
        loop = self._loop
        if self._is_woken or loop is None:
            return
        self._is_woken = True
        try:
            loop.call_soon_threadsafe(self._spread)
        except RuntimeError:  # the loop has ended: the daemon stops
            self._is_woken = False

    def _spread(self) -> None:
        self._is_woken = False
        self._note_dropped()
        while self._arrived:
            self._write(self._arrived.popleft())

    def _write(self, observation: Observation) -> None:
        """Give each client its text, without the closing brace: `missed` follows."""
        camera = observation.frame.camera
        made: dict[bool, str] = {}
        for client in self._clients:
            if camera not in client.cameras:
                continue
            if client.shapes not in made:
                facts = self._frames.facts(observation, shapes=client.shapes)
                head = f"id: {observation.frame.sequence}\ndata: "
                made[client.shapes] = head + json.dumps(facts).removesuffix("}")
            client.queue.put(made[client.shapes])

    def _note_dropped(self) -> None:
        for camera, dropped in list(self._dropped.items()):
            more = dropped - self._noted[camera]
            self._noted[camera] = dropped
            for client in self._clients:
                if camera in client.cameras:
                    client.queue.missed += more
