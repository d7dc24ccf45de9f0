"""What `check` says of the MQTT broker."""

from functools import partial
from typing import TYPE_CHECKING

from agent.errors import ConfigurationError
from agent.factories.mqtt import broker_of, mqtt_address
from agent.mqtt import discovery
from agent.mqtt.topics import Topics
from agent.ports import Clock
from agent.runtime.abandonable import within
from agent.settings.declarations import Settings
from agent.upload.targets.address import is_loopback

if TYPE_CHECKING:  # the library of an extra
    from agent.mqtt.client import Connection
    from agent.mqtt.connection import Broker
    from agent.mqtt.wake import Wake

_ALL_S = 40.0  # a name, a connection, a TLS handshake and an answer, twice
_CONFIRM_S = 5.0


def check_broker(settings: Settings, clock: Clock) -> str:
    """Connect to the broker of the settings and use a topic; raises `ConfigurationError`."""
    address = mqtt_address(settings)
    if address is None:
        return "AGENT_MQTT_URL is not set"
    broker = broker_of(settings, address, "check")
    fact = within(_ALL_S, partial(_try, broker, settings, clock), name="mqtt check")
    if fact is None:
        raise ConfigurationError(
            f"cannot reach {address.shown}: no answer within {_ALL_S:.0f} s; check the network and "
            "AGENT_MQTT_URL"
        )
    if address.user is not None and not address.tls and not is_loopback(address.host):
        fact += "; warning: user and password are sent unencrypted, use mqtts:// if it supports it"
    return fact


def _try(broker: "Broker", settings: Settings, clock: Clock) -> str:
    from agent.mqtt.wake import Wake

    address, wake = broker.address, Wake()
    topics = Topics(address.prefix, settings.device_id)
    used = [f"{topics.root}/check"]
    if address.discovery is not None:
        node = discovery.node_id(settings.device_id)
        used.append(f"{address.discovery}/sensor/{node}/check/config")
    connection = _opened(broker, clock, wake)
    try:
        connection.subscribe([topics.capture])
        for topic in used:
            connection.publish(topic, b"", retain=False)
        in_time = connection.settle(_CONFIRM_S, wake)
        refused = connection.refused()
    finally:
        connection.close()
        wake.close()
    if refused:
        raise ConfigurationError(
            f"{address.shown} refuses {' and '.join(refused)}: allow this user the topics of "
            "docs/mqtt.md there"
        )
    if not in_time:
        raise ConfigurationError(
            f"{address.shown} takes the connection, but confirms no message; see its log"
        )
    if not connection.tells_refusals:
        return (
            f"{address.shown} takes the connection with MQTT 3.1.1, which cannot tell whether "
            f"{topics.root}/# may be used"
        )
    return f"{address.shown} takes the connection, {topics.root}/# may be used"


def _opened(broker: "Broker", clock: Clock, wake: "Wake") -> "Connection":
    """Return an open connection, with MQTT 5 or else 3.1.1."""
    from agent.mqtt.client import Connection, NotConnected

    for is_new in (True, False):
        connection = Connection(
            broker.address, broker.client_id, is_new=is_new, context=broker.context, clock=clock
        )
        try:
            connection.open(wake, lambda: False)
        except NotConnected as error:
            if is_new and error.try_older:
                continue
            raise ConfigurationError(f"cannot reach {broker.address.shown}: {error}") from None
        return connection
    raise AssertionError("the second try ends the loop")
