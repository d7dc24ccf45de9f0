"""HTTP by `requests` without its implicit behaviour: one request, one response, limited time.

No redirects, cookies, netrc, proxies of the environment, retries. Of a response, a bounded number
of bytes is read, whatever its framing claims, and its body is neither decompressed nor decoded.
Imported only when an HTTP target is made: `requests` costs 77 ms and 16 MB.
"""

import http.client
import io
import socket
import ssl
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
)
from urllib3.response import BaseHTTPResponse

from agent.ports import Clock
from agent.upload.connection_errors import BadResponse, NoConnection, cause
from agent.upload.http.deadline import GRACE, Deadline, connect, current
from agent.upload.http.multipart import Part, form
from agent.upload.http.options import HttpOptions
from agent.upload.http.rate_limit import RateLimit
from agent.upload.http.timer_thread import TimerThread
from agent.upload.response import RESPONSE_MAX, Response

HEAD_MAX = 65536
"""Bytes of everything else of a response: status, headers, interim responses, chunk sizes."""

EXPECTED = (OSError, HTTPError, http.client.HTTPException)
"""What `exchange` raises when the network or the endpoint fails."""

IDLE_MAX = 60.0
"""Seconds without a request after which a connection is not used again: a router on the way may
have forgotten it without telling, and the next request would wait for its whole timeout."""

_BROKEN = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)


class Transport:
    """Kept-alive connections to one endpoint, for the workers of `network` and one thread more.

    `tls` is what connections by https are made with.
    """

    def __init__(self, network: HttpOptions, *, clock: Clock, tls: ssl.SSLContext | None) -> None:
        self._timeout = network.timeout
        self._clock = clock
        self._throttle = RateLimit(network.max_rate, clock) if network.max_rate else None
        self._proxies = {"http": network.proxy, "https": network.proxy} if network.proxy else None
        self._adapter = _Adapter(network.workers + 1, tls)  # one more for heartbeats
        self._timers = TimerThread()

    def exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Mapping[str, Part] | bytes | None = None,
        *,
        repeatable: bool = False,
        body_max: int = RESPONSE_MAX,
    ) -> Response:
        """Make one request, its body a multipart form if that is a mapping, and read its response.

        A `repeatable` request, which the endpoint may receive twice without harm, is made once more
        when it met a kept connection that the endpoint was just closing. Of a body longer than
        `body_max` bytes, slightly more than that many are returned.

        Raises `TimeoutError` when there is no whole response in time, and else one of `EXPECTED`.
        """
        prepared = _prepared(method, url, headers, body)
        try:
            with Deadline(
                self._timeout,
                self._clock,
                timers=self._timers,
                throttle=self._throttle,
                body_max=body_max,
            ) as deadline:
                try:
                    response = self._exchange(prepared)
                except EXPECTED as error:
                    is_stale = deadline.reused and not deadline.expired and _is_broken(error)
                    if not (repeatable and is_stale):
                        raise
                    deadline.afresh = True
                    response = self._exchange(prepared)
        except EXPECTED as error:
            if deadline.expired:
                raise TimeoutError(f"no whole response within {self._timeout:g} s") from error
            raise
        # A body without a length looks complete when the deadline cuts it.
        if deadline.expired:
            raise TimeoutError(f"no whole response within {self._timeout:g} s")
        return response

    def close(self) -> None:
        """Close the connections that are kept alive."""
        self._adapter.close()
        self._timers.close()

    def _exchange(self, prepared: requests.PreparedRequest) -> Response:
        try:
            response: BaseHTTPResponse = self._adapter.send(  # type: ignore[assignment]
                prepared, stream=True, timeout=self._timeout + GRACE, proxies=self._proxies
            )
            try:
                body = _beginning(response, current().body_max)
            finally:
                response.close()  # keeps the connection if the body was read to its end
                response.release_conn()
        except ValueError as error:  # numbers and encodings that the library does not check
            raise BadResponse from error
        return Response(
            response.status,
            body,
            location=response.headers.get("Location"),
            retry_after=response.headers.get("Retry-After"),
            date=response.headers.get("Date"),
            etag=response.headers.get("ETag"),
            last_modified=response.headers.get("Last-Modified"),
        )


def _prepared(
    method: str, url: str, headers: Mapping[str, str], body: Mapping[str, Part] | bytes | None
) -> requests.PreparedRequest:
    """Return the request, without the 0.5 ms that `requests` takes to build a form."""
    all_headers = dict(headers)
    if isinstance(body, Mapping):
        body, all_headers["Content-Type"] = form(body)
    if body is not None:
        all_headers["Content-Length"] = str(len(body))
    prepared = requests.PreparedRequest()
    prepared.method = method
    prepared.url = _encoded(url)
    prepared.headers = CaseInsensitiveDict(all_headers)
    prepared.body = body
    return prepared


