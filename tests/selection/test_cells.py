"""Of each cell of time the best frame is stored, and no other."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain import Capture
from agent.selection.cells import Cell
from agent.selection.cover import UNSEEN, Cover
from agent.selection.view import Place, View
from tests.fakes.captures import capture, capture_id

LENGTH = 300.0
SETTLES = LENGTH / 8


def offered(cell: Cell, number: int, value: float, at: float) -> None:
    """Offer a frame as the selector does: only if its value exceeds the cutoff."""
    if value > cell.cutoff(at):
        cell.offer(capture(number, value=value), View("gate", places=(Place(value),)), at)


def ids(captures: Sequence[Capture]) -> list[str]:
    return [each.id for each in captures]


def test_the_best_frame_is_stored_when_its_cell_ends() -> None:
    cell = Cell(LENGTH, Cover())
    cell.advance(0.0)
    for number, (value, at) in enumerate([(0.2, 250.0), (0.5, 270.0), (0.3, 280.0)]):
        assert cell.advance(at) == []
        offered(cell, number, value, at)

    assert ids(cell.advance(LENGTH)) == [capture_id(1)]
    assert cell.advance(2 * LENGTH) == []
    assert cell.cutoff(2 * LENGTH) == 0.0


def test_a_best_frame_is_stored_early_and_replaced_by_a_better_one() -> None:
    cell = Cell(LENGTH, Cover())
    cell.advance(0.0)
    offered(cell, 1, 0.4, 10.0)
    early = cell.advance(10.0 + SETTLES - 1)
    settled = cell.advance(10.0 + SETTLES)
    offered(cell, 2, 0.3, 100.0)
    offered(cell, 3, 0.6, 120.0)
    [better] = cell.advance(LENGTH)

    assert early == []
    assert ids(settled) == [capture_id(1)]
    assert (better.id, better.replaces) == (capture_id(3), capture_id(1))


def test_a_frame_of_the_next_cell_replaces_nothing() -> None:
    cell = Cell(LENGTH, Cover())
    cell.advance(0.0)
    offered(cell, 1, 0.4, 10.0)
    cell.advance(80.0)
    assert cell.advance(LENGTH) == []
    offered(cell, 2, 0.1, LENGTH)

    assert [each.replaces for each in cell.close()] == [None]


def test_in_a_long_cell_a_best_frame_is_stored_after_a_minute() -> None:
    cell = Cell(86_400.0, Cover())
    cell.advance(0.0)
    offered(cell, 1, 0.4, 10.0)

    assert cell.advance(69.0) == []
    assert ids(cell.advance(70.0)) == [capture_id(1)]


def test_the_cutoff_falls_when_what_the_best_frame_shows_is_purchased() -> None:
    """So that a frame of other doubts can take its place in the rest of the cell."""
    cover = Cover()
    cell = Cell(LENGTH, cover)
    cell.advance(0.0)
    shown = View("gate", places=(Place(0.6, track=1), Place(0.1, track=2)))
    cell.offer(capture(1, value=0.75), shown, 10.0)
    before = cell.cutoff(11.0)
    cover.add(View("gate", places=(Place(0.6, track=1),)), 12.0)

    assert before == 0.75
    assert cell.cutoff(12.0) == pytest.approx(0.1 + UNSEEN)
    offered(cell, 2, 0.3, 13.0)
    assert ids(cell.advance(LENGTH)) == [capture_id(2)]


FRAMES = st.lists(st.tuples(st.floats(0.1, 400.0), st.floats(0.01, 3.0)), max_size=60)


@given(FRAMES)
def test_what_remains_stored_is_the_best_frame_of_each_cell(
    frames: Sequence[tuple[float, float]],
) -> None:
    """Each frame that is stored and not replaced is the best of its cell, which has no other."""
    cell, at = Cell(LENGTH, Cover()), 0.0
    kept: dict[str, Capture] = {}
    best: dict[int, float] = {}

    def store(captures: Sequence[Capture]) -> None:
        for each in captures:
            kept.pop(each.replaces or "", None)
            kept[each.id] = each

    for number, (step, value) in enumerate(frames):
        at += step
        store(cell.advance(at))
        offered(cell, number, value, at)
        best[int(at // LENGTH)] = max(best.get(int(at // LENGTH), 0.0), value)
    store(cell.close())

    assert sorted(each.value for each in kept.values()) == sorted(best.values())
