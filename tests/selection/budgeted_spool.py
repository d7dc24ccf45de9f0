"""A spool with a labelling budget, and captures for it."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.domain import Lane, SpoolEntry
from agent.ports import SendOrder
from agent.selection.budget.auto_order import AutoOrder
from agent.selection.budget.hint import SendHint
from agent.selection.budget.ledger import DAY_S, Ledger
from agent.selection.budget.purchase import BudgetedOrder
from agent.selection.budget.send_order import ValueOrder
from agent.selection.similarity import CROP_SIDE
from agent.selection.view import Place, View
from agent.spool.recovery import open_spool
from agent.spool.spool import Spool
from agent.spool.types import NewCapture, SpoolLimits
from tests.fakes.captures import capture_id, new_capture
from tests.fakes.clock import ManualClock
from tests.fakes.log import quiet_log

MIDNIGHT = 20_654 * DAY_S


def clock_at_midnight() -> ManualClock:
    return ManualClock(0.0, wall=MIDNIGHT)


def view_of_scene(number: int, p: float, scene: int, *, track: int | None = None) -> View:
    """Return a view with one suspect; views of one scene show it with the same appearance."""
    draw = random.Random(scene)
    crop = draw.randbytes(CROP_SIDE * CROP_SIDE)
    place = Place(p, label="car", track=track, box=(0.4, 0.4, 0.6, 0.6), crop=crop)
    return View("gate", bits=draw.getrandbits(256), digest=str(number), places=(place,))


def hint_of_scene(
    number: int, p: float, *, scene: int | None = None, is_degraded: bool = False
) -> str:
    """Return the hint of a capture with one suspect; by default each shows another scene."""
    view = view_of_scene(number, p, number if scene is None else scene)
    return SendHint(view, is_degraded).text


def capture_of_scene(
    number: int,
    value: float,
    *,
    lane: Lane = Lane.SCORE,
    scene: int | None = None,
    is_degraded: bool = False,
) -> NewCapture:
    """Return a capture with the hint for the purchase; its suspect has `value` as its `p`."""
    hint = hint_of_scene(number, value, scene=scene, is_degraded=is_degraded)
    return new_capture(number, lane=lane, value=value, size=1, hint=hint)


@contextmanager
def spool_at(
    path: Path,
    clock: ManualClock,
    per_day: float,
    make: type[BudgetedOrder] = BudgetedOrder,
    *,
    min_value: float = 0.0,
    auto_per_day: float = 0.0,
    make_auto: type[AutoOrder] = AutoOrder,
) -> Iterator[Spool]:
    """`per_day`: 0 = no labelling budget."""
    log = quiet_log()
    others: SendOrder = ValueOrder()
    if per_day:
        others = make(Ledger(per_day), clock.reading, min_value=min_value)
    order = make_auto(others, Ledger(auto_per_day, 0.0, for_auto=True), clock.reading)
    with open_spool(path, SpoolLimits(100_000_000), clock=clock, log=log, order=order) as spool:
        yield spool


def send_all(spool: Spool) -> list[str]:
    sent = []
    while (capture := spool.claim()) is not None:
        spool.acknowledge(capture.id)
        sent.append(capture.id)
    return sent


class WaitingCaptures:
    """Captures in front of a `BudgetedOrder`, with the notes that a spool would keep of it."""

    def __init__(
        self,
        per_day: float,
        clock: ManualClock,
        *,
        min_value: float = 0.0,
        make: type[BudgetedOrder] = BudgetedOrder,
    ) -> None:
        self.notes: dict[str, str] = {}
        self.waiting: dict[int, tuple[SpoolEntry, str]] = {}
        self._parts = make, per_day, clock, min_value
        self.order = self._new_order()
        self.order.report()

    def restart(self) -> None:
        """Begin again with the notes and the captures that are durable."""
        self.notes |= self.order.account()
        self.order = self._new_order()
        self.order.restore(self.notes, self.waiting.values())

    def _new_order(self) -> BudgetedOrder:
        make, per_day, clock, min_value = self._parts
        return make(Ledger(per_day, random_share=0.0), clock.reading, min_value=min_value)

    def arrive(self, number: int, hint: str, *, lane: Lane = Lane.SCORE, value: float = 0) -> None:
        entry = SpoolEntry(capture_id(number), lane, value, number, 1)
        self.waiting[number] = entry, hint
        self.order.arrive(entry, hint)

    def show(self, number: int, view: View, *, is_degraded: bool = False) -> None:
        """Let a score-lane capture with this view arrive."""
        self.arrive(number, SendHint(view, is_degraded).text)

    def buy(self) -> int | None:
        """Buy, send and delete one capture; return its number."""
        choice = self.order.choose()
        if choice is None:
            return None
        for name, text in choice.notes.items():
            if text is None:
                self.notes.pop(name, None)
            else:
                self.notes[name] = text
        self.order.take(choice)
        self.order.leave(choice.entry)
        del self.waiting[choice.entry.sequence]
        return choice.entry.sequence

    def buy_all(self) -> list[int]:
        found = []
        while (number := self.buy()) is not None:
            found.append(number)
        return found
