"""Addresses of both kinds, names without one, and certificates of both sides."""

import socket
import ssl
import threading
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from agent.errors import ConfigurationError, TargetBlocked, TargetUnavailable
from agent.progress import Stopping
from agent.runtime.worker import Worker
from agent.upload.http.options import HttpOptions
from agent.upload.http.transport import IDLE_MAX
from agent.upload.targets.endpoint import EndpointTarget
from tests.fakes.captures import stored_capture
from tests.fakes.clock import ManualClock
from tests.fakes.log import Recorder
from tests.limits import LIMIT_S
from tests.runtime.runtime_builders import wait_until
from tests.upload import faulty_server as faults
from tests.upload.faulty_server import FaultyServer


def target_of(url: str, network: HttpOptions | None = None) -> EndpointTarget:
    return EndpointTarget(
        url,
        token=None,
        clock=ManualClock(),
        network=network or HttpOptions(timeout=60.0, workers=2),
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_capture_arrives_by_either_kind_of_address(host: str) -> None:
    with FaultyServer(faults.store, host=host) as server, target_of(server.url) as target:
        for number in range(3):
            assert target.send(stored_capture(number)).id == stored_capture(number).id

    assert server.connections == 1
    assert server.requests[0].headers["host"] == server.url.split("/")[2]


def test_a_name_with_a_dead_first_address_is_reached_by_its_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As where the network promises IPv6 and carries none."""
    with FaultyServer(faults.store, host="127.0.0.1") as server:
        port = int(server.url.rpartition(":")[2].partition("/")[0])
        found = [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 1, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        with target_of("http://endpoint.example/upload") as target:
            assert target.send(stored_capture(1)).id == stored_capture(1).id


def test_a_name_without_an_address_is_named_and_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with FaultyServer(faults.store) as server:
        real = socket.getaddrinfo

        def fail(*_: object, **__: object) -> list[object]:
            monkeypatch.setattr(socket, "getaddrinfo", real)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

        monkeypatch.setattr(socket, "getaddrinfo", fail)
        with target_of(server.url) as target:
            with pytest.raises(TargetUnavailable, match=r"localhost:\d+: its name .* \(DNS\)"):
                target.send(stored_capture(1))
            assert target.send(stored_capture(1)).id == stored_capture(1).id


def test_a_connection_that_stood_idle_is_not_used_again() -> None:
    """A router may have forgotten it: the next request would wait for its whole timeout."""

    clock = ManualClock()
    with (
        FaultyServer(faults.store) as server,
        EndpointTarget(server.url, token=None, clock=clock) as target,
    ):
        for now in (0.0, IDLE_MAX, 2 * IDLE_MAX + 1):
            clock.now = now
            target.send(stored_capture(1))

    assert server.connections == 2


def test_a_connection_closed_by_the_server_between_requests_is_replaced() -> None:
    def store_and_close(stream: socket.socket, request: faults.Request, stopping: object) -> None:
        faults.store(stream, request, threading.Event())
        stream.close()

    with FaultyServer(store_and_close) as server, target_of(server.url) as target:
        for number in range(3):
            target.send(stored_capture(number))

    assert (server.connections, len(server.requests)) == (3, 3)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def stranger() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def pem(tmp_path: Path, authority: trustme.CA) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def identity(tmp_path: Path, issuer: trustme.CA) -> Path:
    path = tmp_path / "device.pem"
    issuer.issue_cert("device.example").private_key_and_cert_chain_pem.write_to_path(str(path))
    return path


def demanding(authority: trustme.CA, version: ssl.TLSVersion) -> ssl.SSLContext:
    """A server that talks only to those who show a certificate of `authority`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = version
    return context


VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_device_shows_its_certificate_to_an_endpoint_that_asks(
    authority: trustme.CA, pem: Path, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    network = HttpOptions(ca=pem, client_cert=identity(tmp_path, authority))
    with (
        FaultyServer(faults.store, tls=demanding(authority, version)) as server,
        target_of(server.url, network) as target,
    ):
        target.send(stored_capture(1))
        target.send(stored_capture(2))

    assert server.connections == 1


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("shown", ["none", "one of a stranger"])
def test_a_certificate_that_the_endpoint_does_not_accept_holds(
    authority: trustme.CA,
    stranger: trustme.CA,
    pem: Path,
    tmp_path: Path,
    version: ssl.TLSVersion,
    shown: str,
) -> None:
    own = identity(tmp_path, stranger) if shown != "none" else None
    network = HttpOptions(ca=pem, client_cert=own)
    with (
        FaultyServer(faults.store, tls=demanding(authority, version)) as server,
        target_of(server.url, network) as target,
        pytest.raises(TargetBlocked, match="AGENT_UPLOAD_CLIENT_CERT"),
    ):
        target.send(stored_capture(1, bytes(300_000)))

    assert server.requests == []


def test_our_authorities_are_the_only_ones(
    stranger: trustme.CA, authority: trustme.CA, pem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    stranger.issue_cert("localhost").configure_cert(context)
    with (
        FaultyServer(faults.store, tls=context) as server,
        stranger.cert_pem.tempfile() as system,
    ):
        monkeypatch.setenv("SSL_CERT_FILE", system)
        with target_of(server.url) as target:
            target.send(stored_capture(1))
        with (
            target_of(server.url, HttpOptions(ca=pem)) as target,
            pytest.raises(TargetBlocked, match="not trusted"),
        ):
            target.send(stored_capture(2))


def broken_identity(tmp_path: Path, authority: trustme.CA, kind: str) -> Path:
    whole = identity(tmp_path, authority).read_text()
    path = tmp_path / "broken.pem"
    if kind == "no key":
        path.write_text(whole[whole.index("-----BEGIN CERT") :])
    elif kind == "no PEM":
        path.write_text("hello")
    elif kind == "a locked key":
        key = serialization.load_pem_private_key(whole.encode(), None).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"unknown"),
        )
        path.write_text(key.decode() + whole[whole.index("-----BEGIN CERT") :])
    return path


@pytest.mark.parametrize("kind", ["missing", "no PEM", "no key", "a locked key"])
def test_an_identity_that_cannot_be_used_is_refused_before_anything_is_sent(
    authority: trustme.CA, tmp_path: Path, kind: str
) -> None:
    path = broken_identity(tmp_path, authority, kind)
    with pytest.raises(ConfigurationError, match="AGENT_UPLOAD_CLIENT_CERT: must be a PEM file"):
        target_of("https://localhost/", HttpOptions(client_cert=path))


def test_name_resolution_that_hangs_is_named_within_the_limit_and_costs_one_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go_on = threading.Event()

    def hang(*_: object, **__: object) -> list[object]:
        go_on.wait(LIMIT_S)
        return []

    before = look_ups()
    monkeypatch.setattr(socket, "getaddrinfo", hang)
    try:
        with target_of("http://hanging.example/upload", HttpOptions(timeout=0.2)) as target:
            for _ in range(5):
                with pytest.raises(TargetUnavailable, match=r"look-up of its name \(DNS\) hangs"):
                    target.send(stored_capture(1))
        assert len(look_ups() - before) == 1
    finally:
        go_on.set()
        for hung in look_ups() - before:
            hung.join(60)


def look_ups() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "look up"}


