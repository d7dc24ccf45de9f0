"""One connection to a broker, used by one thread.

MQTT 5 is tried first: it says why a connection ends and what may not be published, and the broker
keeps larger packets than we take to itself. Brokers that do not know it get MQTT 3.1.1.
"""

import contextlib
import select
import ssl
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from agent.errors import AgentError
from agent.mqtt import causes
from agent.mqtt.address import MqttAddress
from agent.mqtt.bounded_client import PACKET_BYTES, BoundedClient
from agent.mqtt.wake import Wake
from agent.ports import Clock

KEEPALIVE_S = 30
"""A connection without traffic is tested so often; a dead one is noticed within twice the time."""

CONNECT_S = 10.0
"""How long each of the connection, the TLS handshake and the broker's answer may take."""

UNCONFIRMED_MAX = 64
"""Messages that the broker has not confirmed; further ones wait outside."""

CONFIRM_S = 30.0
"""How long the broker may confirm nothing."""

_PROPERTIES: Any = Properties  # its constructor has no types
_IN_FLIGHT = 10  # messages on the way at once; brokers take 20 by default
_MESSAGES_MAX = 500  # received and not yet handled; further ones displace the oldest
_BYTES_THAT_ARE_NO_MQTT = (
    struct.error,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
)
"""What the library raises for them, besides its own errors, which it handles itself."""


class NotConnected(AgentError):
    """There is no connection any more: wait and make another one. The text is its cause."""

    def __init__(self, cause: str, *, try_older: bool = False) -> None:
        """`try_older`: the broker may know MQTT 3.1.1 alone."""
        super().__init__(cause)
        self.try_older = try_older


@dataclass(frozen=True, slots=True)
class Message:
    """What the broker passed on."""

    topic: str
    payload: bytes
    is_retained: bool


