"""Several results are made at the same time, and come in order."""

from collections.abc import Iterator
from threading import Barrier

import pytest

from agent.pool.output.in_order import in_order

THREADS = 4


def test_several_are_worked_on_at_the_same_time_and_come_in_order() -> None:
    together = Barrier(THREADS, timeout=60)

    def act(number: int) -> int:
        together.wait()
        return number

    assert list(in_order(act, range(20), threads=THREADS)) == list(range(20))


def test_what_waits_is_bounded() -> None:
    taken: list[int] = []

    def given() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    results = in_order(lambda number: number, given(), threads=THREADS)

    for number in range(50):
        assert next(results) == number
        assert len(taken) <= number + 2 * THREADS
    results.close()  # type: ignore[attr-defined]


def test_an_error_comes_at_its_turn_and_ends_the_work() -> None:
    begun: list[int] = []

    def act(number: int) -> int:
        begun.append(number)
        if number == 3:
            raise ValueError("three")
        return number

    results = in_order(act, range(1000), threads=THREADS)

    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)
    assert len(begun) <= 4 + 2 * THREADS
