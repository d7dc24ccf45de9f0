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
from tests.fakes.clock import ManualClock
from tests.fakes.log import quiet_log

MIDNIGHT = 20_654 * DAY_S
FIRST_CELL = (1.0,) + (0.0,) * 15  # a grid with one object


def clock_at_midnight() -> ManualClock:
    return ManualClock(0.0, wall=MIDNIGHT)


def capture_id(number: int) -> str:
    return f"01970f7e-4c00-7abc-8def-{number * 0x9E3779B97F4A % 2**48:012x}"


def fingerprint_text(seed: int) -> str:
    """Return a fingerprint as text; each seed is another scene."""
    return Fingerprint(random.Random(seed).getrandbits(256), {"car": FIRST_CELL}).text


def new_capture(
    number: int,
    value: float,
    *,
    lane: Lane = Lane.SCORE,
    scene: int | None = None,
    is_degraded: bool = False,
) -> NewCapture:
    name = capture_id(number)
    sampling = {"slot_start": 0.0, "slot_seconds": 60.0, "weight": 60.0}
    record: dict[str, object] = {"schema": 1, "id": name, "lane": lane.value}
    record["sampling"] = sampling if lane is Lane.RANDOM else None
    record["image"] = {"sha256": "0" * 64}
    hint = SendHint("gate", is_degraded, fingerprint_text(number if scene is None else scene))
    return NewCapture(name, lane, value, record, b"x", hint=hint.text)


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
