"""Why there is no connection to the broker, in words that say what to do: pure."""

import errno
import socket
import ssl
from collections.abc import Mapping

from agent.printable import printable

CHECK_ADDRESS = "check AGENT_MQTT_URL"
UNANSWERED = (
    "it accepts connections and does not answer as a broker does; check the port in "
    "AGENT_MQTT_URL: 1883 is usual for mqtt://, 8883 for mqtts://"
)
NO_MQTT = f"what it sends is no MQTT; {CHECK_ADDRESS}"
CLOSED = "it closed the connection"
CLOSED_EARLY = (
    "it closes the connection without an answer; check the port in AGENT_MQTT_URL, and mqtt:// or "
    "mqtts://"
)
SILENT = "it has not answered for a while; check the network and the broker"
TAKEN_OVER = (
    "another client uses the same client id: give each device its own AGENT_DEVICE_ID, and run one "
    "agent with it"
)
MAYBE_TAKEN_OVER = (
    "it closes each connection after a moment. If another agent has the same AGENT_DEVICE_ID, give "
    "each its own; otherwise see the log of the broker"
)

_NOT_TLS = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"})
_NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN})
_REFUSALS: Mapping[str, str] = {
    "Bad user name or password": "it refuses the user or the password; correct them in "
    "AGENT_MQTT_URL",
    "Not authorized": "it refuses this client: correct user and password in AGENT_MQTT_URL, or "
    "allow it in the broker",
    "Client identifier not valid": "it refuses the client id, which AGENT_DEVICE_ID makes; use "
    "another one",
    "Banned": "it has banned this client; see the log of the broker",
    "Server unavailable": "it says that it is not available now",
    "Server busy": "it says that it is busy",
    "Quota exceeded": "it says that a limit of its own is exceeded; see the log of the broker",
    "Connection rate exceeded": "it says that there are too many connections",
    "Server shutting down": "it is shutting down",
    "Session taken over": TAKEN_OVER,
    "Normal disconnection": CLOSED,
    "Keep alive timeout": "nothing from this device reached it for a while; check the network",
    "Packet too large": "a message was larger than it takes; see the log of the broker",
}
_ERRORS: Mapping[type[OSError], str] = {
    socket.gaierror: "its name cannot be resolved (DNS); check the network and AGENT_MQTT_URL",
    ConnectionRefusedError: "it refuses connections; check that the broker runs, and its port in "
    "AGENT_MQTT_URL",
    TimeoutError: "no connection in time; check the network and AGENT_MQTT_URL",
    ConnectionError: CLOSED,
}
"""In this order: a later one includes earlier ones."""


def of_refusal(reason: str) -> str:
    """Return what the reason of a broker, as MQTT 5 names it, means."""
    return _REFUSALS.get(reason, f'it says "{printable(reason)}"; see the log of the broker')


def of_error(error: OSError) -> str:
    """Return why a connection failed. The text of `error` is repeated in part only."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted: {error.verify_message.rstrip('.')}; name the file of "
            "its authority in AGENT_MQTT_URL as ?ca=/FILE, and the host as the certificate does; "
            "check the clock of this device"
        )
    if isinstance(error, ssl.SSLError):
        return _tls(error)
    for kind, words in _ERRORS.items():
        if isinstance(error, kind):
            return words
    if error.errno in _NO_ROUTE:
        return "there is no route to it; check the network"
    return printable(error.strerror or type(error).__name__)


def _tls(error: ssl.SSLError) -> str:
    reason = error.reason or ""
    if reason in _NOT_TLS:
        return f"it does not speak TLS; {CHECK_ADDRESS}: mqtt:// or another port"
    alert = reason.partition("_ALERT_")[2]
    if alert and "VERSION" not in alert and "INTERNAL" not in alert:
        return (
            "it refuses the device's certificate, or the want of one "
            f"({alert.replace('_', ' ').lower()}); name the file in AGENT_MQTT_URL as cert=/FILE"
        )
    if isinstance(error, ssl.SSLEOFError):
        return f"it ends the TLS handshake; {CHECK_ADDRESS}: the port, and mqtt:// or mqtts://"
    return f"TLS fails: {(reason or 'unknown').replace('_', ' ').lower()}"
