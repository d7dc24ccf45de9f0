"""An HTTP client for one endpoint: returns a response or raises one of the port's errors."""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode, urlsplit

from agent import __version__
from agent.errors import ConfigurationError
from agent.ports import Clock
from agent.progress import doing
from agent.upload.connection_errors import explain
from agent.upload.http.multipart import Part
from agent.upload.http.options import HttpOptions, checked_proxy, tls_context
from agent.upload.response import RESPONSE_MAX, Response

USER_AGENT = f"edge-capture-agent/{__version__}"

_TOKEN = re.compile(r"[\x21-\x7e]+")


class Client:
    """Requests to addresses that begin with `base`, over connections as `network` wants them.

    Several threads may use it at once. Raises `ConfigurationError` for a proxy or PEM file that
    can never work.
    """

    def __init__(self, base: str, *, clock: Clock, network: HttpOptions | None = None) -> None:
        network = network or HttpOptions()
        parsed = urlsplit(base)
        proxy = checked_proxy(network)
        tls = tls_context(network) if parsed.scheme == "https" or network.has_pem else None
        self._base = base
        self._where = parsed.netloc
        if proxy is not None:
            self._where += f" through the proxy {proxy.netloc.rpartition('@')[2]}"
        self._clock = clock
        # Imported here because it costs 77 ms and 16 MB, which targets without HTTP need not pay.
        from agent.upload.http.transport import EXPECTED, Transport

        self._expected = EXPECTED
        self._transport = Transport(network, clock=clock, tls=tls)

    def request(
        self,
        method: str,
        path: str = "",
        *,
        query: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        body: Mapping[str, Part] | bytes | None = None,
        repeatable: bool,
        body_max: int = RESPONSE_MAX,
        instead: str | None = None,
    ) -> Response:
        """Make one request; a mapping as `body` is sent as a multipart form.

        `instead` stands in place of base, `path` and `query`. At most `body_max` bytes of the
        response's body prove anything. A `repeatable` one may reach the endpoint twice, so it must
        be harmless there.

        Raises `TargetUnavailable` or `TargetBlocked` without a complete response; their text holds
        nothing of `query`, `headers` and `body`.
        """
        url = instead or self._base + path + (f"?{urlencode(query)}" if query else "")
        all_headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **(headers or {})}
        try:
            with doing(f"waits for a response of {self._where}"):
                return self._transport.exchange(
                    method, url, all_headers, body, repeatable=repeatable, body_max=body_max
                )
        except self._expected as error:
            raise explain(error, self._where, self._clock.wall()) from error

    def close(self) -> None:
        """Close the connections that are kept alive; a later request opens new ones."""
        self._transport.close()


def checked_token(token: str | None) -> str | None:
    """The token, None for an empty one; raises `ConfigurationError` where no header can have it."""
    if not token:
        return None
    if not _TOKEN.fullmatch(token):
        raise ConfigurationError(
            "AGENT_UPLOAD_TOKEN: must be printable ASCII without spaces or line ends, as HTTP "
            "headers demand"
        )
    return token
