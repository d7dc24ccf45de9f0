"""A spool with a labelling budget, and captures for it."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.domain import Lane
from agent.selection.budget.ledger import DAY_S, Ledger
from agent.selection.budget.purchase import BudgetedOrder, SendHint
from agent.selection.similarity import Fingerprint
from agent.spool.recovery import open_spool
from agent.spool.spool import Spool
from agent.spool.types import NewCapture, SpoolLimits
from tests.fakes.captures import new_capture
from tests.fakes.clock import ManualClock
from tests.fakes.log import quiet_log

MIDNIGHT = 20_654 * DAY_S
FIRST_CELL = (1.0,) + (0.0,) * 15  # a grid with one object


def clock_at_midnight() -> ManualClock:
    return ManualClock(0.0, wall=MIDNIGHT)


def fingerprint_text(seed: int) -> str:
    """Return a fingerprint as text; each seed is another scene."""
    return Fingerprint(random.Random(seed).getrandbits(256), {"car": FIRST_CELL}).text


def capture_of_scene(
    number: int,
    value: float,
    *,
    lane: Lane = Lane.SCORE,
    scene: int | None = None,
    is_degraded: bool = False,
) -> NewCapture:
    """Return a capture with the hint for the purchase; by default each shows another scene."""
    hint = SendHint("gate", is_degraded, fingerprint_text(number if scene is None else scene))
    return new_capture(number, lane=lane, value=value, size=1, hint=hint.text)


@contextmanager
def spool_at(
    path: Path, clock: ManualClock, per_day: int, make: type[BudgetedOrder] = BudgetedOrder
) -> Iterator[Spool]:
    log = quiet_log()
    order = make(Ledger(per_day), clock.reading)
    with open_spool(path, SpoolLimits(100_000_000), clock=clock, log=log, order=order) as spool:
        yield spool


def send_all(spool: Spool) -> list[str]:
    sent = []
    while (capture := spool.claim()) is not None:
        spool.acknowledge(capture.id)
        sent.append(capture.id)
    return sent
