"""Keeps a connection to the broker, in a thread of its own that nothing else waits for."""

import math
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass

from agent.logs import Log
from agent.mqtt import causes, discovery
from agent.mqtt.address import MqttAddress
from agent.mqtt.client import Connection, Message, NotConnected
from agent.mqtt.command_desk import CommandDesk
from agent.mqtt.publisher import KEPT, Publisher
from agent.mqtt.topics import OFFLINE, Topics, topic_level
from agent.mqtt.wake import Wake
from agent.ports import Clock
from agent.printable import printable
from agent.runtime.application import Application
from agent.runtime.live import BrokerCondition

TICK_S = 1.0
"""How often is looked for changes; captures are told at once."""

FIRST_RETRY_S = 1.0
FIRST_BOUND_S = 2.0
LAST_RETRY_S = 120.0
"""Waits between two tries, which double: half of each is random."""

STABLE_S = 60.0
"""A connection that lasts so long resets the waits: two clients of one id would take turns else."""

RETAINED_S = 5.0
"""How long is looked for what the broker has kept of this device."""

BIRTH_S = 5.0
"""Up to so much later the discovery messages are sent again: all devices hear of it at once."""

MESSAGES_MAX = 300
"""Messages that are taken in each `TICK_S`: a flood of them must not slow the cameras."""

STOP_S = 0.7
"""How long the end may take."""

CAUSE_S = 600.0
"""The shortest time between two lines of the log with one cause, unless it was well between."""

SHORT_MAX = 3
"""Connections in a row that did not last: no accident."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where and as whom to connect."""

    address: MqttAddress
    client_id: str
    context: ssl.SSLContext | None


def client_id(device: str, purpose: str = "") -> str:
    """Return the id under which a broker knows a device; each purpose has another one."""
    return f"capture-agent-{topic_level(device)}{purpose and '-' + purpose}"


