"""What `check` says of the API: whether it can listen, and who can reach it then."""

import contextlib
import grp
import os
import socket

from agent.cli.daemon import daemon_of
from agent.errors import ConfigurationError
from agent.factories.api import ApiTerms, api_terms
from agent.ports import Clock
from agent.settings.declarations import Settings
from agent.web.address import WebAddress
from agent.web.listening import listen_at
from agent.web.tls import expiry

_EXPIRES_SOON_S = 30 * 86_400.0
_CONNECT_S = 1.0


def check_api(settings: Settings, address: WebAddress, clock: Clock) -> str:
    """Say where the API listens and who can reach it; raises `ConfigurationError`."""
    terms = api_terms(settings)
    facts = [str(address), _who(address, terms)]
    if terms.tls is not None and settings.api_tls_cert is not None:
        until = expiry(terms.tls, settings.api_tls_cert)
        left = until.timestamp() - clock.wall()
        warning = "warning: " if left < _EXPIRES_SOON_S else ""
        facts.append(f"{warning}the certificate is valid until {until:%Y-%m-%d}")
    daemon = daemon_of(settings.spool_dir, clock)
    if daemon.presence.is_there and daemon.owner is not None and _answers(address):
        facts.append(f"the daemon (process {daemon.owner.process}) listens there")
        return "; ".join(facts)
    listening = listen_at(address)
    listening.remove()
    if listening.warning:
        raise ConfigurationError(
            f"AGENT_API: cannot listen on {address}: {listening.warning}; correct it, or connect "
            "the network"
        )
    return "; ".join([*facts, "can be opened"])


def _who(address: WebAddress, terms: ApiTerms) -> str:
    """Say who can reach the API."""
    if address.path:
        return f"for the user {_user()} and members of the group {_group()}, without a token"
    token = "without a token" if terms.access.token is None else "with the token"
    where = "this computer" if address.is_loopback else "all computers that reach this one"
    how = "" if terms.tls is None else ", over HTTPS"
    return f"for every program of {where}, {token}{how}"


def _user() -> str:
    import pwd

    with contextlib.suppress(KeyError):
        return pwd.getpwuid(os.geteuid()).pw_name
    return str(os.geteuid())


def _group() -> str:
    with contextlib.suppress(KeyError):
        return grp.getgrgid(os.getegid()).gr_name
    return str(os.getegid())


def _answers(address: WebAddress) -> bool:
    """Whether a program listens there."""
    try:
        if address.path:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(_CONNECT_S)
                probe.connect(address.path)
        else:
            host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host)  # noqa: S104
            socket.create_connection((host, address.port), _CONNECT_S).close()
    except OSError:
        return False
    return True
