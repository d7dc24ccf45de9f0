"""The generic endpoint: one multipart POST for each capture, proved by its answer."""

import ipaddress
import re
from contextlib import AbstractContextManager
from urllib.parse import SplitResult, urlsplit

from agent.domain import Receipt, StoredCapture
from agent.errors import ConfigurationError
from agent.ports import Clock
from agent.upload.http.client import Client, checked_token
from agent.upload.http.options import HttpOptions
from agent.upload.response import judge, judge_probe

_ALLOWED = "must be https://HOST/PATH or http://HOST/PATH"


class EndpointTarget(AbstractContextManager["EndpointTarget"]):
    """Delivers by POST to `url`, over connections as `network` wants them.

    Raises `ConfigurationError` for an address, token, proxy or PEM file that can never work.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None,
        clock: Clock,
        network: HttpOptions | None = None,
    ) -> None:
        parse_http(url)
        self.name = masked(url)
        self._token = checked_token(token)
        self._headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        self._client = Client(url, clock=clock, network=network)

    def __exit__(self, *_: object) -> None:
        """Close the connections that are kept alive."""
        self._client.close()

    def send(self, capture: StoredCapture) -> Receipt:
        """Deliver one capture; see `UploadTarget`."""
        answer = self._client.ask(
            "POST",
            headers=self._headers | {"Idempotency-Key": f'"{capture.id}"'},
            body={
                "record": (None, capture.record_json, "application/json"),
                "image": (f"{capture.id}.jpg", capture.image, "image/jpeg"),
            },
            repeatable=True,  # the far side knows a capture that it is sent twice by its key
        )
        return judge(answer, capture.id, capture.image_sha256, secret=self._token)

    def probe(self) -> str:
        """Ask by GET, without a capture, what the address says; see `UploadTarget`."""
        return judge_probe(self._client.ask("GET", headers=self._headers, repeatable=True))


def parse_http(url: str, allowed: str = _ALLOWED) -> SplitResult:
    """Take an HTTP address apart.

    Raises `ConfigurationError`, with what is `allowed` and the value masked, unless it can be used
    as it is.
    """
    shown = masked(url)
    try:
        parsed = urlsplit(url)
        port = parsed.port
    except ValueError:  # its own words may repeat a password
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


def masked(url: str) -> str:
    """The address as it may be shown: neither password nor query, either may be a secret."""
    start, slashes, rest = url.partition("//")
    if not slashes:
        start, rest = "", url
    # Up to the last "@": a password may hold any of "/?#", and then nothing else tells its end.
    _, at, rest = rest.rpartition("@")
    shown, *query = re.split(r"[?#]", rest, maxsplit=1)
    return start + slashes + ("***@" if at else "") + shown + ("?***" if query else "")


def is_loopback(host: str) -> bool:
    """Whether `host` is this computer itself, so that nobody listens in between."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
