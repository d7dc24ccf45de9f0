"""`TopK` behaves as a plain list of the values admitted in the last day."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from agent.selection.top_k import WINDOW_S, TopK

VALUES = st.integers(1, 20).map(lambda n: n / 20)
OFFERS = st.lists(st.tuples(st.floats(0.0, WINDOW_S / 3), VALUES), max_size=60)


@dataclass
class PlainPool:
    size: int
    admitted: list[tuple[float, float]] = field(default_factory=list)

    def cutoff(self, now: float) -> float:
        recent = sorted(
            (value for at, value in self.admitted if now - at <= WINDOW_S), reverse=True
        )
        return recent[self.size - 1] if len(recent) >= self.size else 0.0

    def admit(self, value: float, now: float) -> bool:
        if value <= self.cutoff(now):
            return False
        self.admitted.append((now, value))
        return True


@given(st.integers(1, 6), OFFERS)
def test_a_new_value_must_be_among_the_best_admitted_in_24_hours(
    size: int, offers: list[tuple[float, float]]
) -> None:
    pool, plain, now = TopK(size), PlainPool(size), 0.0
    for step, value in offers:
        now += step
        assert pool.cutoff(now) == plain.cutoff(now)
        assert pool.admit(value, now) == plain.admit(value, now)


@given(st.integers(1, 6), OFFERS, OFFERS)
def test_a_restored_pool_goes_on_as_if_never_stopped(
    size: int, before: list[tuple[float, float]], after: list[tuple[float, float]]
) -> None:
    pool, now = TopK(size), 0.0
    for step, value in before:
        now += round(step)
        pool.admit(value, now)
    again, later = TopK(size), 10.0  # the clock of another boot
    again.restore(pool.text(now), later)

    assert again.cutoff(later) == pool.cutoff(now)
    for step, value in after:
        now, later = now + round(step), later + round(step)
        assert again.admit(value, later) == pool.admit(value, now)


@given(st.integers(1, 8), st.lists(VALUES, max_size=80))
def test_within_a_day_what_stays_is_the_best_of_all_that_was_offered(
    size: int, values: list[float]
) -> None:
    pool = TopK(size)
    for value in values:
        pool.admit(value, 0.0)

    best = sorted(values, reverse=True)[:size]
    assert pool.cutoff(0.0) == (best[-1] if len(best) == size else 0.0)
