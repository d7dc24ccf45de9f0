"""Frames of recordings are read again: of several recordings at the same time, of each once."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from agent.errors import UnusableImage
from agent.pool.items import ItemKind, PoolItem, never
from agent.pool.output.captures import CaptureMaker
from agent.pool.output.chosen import ChosenImage
from agent.record.image import JpegEncoder
from tests.camera.encoded import mux
from tests.pool.output.chosen_images import chosen_image

FRAMES = 3


class Reader:
    """Gives recordings once all of them are asked for."""

    def __init__(self, count: int, broken: str = "") -> None:
        self.asked: Counter[str] = Counter()
        self._together = Barrier(count, timeout=30)
        self._broken = broken

    @contextmanager
    def local(self, item: PoolItem, is_stopped: Callable[[], bool] = never) -> Iterator[Path]:
        assert not is_stopped()
        self.asked[item.key] += 1
        self._together.wait()
        if item.key == self._broken:
            raise UnusableImage("cannot read the recording: it was removed after it was listed")
        yield Path(item.key)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("recordings")
    paths = [folder / f"{name}.mp4" for name in ("gate", "yard", "lane")]
    for path in paths:
        frames = [np.full((100, 200, 3), 60 * number, np.uint8) for number in range(FRAMES)]
        mux(path, frames, container="mp4")
    return paths


def chosen_of(recordings: list[Path]) -> list[ChosenImage]:
    """Return the first and the last frame of each recording."""
    found: list[ChosenImage] = []
    for path in recordings:
        for frame in (0, FRAMES - 1):
            chosen = chosen_image(len(found) + 1, kind=ItemKind.RECORDING)
            row = replace(chosen.row, key=f"{path}#{frame}", frame=frame)
            found.append(replace(chosen, row=row, item=replace(chosen.item, key=str(path))))
    return found


def maker_with(reader: Reader) -> CaptureMaker:
    parts = SimpleNamespace(
        reader=reader, fps=0.0, masks_of=lambda _: (), encoder=JpegEncoder(quality=90)
    )
    return CaptureMaker(cast("Any", parts), feedback=None)


def test_recordings_are_read_at_the_same_time_and_each_once(recordings: list[Path]) -> None:
    reader = Reader(len(recordings))
    chosen = chosen_of(recordings)

    captures = list(maker_with(reader).captures(chosen))

    assert {each.chosen.row.key for each in captures} == {each.row.key for each in chosen}
    assert all(each.image for each in captures)
    assert set(reader.asked.values()) == {1}


def test_a_recording_that_is_gone_is_named_and_the_others_are_copied(
    recordings: list[Path],
) -> None:
    reader = Reader(len(recordings), broken=str(recordings[1]))
    chosen = chosen_of(recordings)
    maker = maker_with(reader)

    captures = list(maker.captures(chosen))

    assert len(captures) == len(chosen) - 2
    assert set(maker.problems) == {each.row.key for each in chosen[2:4]}
    assert "was removed" in maker.problems[chosen[2].row.key]