@lru_cache(maxsize=64)
def _encoded(url: str) -> str:
    """Return the address as HTTP requires it."""
    return str(requests.Request("GET", url).prepare().url)


def _beginning(response: BaseHTTPResponse, most: int) -> bytes:
    """Return the body; of one longer than `most` bytes, slightly more than that many."""
    body = b""
    while len(body) <= most:
        piece = response.read(most + 1 - len(body), decode_content=False)
        if not piece:
            break  # the end, and complete: a cut body raises here
        body += piece
    return body


def _is_broken(error: BaseException) -> bool:
    return any(cause(error, kind) is not None for kind in _BROKEN)


class _LimitedReader(io.RawIOBase):
    """Reads one response from `connection`; raises `BadResponse` beyond a limit.

    The framing of HTTP cannot get around it: `http.client` reads a chunk of the size -1 to the end
    of the connection, and accepts interim responses and trailers without end.
    """

    def __init__(self, connection: io.RawIOBase) -> None:
        super().__init__()
        self._connection = connection
        self._left = HEAD_MAX + current().body_max + 2 * io.DEFAULT_BUFFER_SIZE  # read ahead

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._left <= 0:
            raise BadResponse
        size = self._connection.readinto(memoryview(buffer)[: self._left])
        self._left -= size or 0
        return size

    def close(self) -> None:
        self._connection.close()
        super().close()


class _Bytes(io.BufferedReader):
    """The bytes of one response."""

    def read(self, size: int | None = -1) -> bytes:
        """Read `size` bytes; raise `BadResponse` for a size that only a false framing asks for."""
        if size is None or size < 0:
            raise BadResponse
        return super().read(size)


class _LimitedResponse(http.client.HTTPResponse):
    """A response of limited size."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fp = _Bytes(_LimitedReader(self.fp.detach()))


class _Watched(HTTPConnection):
    """A connection that puts itself under the deadline of each request it serves."""

    response_class = _LimitedResponse
    used_at = 0.0  # when its latest request began, by the monotonic clock

    def _new_conn(self) -> socket.socket:
        try:
            return connect(self._dns_host, self.port, current())
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from NoConnection(error)
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "no connection in time") from NoConnection(error)
        except OSError as error:
            raise NewConnectionError(self, "no connection") from NoConnection(error)

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Send one request, on the connection of an earlier one if it is still open."""
        deadline = current()
        if self.sock is not None:
            deadline.watch(self.sock)
        self.used_at = deadline.now()
        super().request(*args, **kwargs)

    def send(self, data: Any) -> None:
        """Send bytes, in pieces where there is a limit on their rate."""
        deadline = current()
        throttle = deadline.throttle
        if throttle is None:
            super().send(data)
            return
        view = memoryview(data)
        for start in range(0, len(view), throttle.piece):
            piece = view[start : start + throttle.piece]
            throttle.admit(len(piece), deadline.extend)
            super().send(piece)


class _WatchedTls(_Watched, HTTPSConnection):
    """The same with TLS."""

    def send(self, data: Any) -> None:
        """Send bytes; raise `BrokenPipeError` if the endpoint closed the connection."""
        try:
            super().send(data)
        except ssl.SSLEOFError as error:
            # After this one its rest is read: an early response, or, with TLS 1.3, what it
            # thinks of our certificate, which it sees when the handshake is over for us.
            raise BrokenPipeError("the endpoint closed the connection") from error


class _Fresh(HTTPConnectionPool):
    """A pool that drops connections that were idle for too long."""

    def _get_conn(self, timeout: float | None = None) -> Any:
        connection: Any = super()._get_conn(timeout)
        if not connection.is_closed:
            deadline = current()
            if deadline.afresh or deadline.now() - connection.used_at > IDLE_MAX:
                connection.close()
            else:
                deadline.reused = True
        return connection


class _Pool(_Fresh):
    ConnectionCls = _Watched


class _TlsPool(_Fresh, HTTPSConnectionPool):
    ConnectionCls = _WatchedTls


class _Adapter(HTTPAdapter):
    """The pools of `requests`, with our connections and our TLS in them."""

    def __init__(self, connections: int, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        super().__init__(pool_connections=1, pool_maxsize=connections)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools."""
        super().init_poolmanager(*args, **kwargs, ssl_context=self._tls)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Make the pools of a proxy."""
        manager: Any = super().proxy_manager_for(*args, **kwargs, ssl_context=self._tls)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def build_response(self, _request: Any, response: Any) -> Any:
        """Return the response as it is: `requests` would parse cookies, encodings and links."""
        return response

    def cert_verify(self, conn: Any, *_: Any, **__: Any) -> None:
        """Verify with our TLS context alone: `requests` would also trust its own authorities."""
        conn.cert_reqs = "CERT_REQUIRED"


_POOLS = {"http": _Pool, "https": _TlsPool}
