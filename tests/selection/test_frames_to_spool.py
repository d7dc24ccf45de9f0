"""From frames to the captures that the endpoint gets: selection, writer and a real spool."""

import math
import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from queue import Queue
from statistics import fmean, stdev

import pytest

from agent.domain import Capture, Lane, ModelInfo, Observation, StoredCapture, Task
from agent.ports import SendOrder
from agent.record.image import JpegEncoder
from agent.record.schema import RecordMaker
from agent.runtime.stats import Stats
from agent.runtime.writer import GROUP, Writer
from agent.selection.budget.ledger import Ledger
from agent.selection.budget.purchase import BudgetedOrder
from agent.selection.cells import SETTLE_S
from agent.selection.device import Selection
from agent.selection.plan import SelectionPlan
from agent.selection.suspects import nearness
from agent.spool.recovery import open_spool
from agent.spool.spool import Spool
from agent.spool.types import SpoolLimits
from agent.system import uuid7
from tests.fakes.log import quiet_log
from tests.selection.budgeted_spool import capture_of_scene, clock_at_midnight
from tests.selection.grey_images import noisy, scene
from tests.selection.synthetic_street import FPS, THRESHOLDS, clean_street, observed

LOG = quiet_log()
MODEL = ModelInfo("test", "0" * 64, Task.DETECT, "CPUExecutionProvider", ("person",))
MAKER = RecordMaker("device", "boot", MODEL, THRESHOLDS, "0")
OVERHEAD = 5_620_000  # bytes of the disk budget that captures cannot use, about
PIXELS = scene()[:8, :8, None].repeat(3, 2)  # so small that a record file has one block


class Device:
    """Selects captures among frames and writes them into a spool."""

    def __init__(
        self, spool: Spool, plan: SelectionPlan, seed: int = 0, *, group: int = GROUP
    ) -> None:
        self._group = group
        draw = random.Random(seed)
        self._selection = Selection(
            ["street"], plan, new_id=lambda wall: uuid7(wall, draw.getrandbits(80))
        )
        self._queue: Queue[Capture] = Queue()
        self._writer = Writer(
            self._queue,
            JpegEncoder(quality=90),
            MAKER,
            spool,
            synchronized=lambda _wall: True,
            stats=Stats(),
            log=LOG,
        )

    def observe(self, observation: Observation) -> None:
        at = observation.frame.at
        self._write(self._selection.observe(observation, at), at_least=self._group)

    def finish(self) -> None:
        self._write(self._selection.finish(1e9), at_least=1)

    def _write(self, captures: Sequence[Capture], *, at_least: int) -> None:
        for capture in captures:
            self._queue.put(capture)
        while self._queue.qsize() >= at_least:
            self._writer.step()


@contextmanager
def spool_in(
    folder: Path, *, max_bytes: int = 10**9, order: SendOrder | None = None
) -> Iterator[Spool]:
    with open_spool(
        folder, SpoolLimits(max_bytes), clock=clock_at_midnight(), log=LOG, order=order
    ) as spool:
        yield spool


def same_scene(number: int, confidence: float) -> Observation:
    detections = [replace(d, confidence=confidence) for d in clean_street(1)[0]]
    return observed(number, detections, noisy(scene(), number, 1.0))


@pytest.mark.parametrize("group", [1, GROUP])
def test_a_better_frame_of_a_cell_replaces_the_one_that_waits(tmp_path: Path, group: int) -> None:
    """Whether both are stored in one group or one after the other."""
    clock = clock_at_midnight()
    plan = SelectionPlan(("low_confidence",), THRESHOLDS, "seed", per_day=100, is_random=False)
    frames = int(2 * SETTLE_S * FPS)
    with spool_in(tmp_path, order=BudgetedOrder(Ledger(100, 0.0), clock.reading)) as spool:
        device = Device(spool, plan, group=group)
        for number in range(frames):
            device.observe(same_scene(number, {0: 0.4, frames - 5: 0.45}.get(number, 0.95)))
        device.finish()
        spool.report()
        clock.now += 3600.0
        capture = spool.claim()

        assert spool.waiting() == 1
        assert spool.counts() == {"stored": 2, "evicted/duplicate": 1}
    assert capture is not None
    assert capture.record["detections"][0]["confidence"] == 0.45
    assert capture.record["value"] == pytest.approx(0.25 * nearness(0.45, 0.5) + 0.05, abs=0.001)
    assert capture.record["suspects"][0]["rule"] == "low_confidence"


