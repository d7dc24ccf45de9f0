"""The limit on bytes per second: by numbers, by threads on a clock of their own, over sockets."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import TargetUnavailable
from agent.system import SystemClock
from agent.upload.http.options import HttpOptions
from agent.upload.http.rate_limit import RateLimit, TokenBucket
from agent.upload.targets.endpoint import EndpointTarget
from tests.fakes.captures import stored_capture
from tests.fakes.clock import ManualClock
from tests.upload import faulty_server as faults
from tests.upload.faulty_server import FaultyServer


@given(
    st.lists(st.tuples(st.floats(0, 5), st.integers(1, 70_000)), min_size=1, max_size=60),
    st.integers(1000, 10_000_000),
)
def test_no_span_of_time_sees_more_than_rate_and_burst(
    takes: list[tuple[float, int]], rate: int
) -> None:
    bucket = TokenBucket(rate, burst=rate / 20)
    now, sent = 100.0, []
    for pause, size in takes:
        now += pause
        now += bucket.take(now, size)
        sent.append((now, size))
    for first in range(len(sent)):
        total = 0
        for moment, size in sent[first:]:
            total += size
            assert total <= rate * (moment - sent[first][0]) + rate / 20 + sent[first][1] + 1


def test_a_busy_bucket_gives_all_of_its_rate() -> None:
    bucket = TokenBucket(1000.0, burst=50.0)
    waits = [bucket.take(0.0, 50) for _ in range(41)]

    assert waits[0] == 0.0
    assert waits[-1] == pytest.approx(2.0)


def test_a_rest_saves_up_no_more_than_the_burst() -> None:
    bucket = TokenBucket(1000.0, burst=50.0)
    bucket.take(0.0, 50)

    assert bucket.take(3600.0, 50) == 0.0
    assert bucket.take(3600.0, 50) == pytest.approx(0.05)


@pytest.mark.parametrize(("rate", "piece"), [(1000, 256), (100_000, 5000), (10**9, 65_536)])
def test_pieces_are_a_twentieth_of_a_second_within_bounds(rate: int, piece: int) -> None:
    assert RateLimit(rate, ManualClock()).piece == piece


def test_waits_are_told_before_they_are_slept() -> None:
    events: list[tuple[str, float]] = []
    throttle = RateLimit(1000, ManualClock(), sleep=lambda s: events.append(("slept", s)))
    for _ in range(2):
        throttle.admit(256, lambda s: events.append(("told", s)))

    assert [name for name, _ in events] == ["told", "slept"]
    assert [seconds for _, seconds in events] == pytest.approx([0.256, 0.256])


LIMITED = HttpOptions(workers=2, max_rate=200_000)


def test_one_capture_is_paced_from_its_first_byte_to_its_last() -> None:
    """At no moment have more bytes come than the limit allows: no burst at either end."""
    sent = stored_capture(1, bytes(100_000))
    arrivals: list[tuple[float, int]] = []

    class Watching(FaultyServer):
        def _receive(self, stream: socket.socket) -> bytes:
            piece = super()._receive(stream)
            arrivals.append((time.monotonic(), len(piece)))
            return piece

    with (
        Watching(faults.store) as server,
        EndpointTarget(server.url, token=None, clock=SystemClock(), network=LIMITED) as target,
    ):
        began = time.monotonic()
        target.send(sent)
        took = time.monotonic() - began

    received = 0
    for moment, size in arrivals:
        received += size
        assert received <= LIMITED.max_rate * (moment - began + 2 * 0.05)
    assert received > 100_000
    assert took > 0.45


def test_all_connections_share_the_limit() -> None:
    sent = [stored_capture(number, bytes(30_000)) for number in range(4)]
    with (
        FaultyServer(faults.store) as server,
        EndpointTarget(server.url, token=None, clock=SystemClock(), network=LIMITED) as target,
    ):
        began = time.monotonic()
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(target.send, sent))
        took = time.monotonic() - began

    assert took > 0.55


def test_the_limit_does_not_eat_the_time_that_the_endpoint_has() -> None:
    """It takes longer than the timeout, because we wanted it so; a silent server is still found."""
    network = replace(LIMITED, max_rate=50_000, timeout=1.5)
    while not arrives_late_and_silence_is_found(network):
        # A machine that stood still: more time for it, and still less than the limit takes.
        network = replace(network, max_rate=network.max_rate // 4, timeout=network.timeout * 4)
        assert network.timeout < 30, "the limit took the time that the endpoint has"


def arrives_late_and_silence_is_found(network: HttpOptions) -> bool:
    """Return False if the first capture did not arrive."""
    within = f"no whole response within {network.timeout:g} s"
    with (
        FaultyServer(faults.store, faults.silent) as server,
        EndpointTarget(server.url, token=None, clock=SystemClock(), network=network) as target,
    ):
        began = time.monotonic()
        try:
            target.send(stored_capture(1, bytes(100_000)))
        except TargetUnavailable:
            return False
        assert time.monotonic() - began > 95_000 / network.max_rate > network.timeout
        began = time.monotonic()
        with pytest.raises(TargetUnavailable, match=within):
            target.send(stored_capture(2, bytes(20_000)))
        assert network.timeout < time.monotonic() - began < network.timeout + 30
    return True
