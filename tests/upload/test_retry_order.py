"""One capture that always fails lets the others pass."""

from agent.upload.retry_order import FIRST_WAIT, LAST_WAIT, RetryOrder


def test_what_failed_rests_until_another_one_was_delivered_and_its_time_is_over() -> None:
    turns = RetryOrder()
    turns.failed(0.0, "a")

    assert turns.deferred(3600.0) == ("a",)
    turns.delivered("b")
    assert turns.deferred(FIRST_WAIT - 1) == ("a",)
    assert turns.deferred(FIRST_WAIT) == ()


def test_each_failure_doubles_the_rest_up_to_15_min() -> None:
    turns, now, deferred = RetryOrder(), 0.0, []
    for _ in range(7):
        turns.failed(now, "a")
        turns.delivered("b")
        rest = next(s for s in range(1, 1000) if not turns.deferred(now + s))
        deferred.append(rest)
        now += rest

    assert deferred == [30, 60, 120, 240, 480, LAST_WAIT, LAST_WAIT]


def test_what_was_delivered_begins_again() -> None:
    turns = RetryOrder()
    turns.failed(0.0, "a")
    turns.failed(0.0, "a")
    turns.delivered("a")
    assert turns.deferred(0.0) == ()
    turns.failed(0.0, "a")
    turns.delivered("b")

    assert turns.deferred(FIRST_WAIT) == ()


def test_the_one_that_failed_longest_ago_comes_first() -> None:
    turns = RetryOrder()
    for capture_id in "abca":
        turns.failed(0.0, capture_id)

    assert turns.deferred(0.0) == ("b", "c", "a")


def test_no_more_than_8_are_let_by_when_everything_fails() -> None:
    turns = RetryOrder()
    for number in range(20):
        turns.failed(0.0, str(number))

    assert turns.deferred(0.0) == tuple(str(number) for number in range(12, 20))
