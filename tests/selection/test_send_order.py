"""The send order without a labelling budget."""

from agent.domain import Lane
from agent.selection.budget.send_order import ValueOrder
from tests.fakes.captures import entry


def test_what_people_saw_and_asked_for_is_sent_first_then_the_most_valuable() -> None:
    expected = [
        entry(6, lane=Lane.VERDICT, value=1.0),
        entry(7, lane=Lane.VERDICT, value=2.5),
        entry(9, lane=Lane.REQUESTED, value=0.1),
        entry(2, lane=Lane.VERDICT, value=0.0),  # nobody objected
        entry(3, value=0.9),
        entry(4, value=0.9),
        entry(1, lane=Lane.RANDOM, value=0.5),
    ]
    order = ValueOrder()
    for each in reversed(expected):
        order.arrive(each, "")

    for each in expected:
        choice = order.choose()
        assert choice is not None
        assert choice.entry == each
        order.take(choice)
    assert order.choose() is None


def test_a_capture_given_back_is_sent_again_and_one_that_left_is_not() -> None:
    order = ValueOrder()
    first, second = entry(1, value=0.9), entry(2, value=0.5)
    for each in (first, second):
        order.arrive(each, "")
    choice = order.choose()
    assert choice is not None
    order.take(choice)
    order.give_back(first)
    order.leave(first)
    choice = order.choose()

    assert choice is not None
    assert choice.entry == second


def test_the_value_of_the_next_capture_is_reported_while_one_waits() -> None:
    order = ValueOrder()
    assert order.report() == {}

    order.arrive(entry(1, value=1.418), "")

    assert order.report() == {"best_value": 1.42}
