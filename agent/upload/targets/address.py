"""Addresses of targets: parsed, masked for display, and checked for an unencrypted token."""

import ipaddress
from urllib.parse import SplitResult, urlsplit

from agent.errors import ConfigurationError
from agent.redaction import redact_endpoint

HTTP_ALLOWED = "must be https://HOST/PATH or http://HOST/PATH"


def parse_http(url: str, allowed: str = HTTP_ALLOWED) -> SplitResult:
    """Parse an HTTP address.

    Raises `ConfigurationError`, with what is `allowed` and the value masked, unless the address
    can be used as it is.
    """
    shown = redact_endpoint(url)
    try:
        parsed = urlsplit(url)
        port = parsed.port
    except ValueError:  # its text may repeat a password
        raise ConfigurationError(f"AGENT_UPLOAD_URL: {allowed}, not {shown!r}") from None
    if "@" in parsed.netloc:
        raise ConfigurationError(
            f"AGENT_UPLOAD_URL: {allowed} without user or password, not {shown!r}; "
            "put the secret into AGENT_UPLOAD_TOKEN"
        )
    if parsed.scheme not in ("http", "https") or not parsed.hostname or port == 0:
        raise ConfigurationError(f"AGENT_UPLOAD_URL: {allowed}, not {shown!r}")
    if parsed.fragment or not url.isascii() or any(c.isspace() or c < " " for c in url):
        raise ConfigurationError(
            f"AGENT_UPLOAD_URL: {allowed} without spaces, '#' or letters beyond ASCII, "
            f"not {shown!r}"
        )
    return parsed


def is_loopback(host: str) -> bool:
    """Whether `host` is this computer itself, so that the traffic crosses no network."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def insecure_token_warning(url: str, token: str | None) -> str | None:
    """Return the warning to show when `token` would be sent unencrypted over a network."""
    scheme, _, rest = url.partition("://")
    if not token or scheme.lower().rpartition("+")[2] != "http":
        return None
    host = parse_http(f"http://{rest}").hostname or ""
    if is_loopback(host):
        return None
    return (
        f"AGENT_UPLOAD_TOKEN is sent to {host} unencrypted: anyone on the network path can read it "
        "and the images; use https:// if the endpoint supports it"
    )
