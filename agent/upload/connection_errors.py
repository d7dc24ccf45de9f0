"""Connection errors explained: network failures pass, wrong certificates do not."""

import errno
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from agent.errors import AgentError, TargetBlocked, TargetUnavailable

PLAUSIBLE_SINCE = datetime(2024, 1, 1, tzinfo=UTC).timestamp()
"""Seconds since 1970; a clock before this has not been set."""

_NOT_YET_VALID = 9  # X509_V_ERR_CERT_NOT_YET_VALID
_EXPIRED = 10  # X509_V_ERR_CERT_HAS_EXPIRED
_NOT_TLS = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"})
_NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN})
_OUR_CERTIFICATE = frozenset(
    {
        "access denied",
        "bad certificate",
        "certificate expired",
        "certificate required",
        "certificate revoked",
        "certificate unknown",
        "handshake failure",
        "unknown ca",
        "unsupported certificate",
    }
)
_TUNNEL = re.compile(r"Tunnel connection failed: (4[0-9]{2})\b")
_LINKS_MAX = 20  # causes of causes that are looked at

_E = TypeVar("_E", bound=BaseException)


class BadResponse(OSError):
    """A response is not HTTP as it must be, or its head is longer than any response needs."""


class NoConnection(OSError):
    """There was no connection to the endpoint; its argument says why."""


class NameTimeout(TimeoutError):
    """The look-up of a name, its argument, takes longer than the request may."""


_CAUSES: Mapping[type[BaseException], str] = {
    socket.gaierror: "its name cannot be resolved (DNS); check the network and AGENT_UPLOAD_URL",
    ConnectionRefusedError: "it refuses connections; check that the endpoint runs",
    NameTimeout: "the look-up of its name (DNS) hangs; check the name server that the device uses",
    BadResponse: "its response is no valid HTTP, or has endless headers; check AGENT_UPLOAD_URL",
}


def explain(error: BaseException, where: str, wall: float) -> AgentError:
    """Translate what the transport raised into an error of the port.

    `where` is the address as it may be shown; `wall` the device's clock, seconds since 1970.
    The text of `error` itself is not repeated: it may hold the whole address with its secrets.
    """
    cannot = f"cannot reach {where}"
    certificate = cause(error, ssl.SSLCertVerificationError)
    if certificate is not None:
        return TargetBlocked(f"{cannot}: {_certificate(certificate, wall)}")
    tls = cause(error, ssl.SSLError)
    if tls is not None and tls.reason in _NOT_TLS:
        return TargetBlocked(
            f"{cannot}: it does not speak TLS: captive portal, or http:// is meant; "
            "check AGENT_UPLOAD_URL"
        )
    if tls is not None and _alert(tls) in _OUR_CERTIFICATE:
        return TargetBlocked(
            f"{cannot}: it refuses the device's certificate, or the want of one "
            f"({_alert(tls)}); check AGENT_UPLOAD_CLIENT_CERT"
        )
    refusal = _proxy_refusal(error)
    if refusal is not None:
        return TargetBlocked(f"{cannot}: the proxy answers {refusal}; check AGENT_UPLOAD_PROXY")
    reached = cause(error, NoConnection) is None
    return TargetUnavailable(f"{cannot}: {_network(error, tls)}", reached=reached)


def cause(error: BaseException, kind: type[_E]) -> _E | None:
    """Return the first error of that kind among an error and all that it wraps."""
    return next((e for e in _chain(error) if isinstance(e, kind)), None)


def _certificate(error: ssl.SSLCertVerificationError, wall: float) -> str:
    clock = f"the device's clock says {_date(wall)}"
    if error.verify_code in (_NOT_YET_VALID, _EXPIRED):
        state = "is not yet valid" if error.verify_code == _NOT_YET_VALID else "has expired"
        if wall < PLAUSIBLE_SINCE:
            return f"its certificate {state} because {clock}: set the clock (NTP)"
        if error.verify_code == _EXPIRED:
            return f"its certificate {state} ({clock}): renew it there"
        return f"its certificate {state} ({clock}): check the clock"
    return (
        f"its certificate is not trusted: {error.verify_message.rstrip('.')}; "
        "captive portal, wrong host name, or a certificate authority that the device does not know"
    )


def _network(error: BaseException, tls: ssl.SSLError | None) -> str:
    for kind, words in _CAUSES.items():
        if cause(error, kind) is not None:
            return words
    timeout = cause(error, TimeoutError)
    if timeout is not None:
        return str(timeout) if isinstance(error, TimeoutError) else "no connection in time"
    if any(isinstance(e, OSError) and e.errno in _NO_ROUTE for e in _chain(error)):
        return "there is no route to it; check the network"
    if tls is not None and not isinstance(tls, ssl.SSLEOFError):
        return f"TLS fails: {(tls.reason or 'unknown').replace('_', ' ').lower()}"
    return "the connection broke before the response was whole"


def _alert(error: ssl.SSLError) -> str:
    """Return what the endpoint says about our TLS, such as `bad certificate`, or ""."""
    return (error.reason or "").partition("_ALERT_")[2].replace("_", " ").lower()


def _proxy_refusal(error: BaseException) -> str | None:
    """Return the status with which a proxy refuses to connect us if the failure is permanent."""
    matches = (_TUNNEL.search(str(e)) for e in _chain(error) if isinstance(e, OSError))
    return next((match[1] for match in matches if match), None)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield `error` and what it wraps: the two libraries store the cause in different places."""
    seen: list[BaseException] = []
    waiting = [error]
    while waiting and len(seen) < _LINKS_MAX:
        link = waiting.pop(0)
        if link in seen:
            continue
        seen.append(link)
        yield link
        inner = (getattr(link, "reason", None), link.__cause__, link.__context__, *link.args)
        waiting.extend(e for e in inner if isinstance(e, BaseException))


def _date(wall: float) -> str:
    try:
        return datetime.fromtimestamp(wall, UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):
        return "no date at all"
