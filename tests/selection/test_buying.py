"""What credits buy, over a real spool that may be killed and reopened at any point."""

import io
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.domain import Lane
from agent.logs import make_log
from agent.selection import buying
from agent.selection.buying import Budgeted, Hint
from agent.selection.credits import DAY_S, Ledger, Now
from agent.selection.likeness import Likeness
from agent.spool.drafts import Draft, Limits
from agent.spool.record import Entry
from agent.spool.recovery import open_spool
from agent.spool.spool import Spool

MIDNIGHT = 20_654 * DAY_S
HERE = (1.0,) + (0.0,) * 15


class Time:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.ran = 0.0

    def monotonic(self) -> float:
        return self.ran

    def wall(self) -> float:
        return MIDNIGHT + self.ran

    def now(self) -> Now:
        return Now(self.ran, MIDNIGHT + self.ran, "boot")


def identity(number: int) -> str:
    return f"01970f7e-4c00-7abc-8def-{number * 0x9E3779B97F4A % 2**48:012x}"


def likeness(seed: int) -> str:
    """Of another scene for each seed."""
    return Likeness(random.Random(seed).getrandbits(256), {"car": HERE}).text


def draft(
    number: int,
    value: float,
    *,
    lane: Lane = Lane.SCORE,
    scene: int | None = None,
    is_degraded: bool = False,
) -> Draft:
    name = identity(number)
    record = {"schema": 1, "id": name, "lane": lane.value, "sampling": None}
    record["image"] = {"sha256": "0" * 64}
    hint = Hint("gate", is_degraded, likeness(number if scene is None else scene))
    return Draft(name, lane, value, record, b"x", hint=hint.text)


@contextmanager
def spool_at(path: Path, clock: Time, per_day: int) -> Iterator[Spool]:
    log = make_log(level="error", form="logfmt", stream=io.StringIO())
    order = Budgeted(Ledger(per_day), clock.now)
    with open_spool(path, Limits(100_000_000), clock=clock, log=log, order=order) as spool:
        yield spool


def send_all(spool: Spool) -> list[str]:
    sent = []
    while (capture := spool.claim()) is not None:
        spool.acknowledge(capture.id)
        sent.append(capture.id)
    return sent


def test_nothing_is_bought_while_nobody_claims_and_then_the_best_is_first(tmp_path: Path) -> None:
    """Three days without network: credits of those days lapse, those of today buy the best."""
    clock = Time()
    with spool_at(tmp_path, clock, 10) as spool:
        spool.put([draft(n, n / 100) for n in range(60)])
        for _ in range(3 * 24):
            clock.ran += 3600.0
            spool.report()
        assert spool.report()["credits_spent_today"] == 0
        clock.ran += DAY_S / 2
        sent = send_all(spool)

    assert sent == [identity(n) for n in range(59, 59 - len(sent), -1)]
    assert 4 <= len(sent) <= 6


