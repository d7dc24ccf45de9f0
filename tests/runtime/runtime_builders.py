"""Frames, captures and spools for the tests of this folder."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from agent.domain import (
    Box,
    Capture,
    Detection,
    EncodedImage,
    Frame,
    Grey,
    Lane,
    ModelInfo,
    Observation,
    Pixels,
    RuleHit,
    Task,
    Thresholds,
)
from agent.record.schema import RecordMaker
from agent.selection.device import Selection
from agent.selection.plan import SelectionPlan
from agent.spool.recovery import open_spool
from agent.spool.spool import Spool
from agent.spool.types import NewCapture, SpoolLimits
from agent.system import new_id
from tests.fakes.clock import WALL, ManualClock
from tests.fakes.disk.real import RefusingDisk, RefusingIndex
from tests.fakes.log import Recorder

MODEL = ModelInfo("test", "0" * 64, Task.DETECT, "CPUExecutionProvider", ("car",))
MAKER = RecordMaker("device", "boot", MODEL, Thresholds(0.5), "0")


class Says:
    """A notifier that remembers."""

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


def frame(camera: str = "gate", sequence: int = 0, at: float | None = None) -> Frame:
    """A tiny frame; its pixels hold its sequence."""
    pixels = np.full((4, 6, 3), sequence % 256, np.uint8)
    return Frame(
        camera=camera,
        sequence=sequence,
        pixels=pixels,
        at=float(sequence) if at is None else at,
        captured_at=WALL + sequence,
        monotonic_ns=sequence,
        stream="test",
    )


def detection(confidence: float) -> Detection:
    return Detection("car", 0, confidence, Box(0, 0, 2, 2))


def capture(sequence: int = 0, camera: str = "gate", value: float = 0.5) -> Capture:
    observation = Observation(frame(camera, sequence), (detection(0.4),))
    hits = (RuleHit("low_confidence", 0.5),)
    return Capture(observation, Lane.SCORE, hits, value, id=new_id(WALL))


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
    """Return the first pixel as the thumbnail."""

    def encode(self, pixels: Pixels) -> EncodedImage:
        height, width = pixels.shape[:2]
        return EncodedImage(bytes([int(pixels[0, 0, 0])]) * 50, width, height)


def store(spool: Spool, count: int) -> list[str]:
    """Put captures of falling value: they are claimed in this order. Answers their ids."""
    ids = []
    for number in range(count):
        taken = capture(number, value=0.9 - number / 100)
        image = PlainEncoder().encode(taken.observation.frame.pixels)
        identity = new_id(WALL)
        record = MAKER.make(identity, taken, image, clock_synchronized=True)
        spool.put([NewCapture(identity, taken.lane, taken.value, record, image.data)])
        ids.append(identity)
    return ids


def wait_until(true: Callable[[], object], *, seconds: float = 10.0) -> None:
    """Poll until a condition holds; fails loudly when it never does."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.005)