def test_after_a_look_up_that_hung_the_name_is_looked_up_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a hung look-up finds at last may be out of date."""
    go_on = threading.Event()
    real = socket.getaddrinfo

    def hang(*_: object, **__: object) -> list[object]:
        go_on.wait(LIMIT_S)
        return []

    before = look_ups()
    with FaultyServer(faults.store) as server:
        monkeypatch.setattr(socket, "getaddrinfo", hang)
        with (
            target_of(server.url, HttpOptions(timeout=0.2)) as hasty,
            pytest.raises(TargetUnavailable),
        ):
            hasty.send(stored_capture(1))
        [hung] = look_ups() - before
        monkeypatch.setattr(socket, "getaddrinfo", real)
        go_on.set()
        hung.join(60)

        with target_of(server.url) as target:
            assert target.send(stored_capture(1)).id == stored_capture(1).id


def test_name_resolution_that_hangs_does_not_hold_up_a_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go_on, ends = threading.Event(), []

    def hang(*_: object, **__: object) -> list[object]:
        go_on.wait(LIMIT_S)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    with target_of("http://stop.example/upload", HttpOptions(timeout=60.0)) as target:

        def step() -> None:
            try:
                target.send(stored_capture(1))
            except Stopping:
                ends.append("stopping")

        worker = Worker(
            "upload 0",
            step,
            timeout=60.0,
            clock=ManualClock(),
            log=Recorder().log,
            ended=lambda: None,
        )
        worker.start()
        try:
            named = "upload 0 (looks up the name stop.example)"
            wait_until(lambda: worker.description == named)
            worker.stop()
            assert worker.join(60)
        finally:
            go_on.set()

    assert ends == ["stopping"]
    assert not worker.failed
