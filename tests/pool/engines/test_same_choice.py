"""The choice does not depend on the engine, its workers, or what was killed on the way."""

import contextlib
import os
import shutil
import signal
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from onnx import helper, numpy_helper

from agent.pool.rows import PoolRow
from agent.pool.store.local_place import LocalPlace
from agent.pool.store.order import RowOrder
from agent.pool.store.store import PartStore
from tests.detector.planted_models import save_model, value
from tests.fakes.ray_cluster import PATIENT
from tests.in_process import call_here

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

IMAGES, TAKE = 2000, 100
CELLS = 8  # of an image, in each direction


def cells_model(path: Path) -> Path:
    """Write a model that finds an object in each cell, as sure as the cell is red, green, blue."""
    side = 64 // CELLS
    centres = (np.arange(CELLS, dtype=np.float32) + 0.5) * side
    x, y = np.meshgrid(centres, centres)
    sizes = np.full(CELLS * CELLS, side, np.float32)
    boxes = np.stack([x.ravel(), y.ravel(), sizes, sizes])[None]
    return save_model(
        path,
        [
            helper.make_node(
                "AveragePool", ["images"], ["cells"], kernel_shape=[side] * 2, strides=[side] * 2
            ),
            helper.make_node("Reshape", ["cells", "shape"], ["classes"]),
            helper.make_node("Concat", ["boxes", "classes"], ["output0"], axis=1),
        ],
        [value("images", [1, 3, 64, 64])],
        [value("output0", [1, 7, CELLS * CELLS])],
        constants=[
            numpy_helper.from_array(boxes.astype(np.float32), "boxes"),
            numpy_helper.from_array(np.array([1, 3, CELLS * CELLS], np.int64), "shape"),
        ],
        metadata={"task": "detect", "names": "['red', 'green', 'blue']"},
    )


def make_images(folder: Path) -> None:
    """Write dark images with a few bright cells; some cannot be read, some are the same."""
    random = np.random.default_rng(5)
    for number in range(IMAGES):
        cells = random.uniform(0, 60, (CELLS, CELLS, 3))
        for _ in range(3):
            cells[random.integers(CELLS), random.integers(CELLS), random.integers(3)] = (
                random.uniform(60, 255)
            )
        pixels = cv2.resize(cells, (128, 128), interpolation=cv2.INTER_NEAREST).astype(np.uint8)
        path = folder / f"camera-{number % 7}" / f"{number:04}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        data = cv2.imencode(".jpg", pixels)[1].tobytes()
        path.write_bytes(data[: 60 if number % 500 == 3 else None])
        if number % 100 == 7:
            path.with_name(f"{number:04}-copy.jpg").write_bytes(data)


def kill_a_writer(out: Path, is_over: threading.Event, killed: list[int]) -> None:
    """Kill a process that keeps rows, once some hundred are kept; note it."""
    while kept_bytes(out) < 300_000:
        if is_over.wait(0.02):
            return
    for folder in Path("/proc").glob("[0-9]*"):
        if folder.name == str(os.getpid()):
            continue
        try:
            files = [file.resolve() for file in (folder / "fd").iterdir()]
        except OSError:
            continue
        if any(file.suffix == ".rows" and file.is_relative_to(out) for file in files):
            os.kill(int(folder.name), signal.SIGKILL)
            killed.append(int(folder.name))
            return


def kept_bytes(out: Path) -> int:
    """Return the size of all rows that are not sealed."""
    size = 0
    for path in out.glob(".pool/*.rows"):
        with contextlib.suppress(FileNotFoundError):
            size += path.stat().st_size
    return size


class Outcome:
    """What a call of the command made."""

    def __init__(self, images: Path, out: Path, *words: object, kill: bool = False) -> None:
        for _ in range(5):
            is_over, killed = threading.Event(), list[int]()
            killing = threading.Thread(target=kill_a_writer, args=(out, is_over, killed))
            if kill:
                killing.start()
            call = call_here("pool", images, "--take", TAKE, "--out", out, *words)
            is_over.set()
            if kill:
                killing.join()
            assert call.returncode == 0, call.stderr
            if bool(killed) == kill:
                break
            shutil.rmtree(out)  # it was done before a process was found
        assert bool(killed) == kill
        self.rows = rows_in(out)
        self.files = {
            str(path.relative_to(out)): path.read_bytes()
            for path in out.rglob("*")
            if path.is_file() and ".pool" not in path.parts and path.suffix != ".lock"
        }
        out.rename(out.with_name(f"out-{len(list(out.parent.iterdir()))}"))


def rows_in(out: Path) -> list[PoolRow]:
    place = LocalPlace(out)
    order = RowOrder(PartStore(place))
    usable = [row.key for row in order.facts() if not row.problem]
    problems = [PoolRow(row.key, problem=row.problem) for row in order.facts() if row.problem]
    return [*order.rows(usable), *problems]


def test_the_choice_is_the_same_on_each_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 2,000 images: with 1, 2 and 4 workers of Ray, and with a worker killed in the middle."""
    images, out = tmp_path / "images", tmp_path / "out"
    make_images(images)
    for name, limit in PATIENT.items():
        monkeypatch.setenv(name, limit)
    monkeypatch.setenv("AGENT_MODEL", str(cells_model(tmp_path / "cells.onnx")))
    calls: dict[str, tuple[list[Any], bool]] = {
        "local": (["--workers", 2], False),
        "1 worker": (["--engine", "ray", "--workers", 1], False),
        "2 workers": (["--engine", "ray", "--workers", 2], False),
        "4 workers": (["--engine", "ray", "--workers", 4], False),
        "killed": (["--engine", "ray", "--workers", 2], True),
        "killed, local": (["--workers", 2], True),
    }
    outcomes = {
        name: Outcome(images, out, *words, kill=kill) for name, (words, kill) in calls.items()
    }

    first = outcomes["local"]
    assert len(first.rows) == IMAGES + IMAGES // 100
    assert sum(bool(row.problem) for row in first.rows) == IMAGES // 500
    assert sum(name.startswith("images/") for name in first.files) == TAKE
    for name, outcome in outcomes.items():
        assert outcome.rows == first.rows, name
        assert outcome.files == first.files, name