class BrokerThread:
    """The connection of one daemon; `step` and `close` are those of a side worker.

    The thread may hang in a look-up of a name: neither the step nor the end waits for it.
    """

    def __init__(
        self,
        broker: Broker,
        publisher: Publisher,
        application: Application,
        *,
        jitter: Callable[[float], float],
        log: Log,
    ) -> None:
        """`jitter` returns a random wait of at most so many seconds."""
        self._broker = broker
        self._publisher = publisher
        self._topics: Topics = publisher.topics
        self._application = application
        self._clock: Clock = application.clock
        self._jitter = jitter
        self._log = log
        self._wake = Wake()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mqtt connection", daemon=True)
        self._commands = CommandDesk(application, log)
        self._is_new = True  # whether MQTT 5 is tried
        self._bound = FIRST_BOUND_S
        self._short = 0  # connections in a row that did not last
        self._told_causes: dict[str, float] = {}
        self._lost_at: float | None = None
        self._tells_recovery = False
        self._told_topics: set[str] = set()
        self._announce_at: float | None = None
        self._birth_topic = ""
        self._asked = [self._topics.capture, self._topics.any_camera("capture")]
        self._kept = [self._topics.any_camera(what) for what in KEPT]
        prefix = broker.address.discovery
        if prefix is not None:
            self._birth_topic = f"{prefix}/status"
            self._asked.append(self._birth_topic)
            self._kept.append(discovery.filter_of(prefix, self._topics.device))

    def step(self) -> float:
        """Start the thread at the first call."""
        if self._thread.ident is None:
            self._thread.start()
        return TICK_S

    def close(self) -> None:
        """Say that the device goes offline, so that the last will is not needed."""
        self._stopping.set()
        self._wake.call()
        if self._thread.ident is not None:
            self._thread.join(STOP_S)

    def _run(self) -> None:
        end = self._publisher.listen(self._wake.call)
        try:
            while not self._stopping.is_set():
                wait = self._try()
                if wait > 0:
                    self._stopping.wait(wait)
        finally:
            end()
            self._wake.close()

    def _try(self) -> float:
        """Connect, and serve the connection until it ends; return the wait before the next try."""
        connection = Connection(
            self._broker.address,
            self._broker.client_id,
            is_new=self._is_new,
            context=self._broker.context,
            clock=self._clock,
            will=(self._topics.availability, OFFLINE),
        )
        opened_at = None
        try:
            if connection.open(self._wake, self._stopping.is_set):
                opened_at = self._clock.monotonic()
                self._opened()
                self._serve(connection)
        except NotConnected as ended:
            return self._lost(ended, opened_at)
        finally:
            self._publisher.end()
        connection.close()
        return 0.0

    def _serve(self, connection: Connection) -> None:
        """Tell what changes, and take commands, until the end of the connection or a stop."""
        self._publisher.begin()
        self._announce_at = None
        connection.subscribe(self._asked)
        connection.subscribe(self._kept)
        now = self._clock.monotonic()
        look_at, kept_until, taken = now, now + RETAINED_S, 0
        while not self._stopping.is_set():
            now = self._clock.monotonic()
            if now >= kept_until:
                connection.unsubscribe(self._kept)
                kept_until = math.inf
            if self._announce_at is not None and now >= self._announce_at:
                self._announce_at = None
                self._publisher.announce_again()
            if now >= look_at:
                self._publisher.look(now)
                look_at, taken = now + TICK_S, 0
            self._send(connection, now)
            for message in connection.serve(look_at - now, self._wake):
                self._take(connection, message)
                taken += 1
            self._tell_refused(connection.refused())
            if taken >= MESSAGES_MAX:  # the broker waits meanwhile, and nothing else does
                self._stopping.wait(max(0.0, look_at - self._clock.monotonic()))
        now = self._clock.monotonic()
        self._publisher.look(now)
        self._send(connection, now)
        sent = connection.publish(self._topics.availability, OFFLINE.encode(), retain=True)
        if not (sent and connection.settle(STOP_S / 2, self._wake)):
            connection.drop()  # without a DISCONNECT, so that the broker publishes the last will

    def _send(self, connection: Connection, now: float) -> None:
        for outgoing in self._publisher.due():
            if not connection.publish(outgoing.topic, outgoing.payload, retain=outgoing.retain):
                return
            self._publisher.told(outgoing, now)

    def _take(self, connection: Connection, message: Message) -> None:
        camera = self._topics.commanded(message.topic, self._application.cameras)
        if camera is not None:
            for answer in self._commands.take(message, camera):
                connection.publish(self._topics.errors, answer, retain=False)
        elif message.topic == self._birth_topic:
            if message.payload == b"online" and not message.is_retained:
                soon = self._clock.monotonic() + self._jitter(BIRTH_S)
                self._announce_at = self._announce_at or soon
        elif message.is_retained:
            self._publisher.found(message.topic, message.payload)

    def _tell_refused(self, topics: list[str]) -> None:
        """Say once of each kind of topic that the broker does not let us use it."""
        for topic in topics:
            kind = topic.rpartition("/")[2]
            if topic in self._kept or kind in self._told_topics:
                continue
            self._told_topics.add(kind)
            self._log.warning(
                "mqtt topic refused", topic=printable(topic), broker=self._broker.address.shown
            )

    def _opened(self) -> None:
        self._application.live.broker = BrokerCondition(is_connected=True)
        shown = self._broker.address.shown
        if self._lost_at is None:
            self._log.info("mqtt connected", broker=shown)
        elif self._tells_recovery:
            after = round(self._clock.monotonic() - self._lost_at, 1)
            self._log.warning("mqtt recovered", broker=shown, after_s=after)
        self._tells_recovery = False

    def _lost(self, ended: NotConnected, opened_at: float | None) -> float:
        """Take note that there is no connection; return the wait before the next try."""
        now = self._clock.monotonic()
        if ended.try_older and self._is_new:
            self._is_new = False
            return 0.0
        if opened_at is None:
            self._is_new = True
        elif now - opened_at >= STABLE_S:
            self._bound, self._short = FIRST_BOUND_S, 0
            self._told_causes.clear()
        else:
            self._short += 1
        cause = str(ended)
        if cause == causes.CLOSED and self._short >= SHORT_MAX:
            cause = causes.MAYBE_TAKEN_OVER
        wait = max(FIRST_RETRY_S, self._bound / 2 + self._jitter(self._bound / 2))
        self._bound = min(self._bound * 2, LAST_RETRY_S)
        error = f"cannot reach {self._broker.address.shown}: {cause}"
        if opened_at is not None or self._lost_at is None:
            self._lost_at = now
        self._application.live.broker = BrokerCondition(is_connected=False, error=error)
        if now - self._told_causes.get(cause, -math.inf) >= CAUSE_S:
            self._told_causes[cause] = now
            self._tells_recovery = True
            self._log.warning("mqtt disconnected", error=error, retry_in_s=round(wait, 1))
        return wait
