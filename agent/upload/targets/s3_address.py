"""The address `s3://BUCKET/PREFIX` and the variables that S3 tools read, checked before use."""

import os
import re
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from agent.errors import ConfigurationError
from agent.redaction import redact_endpoint
from agent.upload.http.client import USER_AGENT
from agent.upload.http.options import HttpOptions, checked_proxy

if TYPE_CHECKING:
    from obstore.store import ClientConfig

UPLOAD_URL = "AGENT_UPLOAD_URL"
"""What names the bucket where nothing else is said: messages begin with it."""

_ALLOWED = "must be s3://BUCKET/PREFIX, of letters, digits and any of . _ - with / in the prefix"
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_SEGMENT = re.compile(r"[\w-][\w.-]*", re.ASCII)
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_METADATA_ENDPOINT",
    "AWS_SKIP_SIGNATURE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)


def bucket_and_prefix(url: str, *, named: str = UPLOAD_URL) -> tuple[str, tuple[str, ...]]:
    """Return bucket and prefix of an address; raise `ConfigurationError` for any other one."""
    bucket, _, prefix = url.partition("://")[2].removesuffix("/").partition("/")
    segments = tuple(prefix.split("/")) if prefix else ()
    if not _BUCKET.fullmatch(bucket) or not all(_SEGMENT.fullmatch(each) for each in segments):
        raise ConfigurationError(f"{named}: {_ALLOWED}, not {redact_endpoint(url)!r}")
    return bucket, segments


def key_segment(name: str) -> str:
    """Return a name as a segment of a key; names that only differ in odd characters become one."""
    return _UNSAFE.sub("_", name).lstrip(".") or "_"


def client_options(network: HttpOptions, endpoint: str) -> "ClientConfig":
    """Return how the library asks a cloud for credentials."""
    timeout = timedelta(seconds=network.timeout)
    options: ClientConfig = {
        "timeout": timeout,
        "connect_timeout": timeout,
        "user_agent": USER_AGENT,
        "allow_http": endpoint.lower().startswith("http://"),
    }
    proxy = checked_proxy(network)
    if proxy is not None:
        options["proxy_url"] = proxy.geturl()
    return options


def require_credentials(*, named: str = UPLOAD_URL) -> None:
    """Raise `ConfigurationError` without credentials.

    The library would ask 169.254.169.254 for them, an address that no setting names.
    """
    if not any(os.environ.get(name) for name in _CREDENTIALS):
        raise ConfigurationError(
            f"{named}: s3:// needs credentials; set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or on a machine whose cloud gives it a role "
            "AWS_METADATA_ENDPOINT=http://169.254.169.254"
        )


def checked_endpoint() -> str:
    """Return the store's address, empty where it is Amazon's; raise `ConfigurationError`."""
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
    name = next((name for name in names if os.environ.get(name)), None)
    if name is None:
        return ""
    endpoint = os.environ[name]
    try:
        parsed = urlsplit(endpoint)
        usable = parsed.scheme in ("http", "https") and bool(parsed.hostname) and parsed.port != 0
    except ValueError:  # its text may repeat a password
        usable = False
    if not usable or not endpoint.isascii() or not endpoint.isprintable() or " " in endpoint:
        raise ConfigurationError(
            f"{name}: must be https://HOST or http://HOST:PORT, not {redact_endpoint(endpoint)!r}"
        )
    return endpoint