class Connection:
    """A connection from its opening to its end; it is never opened again.

    All methods but `close` raise `NotConnected` when it has ended.
    """

    def __init__(
        self,
        address: MqttAddress,
        client_id: str,
        *,
        is_new: bool,
        context: ssl.SSLContext | None,
        clock: Clock,
        will: tuple[str, str] | None = None,
    ) -> None:
        """Prepare it.

        Args:
            address: The broker.
            client_id: Must be another one for each client.
            is_new: Whether to speak MQTT 5, else 3.1.1.
            context: Of `tls_context`.
            clock: Gives the monotonic time.
            will: Topic and payload that the broker publishes, retained, when the connection breaks.
        """
        self._address = address
        self._is_new = is_new
        self._clock = clock
        self._client = client = BoundedClient(
            CallbackAPIVersion.VERSION2,
            client_id,
            protocol=MQTTProtocolVersion.MQTTv5 if is_new else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_S
        client.max_inflight_messages = _IN_FLIGHT
        if address.user is not None:
            client.username_pw_set(address.user, address.password)
        if context is not None:
            client.tls_set_context(context)
        if will is not None:
            client.will_set(will[0], will[1], qos=1, retain=True)
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_message = self._received
        client.on_publish = self._confirmed
        client.on_subscribe = self._subscribed
        self._messages: deque[Message] = deque(maxlen=_MESSAGES_MAX)
        self._refused: list[str] = []
        self._unconfirmed: dict[int, str] = {}  # topics by the number of the message
        self._subscribing: dict[int, list[str]] = {}
        self._progress_at = 0.0
        self._is_open = False
        self._cause = causes.CLOSED
        self._refusal = ""  # why the broker does not let us in
        self._qos = 1
        self._retains = True

    def open(self, wake: Wake, stopping: Callable[[], bool]) -> bool:
        """Connect, and wait until the broker lets us in; false if `stopping` became true."""
        properties: Any = None
        if self._is_new:
            properties = _PROPERTIES(PacketTypes.CONNECT)
            properties.MaximumPacketSize = PACKET_BYTES
        more: dict[str, Any] = {"clean_start": True, "properties": properties}
        try:
            self._client.connect(
                self._address.host,
                self._address.port,
                KEEPALIVE_S,
                **(more if self._is_new else {}),
            )
        except OSError as error:
            cause = causes.of_error(error)
            raise NotConnected(causes.CLOSED_EARLY if cause == causes.CLOSED else cause) from None
        except ValueError:  # a host name that cannot be encoded
            raise NotConnected(f"its name is no host name; {causes.CHECK_ADDRESS}") from None
        deadline = self._clock.monotonic() + CONNECT_S
        while not self._is_open:
            left = deadline - self._clock.monotonic()
            if left <= 0:
                self.drop()
                raise NotConnected(causes.UNANSWERED, try_older=self._is_new)
            self._serve(left, wake)
            if stopping():
                self.drop()
                return False
        return True

    def serve(self, seconds: float, wake: Wake) -> list[Message]:
        """Send and receive for `seconds`, or until a message came or `wake` was called."""
        self._serve(seconds, wake)
        messages = list(self._messages)
        self._messages.clear()
        return messages

    def publish(self, topic: str, payload: bytes, *, retain: bool) -> bool:
        """Send a message; false if the broker must confirm others first."""
        if len(self._unconfirmed) >= UNCONFIRMED_MAX or self._client.want_write():
            return False
        if not self._unconfirmed:
            self._progress_at = self._clock.monotonic()
        sent = self._client.publish(topic, payload, self._qos, retain and self._retains)
        if self._qos and sent.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._unconfirmed[sent.mid] = topic
        return True

    def subscribe(self, filters: list[str]) -> None:
        """Receive what fits these filters."""
        if self._is_new:
            # Without it, a retained message that is sent now could not be told from any other.
            options = SubscribeOptions(qos=1, retainAsPublished=True)
            _, number = self._client.subscribe([(each, options) for each in filters])
        else:
            _, number = self._client.subscribe([(each, 1) for each in filters])
        if number is not None:
            self._subscribing[number] = filters

    def unsubscribe(self, filters: list[str]) -> None:
        """Receive what fits these filters no longer."""
        self._client.unsubscribe(filters)

    def refused(self) -> list[str]:
        """Return the topics and filters that the broker refused since the last call."""
        refused, self._refused = self._refused, []
        return refused

    @property
    def is_open(self) -> bool:
        """Whether the broker let us in."""
        return self._is_open

    @property
    def tells_refusals(self) -> bool:
        """Whether the broker says so when it refuses a message; MQTT 3.1.1 has no words for it."""
        return self._is_new

    def settle(self, seconds: float, wake: Wake) -> bool:
        """Wait until the broker has confirmed everything; false if it did not in time."""
        deadline = self._clock.monotonic() + seconds
        while self._unconfirmed or self._subscribing or self._client.want_write():
            left = deadline - self._clock.monotonic()
            if left <= 0:
                return False
            self._serve(left, wake)
        return True

    def close(self) -> None:
        """End it in order, so that the broker does not publish the will."""
        with contextlib.suppress(OSError):
            self._client.disconnect()
        self.drop()

    def drop(self) -> None:
        """End it as if it broke, so that the broker publishes the will."""
        sock = self._client.socket()
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.close()

    def _serve(self, seconds: float, wake: Wake) -> None:
        """Send and receive once, after at most `seconds`."""
        sock = self._client.socket()
        if sock is None:
            raise self._ended()
        poll = select.poll()
        poll.register(sock.fileno(), select.POLLIN | select.POLLOUT * self._client.want_write())
        poll.register(wake.fileno(), select.POLLIN)
        pending = isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
        ready = dict(poll.poll(0 if pending else max(0, round(seconds * 1000))))
        if wake.fileno() in ready:
            wake.clear()
        happened = ready.get(sock.fileno(), 0)
        try:
            if pending or happened & ~select.POLLOUT:
                self._client.loop_read()
            if happened & select.POLLOUT:
                self._client.loop_write()
            self._client.loop_misc()
        except _BYTES_THAT_ARE_NO_MQTT:
            self.drop()
            raise NotConnected(causes.NO_MQTT) from None
        except OSError as error:
            self.drop()
            raise NotConnected(causes.of_error(error)) from None
        if self._client.socket() is None or self._refusal:
            self.drop()
            raise self._ended()
        if self._unconfirmed and self._clock.monotonic() - self._progress_at > CONFIRM_S:
            self.drop()
            raise NotConnected(causes.SILENT)

    def _ended(self) -> NotConnected:
        if self._client.too_large:
            return NotConnected(
                f"a message to this device has more than {PACKET_BYTES // 1024} KiB, which it does "
                "not take; see who publishes to its topics"
            )
        if self._client.tls_error is not None:
            return NotConnected(causes.of_error(self._client.tls_error))
        if self._refusal:
            is_old = self._refusal == "Unsupported protocol version"
            return NotConnected(causes.of_refusal(self._refusal), try_older=is_old and self._is_new)
        if self._is_open:
            return NotConnected(self._cause)
        cause = causes.CLOSED_EARLY if self._cause == causes.CLOSED else self._cause
        return NotConnected(cause, try_older=self._is_new)

    # Called by the library while it reads. Each only keeps what it was told: nothing here can fail.

    def _connected(
        self,
        _client: Client,
        _data: object,
        _flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._refusal = reason.getName()
            return
        self._is_open = True
        self._qos = min(1, getattr(properties, "MaximumQoS", 1))
        self._retains = bool(getattr(properties, "RetainAvailable", 1))

    def _disconnected(
        self,
        _client: Client,
        _data: object,
        flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self._cause = causes.of_refusal(reason.getName())
        elif reason.getName() == "Keep alive timeout":
            self._cause = causes.SILENT
        elif reason.getName() == "Protocol error":
            self._cause = causes.NO_MQTT

    def _received(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        with contextlib.suppress(UnicodeDecodeError):  # of the topic
            self._messages.append(
                Message(message.topic, bytes(message.payload), bool(message.retain))
            )

    def _confirmed(
        self,
        _client: Client,
        _data: object,
        number: int,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        topic = self._unconfirmed.pop(number, None)
        self._progress_at = self._clock.monotonic()
        if topic is not None and reason.is_failure:
            self._refused.append(topic)

    def _subscribed(
        self,
        _client: Client,
        _data: object,
        number: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        filters = self._subscribing.pop(number, [])
        self._refused += [
            each for each, reason in zip(filters, reasons, strict=False) if reason.is_failure
        ]
