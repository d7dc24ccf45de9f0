"""Certificates that are right, wrong, too old, too new, or for somebody else."""

import os
import socket
import ssl
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import pytest
import trustme

from agent.errors import ConfigurationError, TargetBlocked
from agent.upload.http.options import HttpOptions
from agent.upload.targets.endpoint import EndpointTarget
from tests.fakes.captures import stored_capture
from tests.fakes.clock import ManualClock
from tests.upload import faulty_server as faults
from tests.upload.faulty_server import FaultyServer
from tests.upload.short_limits import require_limit


def target_of(url: str) -> EndpointTarget:
    return EndpointTarget(url, token=None, clock=ManualClock(), network=HttpOptions(timeout=60.0))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def trusting(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> HttpOptions:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return HttpOptions(ca=path)


def tls_context(
    authority: trustme.CA,
    host: str = "localhost",
    not_before: datetime | None = None,
    not_after: datetime | None = None,
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf = authority.issue_cert(host, not_before=not_before, not_after=not_after)
    leaf.configure_cert(context)
    return context


def test_a_trusted_certificate_is_accepted_and_the_connection_kept(
    authority: trustme.CA, trusting: HttpOptions
) -> None:
    with (
        FaultyServer(faults.store, tls=tls_context(authority)) as server,
        EndpointTarget(server.url, token=None, clock=ManualClock(), network=trusting) as target,
    ):
        target.send(stored_capture(1))
        target.send(stored_capture(2))

    assert server.connections == 1


def test_a_slow_server_behind_tls_meets_the_deadline(
    authority: trustme.CA, trusting: HttpOptions
) -> None:
    with FaultyServer(faults.trickle_header, tls=tls_context(authority)) as server:

        def send(limit: float) -> None:
            network = replace(trusting, timeout=limit)
            with EndpointTarget(
                server.url, token=None, clock=ManualClock(), network=network
            ) as target:
                target.send(stored_capture(1))

        require_limit(send)


def test_an_unknown_authority_holds_and_sends_nothing(authority: trustme.CA) -> None:
    with (
        FaultyServer(faults.store, tls=tls_context(authority)) as server,
        target_of(server.url) as target,
        pytest.raises(TargetBlocked, match="not trusted"),
    ):
        target.send(stored_capture(1))

    assert server.requests == []


@pytest.mark.parametrize(
    ("not_before", "not_after", "wall", "says"),
    [
        (
            2090,
            2099,
            0.0,
            "not yet valid because the device's clock says 1970-01-01: set the clock",
        ),
        (2090, 2099, 1.78e9, r"not yet valid \(the device's clock says 2026-05-28\): check the"),
        (2010, 2011, 1.78e9, r"has expired \(the device's clock says 2026-05-28\): renew it"),
        (2010, 2011, 1e9, "has expired because the device's clock says 2001-09-09: set the clock"),
    ],
)
def test_dates_of_certificates_and_the_clock(
    authority: trustme.CA,
    trusting: HttpOptions,
    not_before: int,
    not_after: int,
    wall: float,
    says: str,
) -> None:
    context = tls_context(
        authority,
        not_before=datetime(not_before, 1, 1, tzinfo=UTC),
        not_after=datetime(not_after, 1, 1, tzinfo=UTC),
    )
    with (
        FaultyServer(faults.store, tls=context) as server,
        EndpointTarget(
            server.url, token=None, clock=ManualClock(wall=wall), network=trusting
        ) as target,
        pytest.raises(TargetBlocked, match=says),
    ):
        target.send(stored_capture(1))


def test_another_host_name_holds(authority: trustme.CA, trusting: HttpOptions) -> None:
    with (
        FaultyServer(faults.store, tls=tls_context(authority, "other.example")) as server,
        EndpointTarget(server.url, token=None, clock=ManualClock(), network=trusting) as target,
        pytest.raises(TargetBlocked, match="not trusted"),
    ):
        target.send(stored_capture(1))


def test_a_server_without_tls_behind_https_holds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")
                connection.recv(4096)

        thread = Thread(target=greet)
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/"
        with target_of(url) as target, pytest.raises(TargetBlocked, match="does not speak TLS"):
            target.probe()
        thread.join()


@pytest.fixture(params=["missing", "no PEM", "FIFO"])
def bad_ca(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    if request.param == "no PEM":
        path.write_text("hello")
    if request.param == "FIFO":
        os.mkfifo(path)
    return path


def test_authorities_that_cannot_be_read_are_refused(bad_ca: Path) -> None:
    with pytest.raises(ConfigurationError, match="AGENT_UPLOAD_CA: must be a PEM file"):
        EndpointTarget(
            "https://localhost/", token=None, clock=ManualClock(), network=HttpOptions(ca=bad_ca)
        )
