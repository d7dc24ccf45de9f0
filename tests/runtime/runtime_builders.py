"""A notifier, spools, a selection and an encoder for the tests of this folder."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from agent.domain import (
    EncodedImage,
    Grey,
    ModelInfo,
    Observation,
    Pixels,
    Suspect,
    Task,
    Thresholds,
)
from agent.record.schema import RecordMaker
from agent.selection.device import Selection
from agent.selection.plan import SelectionPlan
from agent.spool.recovery import open_spool
from agent.spool.spool import Spool
from agent.spool.types import SpoolLimits
from agent.system import new_id
from tests.fakes.captures import new_capture
from tests.fakes.clock import ManualClock
from tests.fakes.disk.real import RefusingDisk, RefusingIndex
from tests.fakes.log import Recorder
from tests.limits import LIMIT_S

MODEL = ModelInfo("test", "0" * 64, Task.DETECT, "CPUExecutionProvider", ("car",))
MAKER = RecordMaker("device", "boot", MODEL, Thresholds(0.5), "0")


class Says:
    """A notifier that records what it was told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def notify(self, state: str) -> None:
        self.said += state.splitlines()


@contextlib.contextmanager
def open_test_spool(
    folder: Path,
    clock: ManualClock,
    recorder: Recorder,
    *,
    disk: RefusingDisk | None = None,
    max_bytes: int = 10**9,
) -> Iterator[Spool]:
    refusing = disk or RefusingDisk()
    limits = SpoolLimits(max_bytes, 0)
    with open_spool(
        folder / "spool",
        limits,
        clock=clock,
        log=recorder.log,
        disk=refusing,
        open_index=lambda path: RefusingIndex(path, refusing),
    ) as spool:
        yield spool


def every_frame(*cameras: str) -> Selection:
    """A selection that keeps every frame."""
    plan = SelectionPlan(
        rules=(), thresholds=Thresholds(0.5), seed="", is_random=False, every_nth=1
    )
    return Selection(cameras, plan, new_id=new_id)


def no_thumbnail(pixels: Pixels) -> Grey:
    """Return an empty thumbnail: these tests do not use it."""
    del pixels
    return np.zeros((180, 320), np.uint8)


class PlainEncoder:
    """Encodes the first pixel alone."""

    def encode(self, observation: Observation, suspects: Sequence[Suspect] = ()) -> EncodedImage:
        del suspects
        pixels = observation.frame.pixels
        height, width = pixels.shape[:2]
        return EncodedImage(bytes([int(pixels[0, 0, 0])]) * 50, width, height)

    def drawn(
        self, observation: Observation, draw: Callable[[Pixels, EncodedImage], None]
    ) -> EncodedImage:
        pixels = observation.frame.pixels.copy()
        height, width = pixels.shape[:2]
        draw(pixels, EncodedImage(b"", width, height))
        return EncodedImage(bytes([int(pixels[0, 0, 0])]) * 50, width, height)


def store(spool: Spool, count: int) -> list[str]:
    """Put captures of falling value, so that they are claimed in this order; return their ids."""
    first = spool.counts().get("stored", 0)
    captures = [new_capture(first + n, value=0.9 - n / max(100, 2 * count)) for n in range(count)]
    spool.put(captures)
    return [each.id for each in captures]


def wait_until(true: Callable[[], object], *, seconds: float = LIMIT_S) -> None:
    """Poll until a condition holds; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.005)
