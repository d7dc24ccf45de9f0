"""Things with many results each are worked on at the same time."""

from collections.abc import Generator
from threading import Barrier, Event

import pytest

from agent.pool.output.unordered import IsStopped, unordered
from tests.limits import LIMIT_S
from tests.runtime.runtime_builders import wait_until

THREADS = 4
Ints = Generator[int, None, None]


def test_several_are_worked_on_at_the_same_time() -> None:
    together = Barrier(THREADS, timeout=60)

    def make(number: int, _: IsStopped) -> Ints:
        together.wait()
        yield from range(10 * number, 10 * number + 10)

    assert sorted(unordered(make, range(8), threads=THREADS)) == list(range(80))


def test_what_waits_is_bounded() -> None:
    made: list[int] = []

    def make(_: int, __: IsStopped) -> Ints:
        for number in range(1000):
            made.append(number)
            yield number

    results = unordered(make, range(THREADS), threads=THREADS)

    for count in range(1, 500):
        next(results)
        assert len(made) <= count + 3 * THREADS
    results.close()


def test_closing_ends_what_waits_for_room_and_what_asks() -> None:
    """A thread that went on would keep the command from its end."""
    begun: list[int] = []
    closed: list[int] = []
    asked = Event()

    def make(number: int, is_stopped: IsStopped) -> Ints:
        begun.append(number)
        try:
            while not is_stopped():
                if number:
                    yield number
                else:
                    asked.set()
        finally:
            closed.append(number)

    results = unordered(make, range(1000), threads=THREADS)
    next(results)
    assert asked.wait(LIMIT_S)
    wait_until(lambda: len(begun) == THREADS)
    results.close()

    assert sorted(closed) == list(range(THREADS))


def test_an_error_is_raised_and_ends_the_work() -> None:
    def make(number: int, is_stopped: IsStopped) -> Ints:
        if number == 3:
            raise ValueError("three")
        while not is_stopped():
            yield number

    with pytest.raises(ValueError, match="three"):
        for _ in unordered(make, range(1000), threads=THREADS):
            pass
