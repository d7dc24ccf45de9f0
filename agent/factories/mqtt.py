"""The connection to the MQTT broker of the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent import __version__
from agent.factories.extras import need
from agent.mqtt.address import MqttAddress, parse_mqtt
from agent.runtime.supervisor import SideWorker
from agent.system import full_jitter

if TYPE_CHECKING:
    from agent.logs import Log
    from agent.mqtt.connection import Broker
    from agent.runtime.application import Application
    from agent.settings.declarations import Settings


def mqtt_workers(settings: Settings, application: Application, log: Log) -> list[SideWorker]:
    """Return the worker that AGENT_MQTT_URL asks for. Raises `ConfigurationError`."""
    address = mqtt_address(settings)
    if address is None:
        return []
    broker = broker_of(settings, address)
    from agent.mqtt.connection import BrokerThread
    from agent.mqtt.publisher import Plan, Publisher
    from agent.mqtt.topics import Topics

    plan = Plan(
        Topics(address.prefix, settings.device_id),
        address.discovery,
        settings.all_thresholds,
        has_budget=settings.budget_per_day > 0,
    )
    publisher = Publisher(plan, application, version=__version__)
    thread = BrokerThread(broker, publisher, application, jitter=full_jitter, log=log)
    return [SideWorker("mqtt", thread.step, thread.close)]


def mqtt_address(settings: Settings) -> MqttAddress | None:
    """Return the broker of the settings; None if there is none."""
    url = settings.mqtt_url
    return parse_mqtt(url.get_secret_value()) if url and url.get_secret_value() else None


def broker_of(settings: Settings, address: MqttAddress, purpose: str = "") -> Broker:
    """Return where and as whom to connect.

    `purpose`: empty for the daemon; the client id of another program must be another one.

    Raises `ConfigurationError` if the library is missing, or a file of the address is unusable.
    """
    need("mqtt", "AGENT_MQTT_URL")
    from agent.mqtt.connection import Broker, client_id
    from agent.mqtt.tls import tls_context

    return Broker(address, client_id(settings.device_id, purpose), tls_context(address))
