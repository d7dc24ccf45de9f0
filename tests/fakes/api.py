"""A real server of the API on a free port and on a unix socket, and a client for both."""

import contextlib
import http.client
import json
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from starlette.routing import Route

from agent.api.app import guarded_app
from agent.runtime.application import Application
from agent.web.access import Access
from agent.web.address import WebAddress
from agent.web.hosts import own_hosts
from agent.web.limits import WebLimits, limits_for
from agent.web.listening import Listening, listen_at
from agent.web.observer import WebObserver
from agent.web.server import WebServer
from tests.fakes.log import Recorder
from tests.limits import LIMIT_S
from tests.runtime.runtime_builders import wait_until

TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Response:
    """What the server answered."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The text of an error, whose JSON has nothing else."""
        [(name, text)] = self.json.items()
        assert name == "error"
        return str(text)


class _UnixConnection(http.client.HTTPConnection):
    """A connection to a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        try:
            # Without a timeout yet: with one, a full backlog is an error instead of a wait.
            self.sock.connect(str(self._path))
        except OSError:
            self.sock.close()
            raise
        self.sock.settimeout(TIMEOUT_S)


class ApiClient:
    """Calls the API as a program beside the daemon does; a connection for each call."""

    def __init__(self, *, port: int = 0, path: Path | None = None) -> None:
        self.port = port
        self.path = path

    @property
    def url(self) -> str:
        """The address without a path; a browser takes it."""
        assert self.path is None
        return f"http://127.0.0.1:{self.port}"

    def is_served(self) -> bool:
        """Whether somebody listens; a socket is in its folder a moment before."""
        try:
            self.socket().close()
        except OSError:
            return False
        return True

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Response:
        return self.call("GET", path, None, headers)

    def post(
        self,
        path: str,
        body: bytes | Mapping[str, Any] = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Send bytes as they are, or an object as JSON."""
        if isinstance(body, bytes):
            return self.call("POST", path, body, headers)
        as_json = {"Content-Type": "application/json", **(headers or {})}
        return self.call("POST", path, json.dumps(body).encode(), as_json)

    def call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        with contextlib.closing(self.connection()) as connection:
            connection.request(method, path, body, dict(headers or {}))
            found = connection.getresponse()
            return Response(found.status, found.headers, found.read())

    @contextlib.contextmanager
    def stream(
        self, path: str, headers: Mapping[str, str] | None = None
    ) -> Iterator[http.client.HTTPResponse]:
        """Open a response that does not end, such as server-sent events: `readline()` it."""
        with contextlib.closing(self.connection()) as connection:
            connection.request("GET", path, None, dict(headers or {}))
            with connection.getresponse() as response:
                yield response

    def connection(self) -> http.client.HTTPConnection:
        if self.path is not None:
            return _UnixConnection(self.path)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)

    def socket(self) -> socket.socket:
        """Connect for bytes that no client would send."""
        connection = self.connection()
        connection.connect()
        return connection.sock


@dataclass(frozen=True, slots=True)
class ServedApi:
    """A server that runs, with a client for each of its two addresses."""

    server: WebServer
    tcp: ApiClient
    unix: ApiClient
    observer: WebObserver


Serve = Callable[..., ServedApi]
"""`serve(application, limits=...)`: what the fixture of tests/api/conftest.py gives."""


@contextlib.contextmanager
def served_api(
    application: Application,
    folder: Path,
    *,
    log: Recorder | None = None,
    limits: WebLimits | None = None,
    more: Sequence[Route] = (),
    token: str | None = None,
    tls: ssl.SSLContext | None = None,
) -> Iterator[ServedApi]:
    """Serve the application on 127.0.0.1 and on a unix socket in `folder`, and `more` routes.

    `token`: what the port asks for; the client does not send it by itself. `tls`: of both
    addresses; the clients speak HTTP without it. `limits`: by default those of the daemon, with
    so much time for each client that a slow machine meets none of them.
    """
    limits = limits or patient(limits_for(pushing=application.intake is not None))
    unix = listen_at(WebAddress(path=str(folder / "api.sock")))
    tcp = socket.create_server(("127.0.0.1", 0))
    port = tcp.getsockname()[1]
    observer = WebObserver((log or Recorder()).log, application.clock.monotonic)
    hosts = own_hosts(WebAddress(host="127.0.0.1", port=port), "device")
    access = Access(hosts, "http" if tls is None else "https", token)
    app = guarded_app(application, access, observer, limits, more=more)
    server = WebServer(app, [Listening(tcp), unix], observer, limits=limits, tls=tls)
    server.step()
    try:
        yield ServedApi(server, ApiClient(port=port), ApiClient(path=unix.path), observer)
    finally:
        server.close()
        wait_until(lambda: server.has_ended)  # so that nothing of it is left for a later test


def patient(limits: WebLimits) -> WebLimits:
    """Return the same limits with as much time as any client may need."""
    return replace(limits, head_s=LIMIT_S, idle_s=LIMIT_S, call_s=LIMIT_S, send_s=LIMIT_S)
