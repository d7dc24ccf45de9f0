"""Analysers that measure themselves."""

import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from agent.detector.detector import OnnxDetector
from agent.factories.pool_analysis import AnalysisSpec, make_analyser
from agent.pool.items import PoolItem
from agent.pool.rows import PoolRow
from agent.pool.sources.reader import ItemReader
from agent.pool.store.local_place import LocalPlace
from agent.pool.store.store import PartStore

WARM = 20
"""The first images of a process: with them modules are imported and memory is taken."""

WAITS_S = 1.0
"""Longer between two images is no work on an image: the process waits for its first batch."""


@dataclass(frozen=True)
class MakesInterleaved:
    """Makes an analyser that measures itself; can be pickled."""

    spec: AnalysisSpec
    notes: Path

    def __call__(self) -> "Interleaved":
        return Interleaved(self.spec, self.notes)


class Interleaved:
    """Analyses an image, then does the same with less and less around the model."""

    def __init__(self, spec: AnalysisSpec, notes: Path) -> None:
        self._analyser = make_analyser(spec, ItemReader)
        self._parts = self._analyser._parts
        self._notes = os.open(notes, os.O_WRONLY | os.O_APPEND)
        self._spent: dict[str, Moment] = {}
        self._end = Moment()
        self._turn = False
        self._seen = 0

    def expect(self, items: Sequence[PoolItem]) -> None:
        self._analyser.expect(items)

    def rows(self, item: PoolItem, *, first_frame: int = 0) -> Iterator[PoolRow]:
        """Yield the row. The engine's and the store's time until the next call counts as well."""
        between = Moment.now() - self._end
        self._seen += 1
        if self._seen > WARM and between.wall < WAITS_S:
            spent = self._spent | {"all": self._spent["all"] + between}
            line = {name: (each.wall, each.cpu) for name, each in spent.items()}
            os.write(self._notes, f"{json.dumps(line)}\n".encode())
        self._turn = not self._turn  # what comes second finds the image in the caches
        bare = self._bare(item) if self._turn else {}
        start = Moment.now()
        yield from self._analyser.rows(item, first_frame=first_frame)
        whole = Moment.now() - start
        self._spent = {"all": whole, **(bare or self._bare(item))}
        self._end = Moment.now()

    def _bare(self, item: PoolItem) -> dict[str, "Moment"]:
        detector = self._parts.detector
        assert isinstance(detector, OnnxDetector)
        start = Moment.now()
        data = np.frombuffer(Path(item.key).read_bytes(), np.uint8)
        pixels = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
        detector.detect(pixels)
        bare = Moment.now()
        detector.detect(pixels)
        model = Moment.now()
        letterbox, shown = detector._letterbox(pixels)
        tensor = detector._buffer().fill(shown, letterbox)
        filled = Moment.now()
        detector._session.run_with_map(tensor, letterbox.input, detector._layout.outputs)
        return {
            "bare": bare - start,
            "model": model - bare,
            "session": Moment.now() - filled,
        }


@dataclass(frozen=True)
class Moment:
    """Seconds of both clocks."""

    wall: float = 0.0
    cpu: float = 0.0

    @classmethod
    def now(cls) -> "Moment":
        return cls(time.perf_counter(), time.process_time())

    def __sub__(self, other: "Moment") -> "Moment":
        return Moment(self.wall - other.wall, self.cpu - other.cpu)

    def __add__(self, other: "Moment") -> "Moment":
        return Moment(self.wall + other.wall, self.cpu + other.cpu)


class Empty:
    """Analyses nothing; the row has the usual size of a record."""

    def expect(self, items: Sequence[PoolItem]) -> None:
        """Need nothing."""

    def rows(self, item: PoolItem, *, first_frame: int = 0) -> Iterator[PoolRow]:
        yield PoolRow(item.key, id=item.key, camera="a", record=b"x" * 1500)


def open_store(out: Path) -> PartStore:
    place = LocalPlace(out)
    place.prepare()
    return PartStore(place)
