"""HTTP by `requests`, without what it does unasked: one request, one answer, in bounded time.

No redirects, cookies, netrc, proxies of the environment, retries. Imported only when an HTTP
target is made: `requests` costs 77 ms and 16 MB.
"""

import socket
from collections.abc import Mapping
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
)

from agent.ports import Clock
from agent.upload.deadline import GRACE, Deadline, connect, current
from agent.upload.outcome import Answer

ANSWER_MAX = 65536
"""Bytes of an answer's body that are read; a receipt has about 120."""

Part = tuple[str | None, bytes, str]
"""File name, content, media type."""

EXPECTED = (OSError, HTTPError)
"""What `exchange` raises when the network or the far side fails."""


class Transport:
    """Up to `workers` kept-alive connections to one far side; usable by as many threads.

    `timeout` is for one whole exchange, in seconds. `trusted` is a PEM file or folder of
    certificate authorities; None takes those that come with `requests`.
    """

    def __init__(
        self, *, timeout: float, workers: int, clock: Clock, trusted: str | None = None
    ) -> None:
        self._timeout = timeout
        self._clock = clock
        self._trusted = trusted or True
        self._adapter = _Adapter(pool_connections=1, pool_maxsize=workers)

    def exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        parts: Mapping[str, Part] | None = None,
    ) -> Answer:
        """Make one request, with a multipart body if there are `parts`, and read its answer.

        Raises `TimeoutError` when there is no whole answer in time, and else one of `EXPECTED`.
        """
        prepared = requests.Request(method, url, headers=dict(headers), files=parts).prepare()
        try:
            with Deadline(self._timeout, self._clock) as deadline:
                answer = self._exchange(prepared)
        except EXPECTED as error:
            if deadline.expired:
                raise TimeoutError(f"no whole answer within {self._timeout:g} s") from error
            raise
        # A body without a length looks complete when the deadline cuts it.
        if deadline.expired:
            raise TimeoutError(f"no whole answer within {self._timeout:g} s")
        return answer

    def close(self) -> None:
        """Close the connections that are kept alive."""
        self._adapter.close()

    def _exchange(self, prepared: requests.PreparedRequest) -> Answer:
        response = self._adapter.send(
            prepared, stream=True, timeout=self._timeout + GRACE, verify=self._trusted
        )
        try:
            body = _beginning(response)
        finally:
            response.close()  # keeps the connection if the body was read to its end
        return Answer(
            response.status_code,
            body,
            location=response.headers.get("Location"),
            retry_after=response.headers.get("Retry-After"),
            date=response.headers.get("Date"),
        )


def _beginning(response: requests.Response) -> bytes:
    """The body, as long as it has at most `ANSWER_MAX` bytes; otherwise a little more than that."""
    body = b""
    while len(body) <= ANSWER_MAX:
        piece = response.raw.read(ANSWER_MAX + 1 - len(body), decode_content=False)
        if not piece:
            break  # the end, and complete: a cut body raises here
        body += piece
    return body


class _Watched(HTTPConnection):
    """A connection that puts itself under the deadline of each request it serves."""

    def _new_conn(self) -> socket.socket:
        try:
            return connect(self._dns_host, self.port, current())
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "no connection in time") from error
        except OSError as error:
            raise NewConnectionError(self, "no connection") from error

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Send one request, on the connection of an earlier one if it still stands."""
        if self.sock is not None:
            current().watch(self.sock)
        super().request(*args, **kwargs)


class _WatchedTls(_Watched, HTTPSConnection):
    """The same with TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Watched


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedTls


class _Adapter(HTTPAdapter):
    """The pools of `requests`, with our connections in them."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
