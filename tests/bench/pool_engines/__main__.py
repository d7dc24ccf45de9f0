"""The cost of a pool's analysis beside bare runs: `python -m tests.bench.pool_engines`.

First table: images a second of the local engine and of Ray with 1 and 2 workers. In the same
processes, before or after each image, the same image is read, decoded by OpenCV and given to the
model, then the model gets the same pixels once more, and at last its session the same tensor: so
each column was measured beside the others, whatever else this machine did.

Second table: what each engine needs for itself, with an analyser that does nothing. Third: memory.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import cv2

from agent.cli.sample_clip import clip_pixels
from agent.factories.pool_analysis import begun_analysis
from agent.pool.engine import Engine, MakesAnalyser
from agent.pool.engines.local import LocalEngine
from agent.pool.engines.ray import RayEngine
from agent.pool.items import ItemKind, PoolItem
from agent.pool.sources.reader import ItemReader
from agent.settings.load import load
from tests.bench.pool_engines.interleaved import (
    WARM,
    Empty,
    MakesInterleaved,
    open_store,
)
from tests.bench.pool_engines.memory import Memory

SIZE = (1280, 720)
QUALITY = 90
PARTS = ("all", "bare", "model", "session")


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition(":")[0])
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--empty", type=int, default=2000, help="items of the second table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        images = made(Path(folder) / "images", options.images)
        memory = throughput(Path(folder), images, options.workers, options.rounds)
        overhead(Path(folder), options.workers, options.empty)
        for name, peak in memory.items():
            print(f"memory, {name}: " + ", ".join(f"{who} {mb} MB" for who, mb in peak.items()))


def engines(workers: int) -> list[tuple[str, Engine]]:
    return [("local", LocalEngine(workers)), ("ray", RayEngine(workers=workers))]


def made(folder: Path, count: int) -> list[PoolItem]:
    """Write frames of the sample clip as JPEG files."""
    folder.mkdir()
    items = []
    for number, pixels in zip(range(count), clip_pixels(), strict=False):
        path = folder / f"{number:05}.jpg"
        large = cv2.resize(pixels, SIZE, interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(path), large, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        items.append(PoolItem(str(path), ItemKind.IMAGE, "images", size=path.stat().st_size))
    mean = sum(item.size for item in items) / len(items)
    print(f"{len(items)} images of {SIZE[0]}x{SIZE[1]}, {mean / 1e3:.0f} kB each")
    return items


def throughput(
    folder: Path, images: Sequence[PoolItem], workers: Sequence[int], rounds: int
) -> dict[str, dict[str, int]]:
    """Print the first table; return the peak memory of each run."""
    spec, _ = begun_analysis(load(), ItemReader)
    memory = {}
    print(
        f"| Engine, workers | {' | '.join(PARTS)} | bare / all, wall time | bare / all, CPU time |"
    )
    print("| --- " * (len(PARTS) + 3) + "|")
    for number in range(rounds):
        for count in workers:
            for name, engine in engines(count):
                notes = folder / f"{name}-{count}-{number}"
                notes.touch()
                with Memory() as peak:
                    run(
                        engine,
                        images,
                        MakesInterleaved(spec, notes),
                        folder / "out" / notes.name,
                    )
                memory[f"{name} {count}"] = peak.peak()
                lines = [json.loads(line) for line in notes.read_text().splitlines()]
                if not lines:
                    sys.exit(f"the first {WARM} images of a process do not count: give more")
                wall, cpu = (
                    {each: sum(line[each][n] for line in lines) for each in PARTS} for n in (0, 1)
                )
                rates = " | ".join(f"{len(lines) / wall[each]:.1f}" for each in PARTS)
                shares = " | ".join(f"{each['bare'] / each['all']:.3f}" for each in (wall, cpu))
                print(f"| {name}, {count} | {rates} | {shares} |", flush=True)
    return memory


def overhead(folder: Path, numbers: Sequence[int], count: int) -> None:
    """Print the second table."""
    for workers in numbers:
        for name, engine in engines(workers):
            seconds = []
            for items in (1, count):
                some = [PoolItem(f"/{n:06}", ItemKind.IMAGE, "a") for n in range(items)]
                start = time.perf_counter()
                run(engine, some, Empty, folder / f"empty-{name}-{workers}-{items}")
                seconds.append(time.perf_counter() - start)
            each = (seconds[1] - seconds[0]) / (count - 1)
            returned = (
                f", {engine.returned / count:.2f} bytes back an item"
                if isinstance(engine, RayEngine)
                else ""
            )
            print(
                f"overhead {name:5} {workers} | {seconds[0]:5.1f} s, and "
                f"{each * 1e3:.2f} ms an item{returned}",
                flush=True,
            )


def run(engine: Engine, items: Sequence[PoolItem], make: MakesAnalyser, out: Path) -> None:
    engine.run(items, make, partial(open_store, out), lambda _: None)


if __name__ == "__main__":
    main()
