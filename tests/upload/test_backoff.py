"""The delivery policy, called without threads; time is a number."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.ports import Jitter
from agent.upload.backoff import (
    REJECTED_IN_ORDER,
    REJECTED_MAX,
    REJECTED_RETRY_BY_HAND_S,
    Backoff,
    RejectionAction,
    UploadState,
)


def no_jitter(_bound: float) -> float:
    return 0.0


def full(bound: float) -> float:
    return bound


def flowing(jitter: Jitter = no_jitter) -> Backoff:
    """One that has delivered often, so that any number of workers may send."""
    backoff = Backoff(jitter, first_bound=0.0)
    for _ in range(70):
        backoff.admit(0.0)
        backoff.delivered(0.0)
    return backoff


def failing_round(backoff: Backoff, now: float, workers: int = 1) -> float:
    """All workers start at `now` and fail; the seconds until the next may start."""
    for _ in range(workers):
        assert backoff.admit(now) == 0.0
    for _ in range(workers):
        backoff.unavailable(now)
    return backoff.wait(now)


REFUSED = [chr(ord("a") + number) for number in range(REJECTED_MAX)]


def block_by_rejections(backoff: Backoff, now: float = 0.0) -> list[RejectionAction]:
    verdicts = []
    for capture_id in REFUSED:
        assert backoff.admit(now) == 0.0
        verdicts.append(backoff.rejected(now, capture_id))
    return verdicts


def test_all_workers_send_at_once_when_nothing_is_wrong() -> None:
    backoff = flowing()

    assert [backoff.admit(10.0) for _ in range(64)] == [0.0] * 64
    assert backoff.state is UploadState.FLOWING


def test_one_worker_begins_and_each_delivery_lets_twice_as_many_send() -> None:
    """A thousand devices that come back at once do not open thousands of connections."""
    backoff = Backoff(no_jitter)
    at_once = []
    for _ in range(5):
        admitted = 0
        while backoff.admit(0.0) == 0.0:
            admitted += 1
        at_once.append(admitted)
        for _ in range(admitted):
            backoff.delivered(0.0)

    assert at_once == [1, 2, 4, 8, 16]


def test_after_failure_one_worker_begins_again() -> None:
    backoff = flowing(full)
    failing_round(backoff, 0.0, workers=4)

    assert backoff.admit(1.0) == 0.0
    assert backoff.admit(1.0) > 0.0
    backoff.delivered(1.1)
    assert backoff.admit(1.1) == 0.0
    assert backoff.admit(1.1) == 0.0
    assert backoff.admit(1.1) > 0.0


def test_the_first_request_of_a_fleet_is_spread() -> None:
    backoff = Backoff(full)

    assert backoff.wait(100.0) == 5.0
    assert backoff.admit(102.0) == 3.0
    assert backoff.admit(105.0) == 0.0
    assert Backoff(full, first_bound=0.0).admit(100.0) == 0.0


def test_the_wait_doubles_from_1_s_to_5_min_and_a_delivery_ends_it() -> None:
    backoff = Backoff(full, first_bound=0.0)
    waits, now = [], 0.0
    for _ in range(12):
        waits.append(failing_round(backoff, now))
        now += waits[-1]

    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert backoff.admit(now) == 0.0
    backoff.delivered(now)
    assert backoff.state is UploadState.FLOWING
    assert backoff.wait(now) == 0.0


def test_without_a_connection_a_try_comes_every_20_s_at_the_latest() -> None:
    """It costs nobody anything, and a link that comes and goes is met while it is there."""
    backoff = Backoff(full, first_bound=0.0)
    waits, now = [], 0.0
    for _ in range(8):
        assert backoff.admit(now) == 0.0
        backoff.unavailable(now, reached=False)
        waits.append(backoff.wait(now))
        now += waits[-1]
    backoff.admit(now)
    backoff.unavailable(now, reached=True)

    assert waits == [1, 2, 4, 8, 16, 20, 20, 20]
    assert backoff.wait(now) == 256, "an endpoint that is there and fails is spared"


def test_each_delivery_halves_what_the_failures_before_count() -> None:
    """Where a full house lets in one of many, those let in do not all come back at once."""
    backoff = Backoff(full, first_bound=0.0)
    now, waits = 0.0, []
    for deliveries in (0, 0, 0, 0, 1, 4):
        for _ in range(deliveries):
            assert backoff.admit(now) == 0.0
            backoff.delivered(now)
        waits.append(failing_round(backoff, now))
        now += waits[-1]

    assert waits == [1, 2, 4, 8, 4, 1]


def test_workers_that_fail_together_count_as_one_round() -> None:
    backoff = flowing(full)

    assert failing_round(backoff, 0.0, workers=4) == 1.0
    assert failing_round(backoff, 1.0) == 2.0
    assert backoff.state is UploadState.DELAYED


def test_a_worker_that_fails_late_counts_once_with_the_round_it_meets() -> None:
    backoff = flowing(full)
    backoff.admit(0.0)
    backoff.admit(0.0)
    backoff.unavailable(0.0)  # refused at once; the other hangs
    backoff.admit(1.0)
    backoff.unavailable(30.0)
    backoff.unavailable(30.0)

    assert backoff.wait(30.0) == 2.0


def test_the_endpoint_may_ask_for_a_longer_pause() -> None:
    backoff = Backoff(no_jitter)
    backoff.admit(0.0)
    backoff.unavailable(0.0, 120.0)

    assert backoff.wait(0.0) == 120.0
    spread = Backoff(full, first_bound=0.0)
    spread.admit(0.0)
    spread.unavailable(0.0, 120.0)
    assert spread.wait(0.0) == 132.0


@pytest.mark.parametrize(("asked", "wait"), [(0.0, 1.0), (-3.0, 1.0), (1e9, 3960.0)])
def test_an_absurd_pause_is_bounded(asked: float, wait: float) -> None:
    backoff = Backoff(full, first_bound=0.0)
    backoff.admit(0.0)
    backoff.unavailable(0.0, asked)

    assert backoff.wait(0.0) == wait


def test_a_delivery_that_began_before_the_failure_does_not_cancel_the_pause() -> None:
    backoff = flowing()
    backoff.admit(0.0)
    backoff.admit(0.0)
    backoff.unavailable(0.0, 60.0)
    backoff.delivered(0.1)

    assert backoff.wait(0.1) == pytest.approx(59.9)
    assert backoff.state is UploadState.DELAYED


def test_no_other_answer_shortens_a_pause_that_was_asked_for() -> None:
    for other in ("blocked", "unavailable", "rejected", "delivered"):
        for pause_comes_first in (True, False):
            backoff = flowing()
            backoff.admit(0.0)
            backoff.admit(0.0)
            pauses = [lambda backoff=backoff: backoff.unavailable(0.0, 600.0)]
            others = {
                "blocked": lambda backoff=backoff: backoff.blocked(0.0),
                "unavailable": lambda backoff=backoff: backoff.unavailable(0.0),
                "rejected": lambda backoff=backoff: backoff.rejected(0.0, "a"),
                "delivered": lambda backoff=backoff: backoff.delivered(0.0),
            }
            answers = [*pauses, others[other]]
            for hear in answers if pause_comes_first else reversed(answers):
                hear()
            assert backoff.wait(0.0) == 600.0, (other, pause_comes_first)


def test_held_lets_one_probe_pass_and_no_second_beside_it() -> None:
    backoff = Backoff(no_jitter)
    backoff.admit(0.0)
    backoff.blocked(0.0)

    assert backoff.state is UploadState.BLOCKED
    assert backoff.admit(0.0) == 60.0
    assert backoff.admit(60.0) == 0.0
    assert backoff.admit(60.0) > 0.0
    backoff.abandon()
    assert backoff.admit(61.0) == 0.0


def test_probes_come_after_1_min_and_then_up_to_15() -> None:
    backoff = Backoff(full, first_bound=0.0)
    backoff.admit(0.0)
    backoff.blocked(0.0)
    waits, now = [], 0.0
    for _ in range(6):
        waits.append(backoff.wait(now))
        now += waits[-1]
        assert backoff.admit(now) == 0.0
        backoff.blocked(now)

    assert waits == [66, 132, 264, 528, 900, 900]


def test_workers_that_are_held_together_count_once() -> None:
    backoff = flowing()
    for _ in range(4):
        backoff.admit(0.0)
    for _ in range(4):
        backoff.blocked(0.0)

    assert backoff.wait(0.0) == 60.0


def test_a_delivered_probe_ends_the_hold_at_once() -> None:
    backoff = Backoff(no_jitter)
    backoff.admit(0.0)
    backoff.blocked(0.0)
    backoff.admit(60.0)
    backoff.delivered(61.0)

    assert backoff.state is UploadState.FLOWING
    assert [backoff.admit(61.0) for _ in range(2)] == [0.0] * 2


def test_a_probe_that_finds_no_network_leaves_the_hold_as_it_is() -> None:
    backoff = Backoff(no_jitter)
    backoff.admit(0.0)
    backoff.blocked(0.0)
    backoff.admit(60.0)
    backoff.unavailable(60.0)

    assert backoff.state is UploadState.BLOCKED
    assert backoff.wait(60.0) == 60.0


def test_a_rejected_capture_rests_while_others_pass_and_is_moved_to_rejected_at_the_third() -> None:
    backoff = Backoff(no_jitter)
    backoff.admit(0.0)
    backoff.delivered(0.0)
    verdicts = []
    for now in (0.0, 30.0, 60.0):
        assert backoff.deferred(now) == {}
        assert backoff.admit(now) == 0.0
        verdicts.append(backoff.rejected(now, "bad"))
        assert backoff.state is UploadState.FLOWING
        assert backoff.admit(now) == 0.0
        backoff.delivered(now)

    assert verdicts == [
        RejectionAction.RETRY_LATER,
        RejectionAction.RETRY_LATER,
        RejectionAction.REJECT,
    ]
    assert backoff.deferred(60.0) == {}


def test_rest_is_told_in_seconds() -> None:
    backoff = Backoff(no_jitter)
    backoff.admit(0.0)
    backoff.rejected(0.0, "bad")

    assert backoff.deferred(10.0) == {"bad": 20.0}
    assert backoff.deferred(30.0) == {}


def test_a_person_who_waits_for_the_end_does_not_wait_long_for_a_rejected_capture() -> None:
    backoff = Backoff(no_jitter, rejected_retry=REJECTED_RETRY_BY_HAND_S)
    backoff.admit(0.0)
    backoff.rejected(0.0, "bad")

    assert backoff.deferred(1.0) == {"bad": 4.0}
    assert backoff.deferred(5.0) == {}


def test_when_the_first_three_captures_are_rejected_others_are_tried_before_it_is_us() -> None:
    backoff = Backoff(no_jitter)
    sought = []

    for number in range(REJECTED_MAX - 1):
        sought.append(backoff.seeks_others(0.0))
        assert backoff.admit(0.0) == 0.0, "without a wait"
        assert backoff.rejected(0.0, str(number)) is RejectionAction.RETRY_LATER
    assert sought == [False] * REJECTED_IN_ORDER + [True] * (REJECTED_MAX - 1 - REJECTED_IN_ORDER)
    assert backoff.admit(0.0) == 0.0
    assert backoff.rejected(0.0, "the last") is RejectionAction.BLOCK
    assert backoff.state is UploadState.BLOCKED
    assert backoff.wait(0.0) == 60.0
    assert backoff.seeks_others(60.0), "with each probe too"


def test_after_a_delivery_the_next_in_order_is_sent() -> None:
    backoff = Backoff(no_jitter)
    for number in range(REJECTED_IN_ORDER):
        backoff.admit(0.0)
        backoff.rejected(0.0, str(number))
    assert backoff.seeks_others(0.0)
    backoff.admit(0.0)
    backoff.delivered(0.0)

    assert not backoff.seeks_others(0.0)


def test_probes_take_other_captures_than_the_rejected_ones() -> None:
    backoff = Backoff(no_jitter)
    block_by_rejections(backoff)

    assert set(backoff.deferred(60.0)) == set(REFUSED)
    assert backoff.admit(60.0) == 0.0
    assert backoff.rejected(60.0, "other") is RejectionAction.BLOCK
    assert set(backoff.deferred(180.0)) == {*REFUSED, "other"}
    assert backoff.admit(180.0) == 0.0
    backoff.delivered(180.0)
    assert set(backoff.deferred(180.0).values()) == {30.0}


def test_one_capture_alone_is_not_moved_to_rejected_before_any_other_passed() -> None:
    backoff = Backoff(no_jitter)
    verdicts = []
    for now in (0.0, 30.0, 60.0):
        backoff.admit(now)
        verdicts.append(backoff.rejected(now, "only"))

    assert verdicts[-1] is RejectionAction.BLOCK


def test_an_endpoint_that_suddenly_rejects_everything_blocks_all() -> None:
    backoff = Backoff(no_jitter)
    backoff.admit(0.0)
    backoff.delivered(0.0)
    verdicts = []
    for number in range(REJECTED_MAX):
        backoff.admit(1.0)
        verdicts.append(backoff.rejected(1.0, str(number)))

    later = [RejectionAction.RETRY_LATER] * (REJECTED_MAX - 1)
    assert verdicts == [*later, RejectionAction.BLOCK]


def test_after_a_block_the_endpoint_must_prove_itself_again() -> None:
    backoff = Backoff(no_jitter)
    backoff.admit(0.0)
    backoff.delivered(0.0)
    backoff.admit(0.0)
    backoff.blocked(0.0)
    backoff.admit(60.0)

    assert backoff.rejected(60.0, "a") is RejectionAction.BLOCK


def test_the_memory_of_rejections_is_bounded() -> None:
    backoff = Backoff(no_jitter)
    for number in range(10_000):
        backoff.admit(0.0)
        backoff.delivered(0.0)
        backoff.admit(0.0)
        backoff.rejected(0.0, str(number))

    assert len(backoff.deferred(0.0)) == 4096


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["admit", "delivered", "unavailable", "blocked", "rejected", "abandon"]
            ),
            st.floats(0.0, 400.0),
        ),
        max_size=120,
    ),
    st.integers(),
)
def test_whatever_happens_a_worker_may_send_again(
    events: list[tuple[str, float]], seed: int
) -> None:
    """Waits end, at most one probe is out, and a delivery always brings the full speed back."""
    backoff = Backoff(lambda bound: random.Random(seed).uniform(0.0, bound), first_bound=0.0)
    now, in_flight = 0.0, 0
    for event, seconds in events:
        now += seconds
        assert 0.0 <= backoff.wait(now) <= 3960.0
        if event == "admit":
            was_blocked = backoff.state is UploadState.BLOCKED
            if backoff.admit(now) == 0.0:
                in_flight += 1
                assert not was_blocked or in_flight == 1
        elif in_flight:
            in_flight -= 1
            if event == "delivered":
                backoff.delivered(now)
            elif event == "unavailable":
                backoff.unavailable(now, seconds)
            elif event == "blocked":
                backoff.blocked(now)
            elif event == "rejected":
                backoff.rejected(now, str(int(seconds) % 5))
            else:
                backoff.abandon()
    for _ in range(in_flight):
        backoff.abandon()
    now += 3960.0
    assert backoff.admit(now) == 0.0
    backoff.delivered(now)
    assert backoff.state is UploadState.FLOWING
    assert backoff.admit(now) == 0.0
