"""An analyser that notes each image that it decodes, and does what the image's name says."""

import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from agent.errors import ConfigurationError, TemporaryError
from agent.pool.items import ItemKind, PoolItem
from agent.pool.rows import PoolRow, frame_key

FRAMES = 20
"""Frames of each recording."""


class CountingAnalyser:
    """Analyses nothing, and takes some time for it.

    An item that is `held` takes until there is a file `go` beside the notes, so that a run surely
    goes on until then.
    """

    def __init__(self, notes: Path, seconds: float) -> None:
        self._notes = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._seconds = seconds
        self._go = notes.with_name("go")

    def expect(self, items: Sequence[PoolItem]) -> None:
        pass

    def rows(self, item: PoolItem, *, first_frame: int = 0) -> Iterator[PoolRow]:
        if item.kind is ItemKind.RECORDING:
            for frame in range(first_frame, FRAMES):
                key = frame_key(item.key, frame)
                self._decode(key)
                yield PoolRow(key, id=key, frame=frame)
            return
        self._decode(item.key)
        while "held" in item.key and not self._go.exists():
            time.sleep(0.01)
        if "segfault" in item.key:
            os.kill(os.getpid(), signal.SIGSEGV)
        if "killed" in item.key and self._decoded(item.key) == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if "bug" in item.key:
            raise IndexError("no such box")
        if "denied" in item.key:
            raise ConfigurationError("cannot read it: no rights")
        if "slow bucket" in item.key:
            raise TemporaryError("cannot read it: no answer")
        if "unreadable" in item.key:
            yield PoolRow(item.key, problem="no image")
        else:
            yield PoolRow(item.key, id=f"id of {item.key}", camera="a", record=b"{}" * 200)

    def _decode(self, key: str) -> None:
        os.write(self._notes, f"{key}\n".encode())
        time.sleep(self._seconds)

    def _decoded(self, key: str) -> int:
        return Path(f"/proc/self/fd/{self._notes}").read_text().split("\n").count(key)