SLOTS, FRAMES_A_SLOT, ROOM, RUNS = 60, 10, 12, 14

Arrived = list[tuple[float, float]]  # weight in seconds, and the measured quantity


def simulated_run(folder: Path, seed: int) -> Arrived:
    """Return the random captures that arrive; the measured quantity grows over the run.

    The disk has room for few captures, so that many are evicted; some are sent meanwhile.
    """
    plan = SelectionPlan(
        (), THRESHOLDS, f"seed {seed}", per_day=0, random_interval=FRAMES_A_SLOT / 5
    )
    clock, arrived = clock_at_midnight(), []
    order = BudgetedOrder(Ledger(10**6, random_share=1.0), clock.reading)

    def claimed(spool: Spool) -> str | None:
        capture = spool.claim()
        if capture is None:
            return None
        number = capture.record["source_frame"]
        arrived.append((capture.record["sampling"]["weight"], float(number)))
        return capture.id

    with spool_in(folder, max_bytes=OVERHEAD + ROOM * 4096, order=order) as spool:
        device = Device(spool, plan, seed)
        for number in range(SLOTS * FRAMES_A_SLOT):
            clock.now += 0.2
            observation = observed(number, [])
            device.observe(replace(observation, frame=replace(observation.frame, pixels=PIXELS)))
            if number > 300 and number % 20 == 0 and (capture := claimed(spool)):
                spool.acknowledge(capture)
        device.finish()
        clock.now += 3600.0
        while claimed(spool):
            pass
    return arrived


def bias(runs: Sequence[Arrived]) -> tuple[float, float]:
    """Return by how many standard errors total time and mean quantity are wrong."""
    # An instant after the last frame of its slot draws no frame.
    seconds = SLOTS * (FRAMES_A_SLOT - 1) / 5
    middle = SLOTS * FRAMES_A_SLOT / 2
    totals = [sum(weight for weight, _ in each) - seconds for each in runs]
    means = [sum(w * (y - middle) for w, y in each) / seconds for each in runs]

    def off(values: Sequence[float]) -> float:
        return fmean(values) / (stdev(values) / math.sqrt(len(values)))

    return off(totals), off(means)


def test_the_weighted_mean_of_arrivals_is_unbiased(tmp_path: Path) -> None:
    runs = [simulated_run(tmp_path / str(seed), seed) for seed in range(RUNS)]

    assert all(len(each) < 0.8 * SLOTS for each in runs)
    assert max(map(abs, bias(runs))) < 3


def put_drawn(spool: Spool, numbers: Sequence[int]) -> None:
    """Put random captures of one block each."""
    spool.put([capture_of_scene(number, 0.5, lane=Lane.RANDOM) for number in numbers])


def everything(spool: Spool) -> list[StoredCapture]:
    found = []
    while (capture := spool.claim()) is not None:
        found.append(capture)
    return found


@pytest.mark.parametrize("first", [2, 40])  # captures at the first attempt: all are kept, or half
@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize("per_day", [0, 10**6])
def test_each_attempt_sends_the_same_record(
    tmp_path: Path, first: int, per_day: int, *, is_restarted: bool
) -> None:
    """Although evictions between the attempts give the remaining captures more weight."""
    clock = clock_at_midnight()
    with ExitStack() as running:

        def start() -> Spool:
            order = BudgetedOrder(Ledger(per_day, 1.0), clock.reading) if per_day else None
            room = OVERHEAD + 20 * 4096
            return running.enter_context(spool_in(tmp_path, max_bytes=room, order=order))

        spool = start()
        put_drawn(spool, range(first))
        clock.now += 1.0  # earns a credit
        tried = spool.claim()
        assert tried is not None
        spool.release(tried.id)
        if is_restarted:
            spool.keep_notes({})
            running.close()
            spool = start()
        put_drawn(spool, range(100, 180))
        clock.now += 60.0
        sent = everything(spool)

    [again] = [capture for capture in sent if capture.id == tried.id]
    assert again.record_json == tried.record_json
    assert max(capture.record["sampling"]["weight"] for capture in sent) > 60.0
