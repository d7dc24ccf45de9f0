"""Each lane has its row in the one table, and rows are told apart."""

from agent.domain import LANES, Lane
from agent.selection.rules import RULE_NAMES, rules


def test_each_lane_has_a_row() -> None:
    assert set(LANES) == set(Lane)


def test_letters_and_send_orders_are_distinct() -> None:
    letters = [traits.letter for traits in LANES.values()]
    orders = [traits.send_order for traits in LANES.values()]

    assert len(set(letters)) == len(set(orders)) == len(Lane)
    assert all(len(letter) == 1 for letter in letters)


def test_each_rule_is_registered_under_its_own_name() -> None:
    assert tuple(rule.name for rule in rules().values()) == RULE_NAMES
