"""Brokers that misbehave, or are old: a socket of the test in their place."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.mqtt import bounded_client, causes, client
from agent.mqtt.address import parse_mqtt
from agent.mqtt.bounded_client import PACKET_BYTES
from agent.mqtt.client import Connection, NotConnected
from agent.mqtt.wake import Wake
from agent.system import SystemClock
from tests.end_to_end.command import until
from tests.limits import LIMIT_S
from tests.mqtt.door import Door
from tests.search import examples

ACCEPTED_5 = b"\x20\x03\x00\x00\x00"
ACCEPTED_3 = b"\x20\x02\x00\x00"
UNKNOWN_VERSION = b"\x20\x02\x00\x01"
DISCONNECT = b"\xe0\x00"


@pytest.fixture(scope="module")
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


@contextlib.contextmanager
def answering(listening: socket.socket, *parts: bytes, hangs_up: bool = True) -> Iterator[None]:
    """Answer one client with these bytes, whatever it says."""
    ended = threading.Event()

    def answer() -> None:
        accepted, _ = listening.accept()
        with accepted, contextlib.suppress(OSError):
            accepted.recv(4096)
            for part in parts:
                accepted.sendall(part)
            if not hangs_up:
                ended.wait(60)

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(60)


@contextlib.contextmanager
def connected(
    listening: socket.socket, *, is_new: bool = True
) -> Iterator[tuple[Connection, Wake]]:
    url = f"mqtt://127.0.0.1:{listening.getsockname()[1]}"
    connection = Connection(
        parse_mqtt(url), "test", is_new=is_new, context=None, clock=SystemClock()
    )
    wake = Wake()
    try:
        yield connection, wake
    finally:
        connection.close()
        wake.close()


def ending(listening: socket.socket, *parts: bytes, is_new: bool = True) -> NotConnected:
    """How a connection ends to a broker that sends this and hangs up."""
    with (
        answering(listening, *parts),
        connected(listening, is_new=is_new) as (connection, wake),
        pytest.raises(NotConnected) as ended,
    ):
        use_until_its_end(connection, wake)
    return ended.value


def use_until_its_end(connection: Connection, wake: Wake) -> None:
    if not connection.is_open:
        connection.open(wake, lambda: False)
    while True:
        connection.serve(0.2, wake)


@given(st.lists(st.binary(max_size=40), max_size=4), st.booleans(), st.booleans())
@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_end_the_connection_and_nothing_else(
    listening: socket.socket, parts: list[bytes], is_new: bool, is_accepted: bool
) -> None:
    first = [ACCEPTED_5 if is_new else ACCEPTED_3] if is_accepted else []

    ended = ending(listening, *first, *parts, is_new=is_new)

    assert str(ended).isprintable()


@pytest.mark.parametrize(
    ("packet", "cause"),
    [
        (b"\x20\x03\x00\x86\x00", "it refuses the user or the password"),
        (b"\x20\x03\x00\x87\x00", "it refuses this client"),
        (b"\x20\x03\x00\x85\x00", "AGENT_DEVICE_ID"),
        (b"\x20\x03\x00\x88\x00", "not available now"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "check"),
        (b"", "without an answer; check the port"),
        (ACCEPTED_5 + b"\xe0\x06\x8e\x04\x1f\x00\x01x", causes.TAKEN_OVER),
        (ACCEPTED_5 + b"\xe0\x06\x8b\x04\x1f\x00\x01x", "it is shutting down"),
        (ACCEPTED_5 + b"\xe0\x01\x00", causes.CLOSED),
        (ACCEPTED_5, causes.CLOSED),
    ],
)
def test_each_end_has_its_cause(listening: socket.socket, packet: bytes, cause: str) -> None:
    assert cause in str(ending(listening, packet))


def test_a_broker_that_knows_only_the_older_version_is_asked_in_it(
    listening: socket.socket,
) -> None:
    assert ending(listening, UNKNOWN_VERSION).try_older
    assert ending(listening, b"").try_older
    assert not ending(listening, UNKNOWN_VERSION, is_new=False).try_older
    with (
        answering(listening, ACCEPTED_3, hangs_up=False),
        connected(listening, is_new=False) as (connection, wake),
    ):
        assert connection.open(wake, lambda: False)
        assert not connection.tells_refusals


def test_a_packet_of_any_size_does_not_fill_the_memory(listening: socket.socket) -> None:
    """One that announces 256 MB is not read."""
    ended = ending(listening, ACCEPTED_3, b"\x30\xff\xff\xff\x7f", bytes(10_000), is_new=False)

    assert f"more than {PACKET_BYTES // 1024} KiB" in str(ended)


def test_a_server_that_never_answers_is_given_up(
    listening: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(listening, hangs_up=False), connected(listening) as (connection, wake):
        monkeypatch.setattr(client, "CONNECT_S", 0.05)  # of the answer, not of the connection
        with pytest.raises(NotConnected, match="does not answer as a broker does"):
            connection.open(wake, lambda: False)


def test_a_broker_that_confirms_nothing_is_told_no_more_and_given_up(
    listening: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "CONFIRM_S", 0.1)
    with (
        answering(listening, ACCEPTED_5, hangs_up=False),
        connected(listening) as (connection, wake),
    ):
        connection.open(wake, lambda: False)
        taken = [connection.publish("topic", b"x", retain=True) for _ in range(1000)]
        with pytest.raises(NotConnected, match=causes.SILENT):
            use_until_its_end(connection, wake)

    assert sum(taken) == client.UNCONFIRMED_MAX


def test_where_a_stop_is_not_confirmed_the_last_will_says_it(
    listening: socket.socket, door: Callable[..., Door]
) -> None:
    """A broker that is told of the end in order does not publish the will."""
    received = bytearray()

    def broker() -> None:
        accepted, _ = listening.accept()
        with accepted:
            received.extend(accepted.recv(65_536))
            accepted.sendall(ACCEPTED_5)
            while data := accepted.recv(65_536):
                received.extend(data)

    thread = threading.Thread(target=broker)
    thread.start()
    made = door(f"mqtt://127.0.0.1:{listening.getsockname()[1]}")
    until(lambda: made.is_connected)

    made.stop()
    thread.join(LIMIT_S)

    assert b"availability" in received
    assert not received.endswith(DISCONNECT)


def test_without_its_bounds_the_client_would_take_anything(
    listening: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted bugs: the two tests of the bounds must fail without them."""
    monkeypatch.setattr(bounded_client, "PACKET_BYTES", 2**28)
    monkeypatch.setattr(client, "UNCONFIRMED_MAX", 10**6)

    ended = ending(listening, ACCEPTED_3, b"\x30\xff\xff\xff\x7f", bytes(10_000), is_new=False)
    with (
        answering(listening, ACCEPTED_5, hangs_up=False),
        connected(listening) as (connection, wake),
    ):
        connection.open(wake, lambda: False)
        taken = [connection.publish("topic", b"x", retain=True) for _ in range(1000)]

    assert "KiB" not in str(ended)
    assert all(taken)
