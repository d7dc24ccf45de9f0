"""Clients that connect to the port with TLS and never finish the handshake."""

import contextlib
import gc
import socket
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from http.client import HTTPException, HTTPSConnection
from pathlib import Path

import pytest
import trustme

from agent.runtime.application import Application
from agent.web import handshakes
from agent.web.limits import LIMITS
from agent.web.tls import tls_context
from tests.fakes.api import Serve, ServedApi, patient
from tests.fakes.log import Recorder
from tests.runtime.runtime_builders import wait_until

AUTHORITY = trustme.CA()
FEW = replace(patient(LIMITS), connections=4, address_connections=2)


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    file = tmp_path / "api.pem"
    made = AUTHORITY.issue_cert("127.0.0.1")
    made.private_key_and_cert_chain_pem.write_to_path(str(file))
    return tls_context(file)


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def silent(served: ServedApi, opened: ExitStack, count: int) -> list[socket.socket]:
    """Connect, and say nothing."""
    clients = [opened.enter_context(served.tcp.socket()) for _ in range(count)]
    for client in clients:
        client.settimeout(60)
    return clients


def is_ended(client: socket.socket) -> bool:
    """Whether the server ends a connection; raises `TimeoutError` if it does not."""
    with contextlib.suppress(ConnectionResetError):
        return client.recv(1) == b""
    return True


def is_open(client: socket.socket) -> bool:
    client.setblocking(False)
    with pytest.raises(BlockingIOError):
        client.recv(1)
    return True


def status(served: ServedApi) -> int:
    trusting = ssl.create_default_context()
    AUTHORITY.configure_trust(trusting)
    connection = HTTPSConnection("127.0.0.1", served.tcp.port, timeout=60, context=trusting)
    with contextlib.closing(connection):
        connection.request("GET", "/v1/status")
        return connection.getresponse().status


def test_handshakes_have_the_limit_of_connections_and_the_oldest_makes_room(
    application: Application, serve: Serve, tls: ssl.SSLContext, opened: ExitStack, log: Recorder
) -> None:
    served = serve(application, limits=FEW, tls=tls)

    *old, a, b, c, d = silent(served, opened, 40)

    assert all(is_ended(each) for each in old)
    assert all(is_open(each) for each in (b, c, d))
    assert status(served) == 200
    assert is_ended(a)
    assert log.one("api refused")["reason"] == "connections"


def test_another_computer_has_no_more_of_them_than_of_connections(
    application: Application,
    serve: Serve,
    tls: ssl.SSLContext,
    opened: ExitStack,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(handshakes, "remote_address", lambda _: "10.0.0.9")
    served = serve(application, limits=FEW, tls=tls)

    first, second, third = silent(served, opened, 3)

    assert is_ended(first)
    assert is_open(second)
    assert is_open(third)


def test_a_handshake_that_does_not_come_ends_the_connection(
    application: Application, serve: Serve, tls: ssl.SSLContext, opened: ExitStack
) -> None:
    served = serve(application, limits=replace(LIMITS, head_s=0.1), tls=tls)

    [client] = silent(served, opened, 1)

    assert is_ended(client)
    wait_until(lambda: responds(served))


def responds(served: ServedApi) -> bool:
    """Whether it answers a call; a busy machine may need longer than a short limit."""
    with contextlib.suppress(OSError, HTTPException):
        return status(served) == 200
    return False


def test_the_end_of_the_server_ends_handshakes(
    application: Application, serve: Serve, tls: ssl.SSLContext, opened: ExitStack
) -> None:
    served = serve(application, tls=tls)
    clients = silent(served, opened, 30)
    assert status(served) == 200

    served.server.close()

    wait_until(lambda: served.server.has_ended)
    assert all(is_ended(each) for each in clients)


def test_connections_that_have_ended_leave_no_memory_to_be_searched_for(
    application: Application, serve: Serve, tls: ssl.SSLContext, opened: ExitStack
) -> None:
    served = serve(application, tls=tls)
    gc.collect()
    gc.disable()
    opened.callback(gc.enable)

    assert [status(served) for _ in range(10)] == [200] * 10

    wait_until(lambda: not any(isinstance(each, SSLProtocol) for each in gc.get_objects()))


def test_a_handshake_that_fails_leaves_no_memory_to_be_searched_for(
    application: Application, serve: Serve, tls: ssl.SSLContext, opened: ExitStack
) -> None:
    """Each holds 256 kB: what waits for the search may be hundreds of megabytes."""
    served = serve(application, limits=FEW, tls=tls)
    assert status(served) == 200
    gc.collect()
    gc.disable()
    opened.callback(gc.enable)

    for client in silent(served, opened, 3):
        client.sendall(b"no TLS at all")
        assert is_ended(client)
    left = [is_ended(client) for client in silent(served, opened, 20)[:-4]]

    assert len(left) == 16
    assert status(served) == 200
    wait_until(lambda: sum(isinstance(each, SSLProtocol) for each in gc.get_objects()) <= 6)
