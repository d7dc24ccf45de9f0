"""The API and the MQTT client of the settings, as workers beside the pipeline."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.errors import ConfigurationError
from agent.factories.extras import need
from agent.factories.mqtt import broker_of, mqtt_address, mqtt_workers
from agent.logs import Log
from agent.runtime.supervisor import SideWorker
from agent.settings.load import api_token
from agent.web.access import UNIX_ACCESS, Access
from agent.web.hosts import own_hosts
from agent.web.limits import limits_for
from agent.web.listening import listen_at
from agent.web.tls import expiry, tls_context

if TYPE_CHECKING:
    from agent.runtime.application import Application
    from agent.settings.declarations import Settings

API_TOKEN_PLACE = "/etc/capture-agent/api_token"  # noqa: S105 (a path)
"""Where the unit takes the credential from."""


def has_doors(settings: Settings) -> bool:
    """Whether people or programs beside the daemon can ask it for anything."""
    return settings.api is not None or settings.mqtt_url is not None


def check_api_terms(settings: Settings) -> None:
    """Raise `ConfigurationError` for what a person must fix before the API can be asked."""
    if settings.api is not None:
        api_terms(settings)


def check_broker_terms(settings: Settings) -> None:
    """Raise `ConfigurationError` for what a person must fix before a broker can be used."""
    broker = mqtt_address(settings)
    if broker is not None:
        broker_of(settings, broker)


def side_workers(
    settings: Settings, application: Application, *, log: Log
) -> tuple[SideWorker, ...]:
    """Return the workers that the settings ask for. Raises `ConfigurationError`."""
    return (
        *_facts(application),
        *_api(settings, application, log),
        *mqtt_workers(settings, application, log),
    )


def _facts(application: Application) -> list[SideWorker]:
    facts = application.facts
    return [] if facts is None else [SideWorker("verdicts", facts.step, facts.close)]


def _api(settings: Settings, application: Application, log: Log) -> list[SideWorker]:
    if settings.api is None:
        return []
    terms = api_terms(settings)
    from agent.api.app import guarded_app
    from agent.web.observer import WebObserver
    from agent.web.server import WebServer

    listening = listen_at(settings.api)
    observer = WebObserver(log, application.clock.monotonic)
    limits = limits_for(pushing=application.intake is not None)
    app = guarded_app(application, terms.access, observer, limits)
    server = WebServer(app, [listening], observer, limits=limits, tls=terms.tls)
    facts = {
        "address": str(settings.api),
        "tls": terms.tls is not None,
        "token": terms.access.token is not None,
    }
    warning = listening.warning or _certificate_problem(settings, terms)
    if warning:
        log.warning("api started", **facts, error=warning)
    else:
        log.info("api started", **facts)
    return [SideWorker("api", server.step, server.close)]


def _certificate_problem(settings: Settings, terms: ApiTerms) -> str:
    """Say why clients will refuse the certificate, as after a start with a wrong clock."""
    if terms.tls is None or settings.api_tls_cert is None:
        return ""
    try:
        expiry(terms.tls, settings.api_tls_cert)
    except ConfigurationError as error:
        return str(error)
    return ""


@dataclass(frozen=True, slots=True)
class ApiTerms:
    """On which terms the API serves."""

    access: Access
    tls: ssl.SSLContext | None


def api_terms(settings: Settings) -> ApiTerms:
    """Return what the API of the settings asks of its clients.

    Raises `ConfigurationError` for all that a person must fix before it can listen: a library, the
    token, the certificate.
    """
    address, certificate = settings.api, settings.api_tls_cert
    if address is None:
        raise ConfigurationError("AGENT_API: off")
    need("web", "AGENT_API")
    if address.path:
        return ApiTerms(UNIX_ACCESS, None)
    token = api_token()
    lacking = []
    if token is None:
        lacking.append(
            "a token (the file api_token in $CREDENTIALS_DIRECTORY; for the service, write one "
            f"into {API_TOKEN_PLACE})"
        )
    if certificate is None:
        lacking.append("a certificate (AGENT_API_TLS_CERT; docs/api.md shows how to make one)")
    if lacking and not address.is_loopback:
        raise ConfigurationError(
            f"AGENT_API: cannot listen on {address}: other computers can reach it, so it needs "
            f"{' and '.join(lacking)}; or use 127.0.0.1, or a unix socket"
        )
    tls = None if certificate is None else tls_context(certificate)
    scheme = "http" if tls is None else "https"
    return ApiTerms(Access(own_hosts(address, socket.gethostname()), scheme, token), tls)
