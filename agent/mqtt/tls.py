"""How the broker's certificate is verified, and which one the device shows."""

import ssl

from agent.errors import ConfigurationError
from agent.mqtt.address import MqttAddress


def tls_context(address: MqttAddress) -> ssl.SSLContext | None:
    """Return what verifies the broker; None without TLS. Raises `ConfigurationError`."""
    if not address.tls:
        return None
    try:
        context = ssl.create_default_context(cafile=address.ca or None)
    except OSError as error:
        raise ConfigurationError(
            f"AGENT_MQTT_URL: cannot use {address.ca} as ca=: {_words(error)}"
        ) from None
    if address.cert:
        try:
            context.load_cert_chain(address.cert, password="")
        except OSError as error:
            raise ConfigurationError(
                f"AGENT_MQTT_URL: cannot use {address.cert} as cert=: {_words(error)}. It must "
                "hold a certificate and its key, which needs no password"
            ) from None
    return context


def _words(error: OSError) -> str:
    if isinstance(error, ssl.SSLError) or error.strerror is None:
        return "it is no such PEM file"
    return error.strerror