@given(
    st.lists(
        st.sampled_from(["put", "claim", "send", "release", "kill", "hour", "hours", "night"]),
        max_size=40,
    )
)
@settings(max_examples=25)
def test_a_kill_at_any_point_never_overspends_and_never_pays_twice(
    tmp_path_factory: pytest.TempPathFactory, actions: list[str]
) -> None:
    path, clock, per_day = tmp_path_factory.mktemp("spool"), Time(), 6
    requested: dict[str, float] = {}  # when a capture first left for the far side
    todo = iter([*actions, "end"])
    action, number = "kill", 0
    while action != "end":
        with spool_at(path, clock, per_day) as spool:
            in_hand: list[str] = []
            for action in todo:
                if action in {"kill", "end"}:
                    break
                if action == "put":
                    number += 5
                    spool.put([draft(n, n % 7 / 10) for n in range(number, number + 5)])
                elif action == "claim" and (capture := spool.claim()) is not None:
                    requested.setdefault(capture.id, clock.ran)
                    in_hand.append(capture.id)
                elif action == "send" and in_hand:
                    spool.acknowledge(in_hand.pop())
                elif action == "release" and in_hand:
                    spool.release(in_hand.pop())
                clock.ran += {"hour": 3600.0, "hours": 8 * 3600.0, "night": DAY_S}.get(action, 0.0)

    for day in range(int(clock.ran // DAY_S) + 1):
        times = sorted(at for at in requested.values() if at // DAY_S == day)
        for count, at in enumerate(times, start=1):
            assert count <= min(per_day, (at - day * DAY_S) / DAY_S * per_day + 1 + 1e-5)


def test_what_is_paid_is_sent_again_for_nothing_after_a_kill(tmp_path: Path) -> None:
    clock = Time()
    with spool_at(tmp_path, clock, 10) as spool:
        spool.put([draft(n, n / 10) for n in range(5)])
        first = spool.claim()
    with spool_at(tmp_path, clock, 10) as spool:
        again = spool.claim()
        assert spool.claim() is None

    assert first is not None
    assert again is not None
    assert again.id == first.id


def test_what_was_delivered_just_before_a_kill_costs_no_credit_of_tomorrow(tmp_path: Path) -> None:
    clock = Time()
    for _ in range(3):
        with spool_at(tmp_path, clock, 10) as spool:
            spool.put([draft(int(clock.ran) + 1, 0.5)])
            assert len(send_all(spool)) == 1
        clock.ran += DAY_S
    with spool_at(tmp_path, clock, 10) as spool:
        spool.claim()
        assert spool.report()["credits_spent_today"] == 0


@pytest.mark.parametrize("is_killed", [False, True])
def test_what_was_sent_makes_its_like_worth_less_for_a_day(
    tmp_path: Path, *, is_killed: bool
) -> None:
    clock = Time()
    with spool_at(tmp_path, clock, 24) as spool:
        spool.put([draft(1, 0.9, scene=1)])
        assert send_all(spool) == [identity(1)]
        spool.put([draft(2, 0.8, scene=1), draft(3, 0.4, scene=3)])
        clock.ran += 4700.0
        if not is_killed:
            assert send_all(spool) == [identity(3)]
    if is_killed:
        with spool_at(tmp_path, clock, 24) as spool:
            assert send_all(spool) == [identity(3)]


def test_a_likeness_is_forgotten_after_a_day() -> None:
    clock = Time()
    order = Budgeted(Ledger(24), clock.now)

    def arrive(number: int, value: float, scene: int) -> None:
        order.arrive(
            Entry(identity(number), Lane.SCORE, value, number, 1),
            Hint("gate", likeness=likeness(scene)).text,
        )

    def buy() -> str:
        choice = order.choose()
        assert choice is not None
        order.take(choice)
        order.leave(choice.entry)
        return choice.entry.id

    arrive(1, 0.9, 1)
    assert buy() == identity(1)
    clock.ran += 4700.0
    arrive(2, 0.8, 1)
    arrive(3, 0.4, 3)
    arrive(4, 0.35, 4)
    assert buy() == identity(3)
    clock.ran += DAY_S
    assert buy() == identity(4)  # what was sent counts until the next purchase is noted
    clock.ran += 4700.0
    assert buy() == identity(2)


def test_a_night_takes_at_most_a_twentieth_of_the_credits(tmp_path: Path) -> None:
    clock = Time()
    with spool_at(tmp_path, clock, 100) as spool:
        spool.put([draft(n, 0.9, is_degraded=True) for n in range(50)])
        spool.put([draft(n, 0.1) for n in range(50, 150)])
        sent = []
        for _ in range(95):
            sent += send_all(spool)
            clock.ran += 900.0
    dark = {identity(n) for n in range(50)}

    assert len(dark & set(sent)) == 5
    assert len(sent) > 60


@given(st.lists(st.integers(0, 999), min_size=1, max_size=60, unique=True), st.integers(1, 12))
def test_without_likeness_one_release_at_the_end_is_the_top_n(
    values: list[int], per_day: int
) -> None:
    clock = Time()
    order = Budgeted(Ledger(per_day, random_share=0.0), clock.now)
    order.choose()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(buying, "DIVERSITY", 0.0)
        for number, value in enumerate(values):
            hint = Hint("gate", likeness=likeness(number % 3)).text
            order.arrive(Entry(identity(number), Lane.SCORE, value / 1000, number, 1), hint)
        clock.ran = DAY_S - 1e-6
        bought = []
        while (choice := order.choose()) is not None:
            order.take(choice)
            bought.append(choice.entry.value)

    assert bought == sorted((v / 1000 for v in values), reverse=True)[:per_day]
