"""How requests travel, the same for every target that speaks HTTP."""

import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from agent.errors import ConfigurationError
from agent.files import open_regular


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """The operator's options for connections to the endpoint."""

    timeout: float = 30.0  # seconds of one whole request, without waits for `max_rate`
    workers: int = 4  # connections at once, kept alive
    max_rate: int = 0  # bytes per second of all of them together; 0 = no limit
    ca: Path | None = None  # PEM file of the authorities to trust instead of the system's
    client_cert: Path | None = None  # PEM file with our certificate and its key
    proxy: str | None = field(default=None, repr=False)  # http://[user:password@]host:port

    @property
    def has_pem(self) -> bool:
        """Whether there are PEM files that TLS is to use."""
        return self.ca is not None or self.client_cert is not None


def tls_context(network: HttpOptions) -> ssl.SSLContext:
    """What every TLS connection is made with: certificates are always verified.

    Raises `ConfigurationError` for PEM files that cannot be used.
    """
    context = _trusting(network.ca)
    if network.client_cert is not None:
        path = network.client_cert
        try:
            # Without the empty password a locked key would ask for one at the terminal.
            os.close(open_regular(path))  # TLS would wait for the writer of a FIFO
            context.load_cert_chain(path, password="")
        except (OSError, ValueError) as error:  # SSLError is an OSError
            raise ConfigurationError(
                f"AGENT_UPLOAD_CLIENT_CERT: must be a PEM file with a certificate and its key, "
                f"the key without a password, not {str(path)!r}: {_reason(error)}"
            ) from None
    return context


def checked_proxy(network: HttpOptions) -> SplitResult | None:
    """The proxy taken apart; raises `ConfigurationError`, its value unseen, for any other URL."""
    if network.proxy is None:
        return None
    try:
        parsed = urlsplit(network.proxy)
        usable = parsed.scheme == "http" and bool(parsed.hostname) and parsed.port != 0
    except ValueError:  # its own words may repeat a password
        usable = False
    if not usable or parsed.path not in ("", "/") or parsed.query or not network.proxy.isascii():
        raise ConfigurationError(
            "AGENT_UPLOAD_PROXY: must be http://HOST:PORT, or the same with a user and password "
            "before the host"
        )
    return parsed


def _trusting(ca: Path | None) -> ssl.SSLContext:
    if ca is not None:
        try:
            os.close(open_regular(ca))
            return ssl.create_default_context(cafile=ca)
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"AGENT_UPLOAD_CA: must be a PEM file of certificates, not {str(ca)!r}: "
                f"{_reason(error)}"
            ) from None
    paths = ssl.get_default_verify_paths()
    if paths.cafile or (paths.capath and any(Path(paths.capath).glob("*.0"))):
        return ssl.create_default_context(cafile=paths.cafile, capath=paths.capath)
    import certifi  # comes with requests; a system without authorities of its own

    return ssl.create_default_context(cafile=certifi.where())


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    return getattr(error, "strerror", None) or str(error)
