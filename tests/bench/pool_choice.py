"""The choice from a large pool: time, memory, comparisons, and what bounded memory costs.

python -m tests.bench.pool_choice [--frames N] [--take N] [--cameras N ...] [--memory N]
    [--loss] [--plain]

The frames are made while they are read: parked objects that are doubted for days, bursts in which
one object is doubted, single doubts, images that two devices have, and mostly nothing.
"""

import argparse
import random
import resource
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from agent.pool.candidates import Candidate
from agent.pool.choice.greedy import Effort, choose
from agent.pool.choices import Bounds, Choice
from agent.selection.similarity import CROP_SIDE
from agent.selection.view import Place, View

SHARD = 100_000  # frames
PARKED_FRAMES = 5_000  # for which an object stands at its place
PARKED_PLACES = 5
BURST_FRAMES = 25
LOOKS, VARIANTS = 500, 4


def main() -> None:
    """Print one line for each number of cameras."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--take", type=int, default=10_000)
    parser.add_argument("--cameras", type=int, nargs="+", default=[1000, 100, 1])
    parser.add_argument("--memory", type=int, default=Effort().memory)
    parser.add_argument("--per-camera", type=int, default=None)
    parser.add_argument("--plain", action="store_true", help="frames that are made at once")
    parser.add_argument(
        "--loss", action="store_true", help="also choose with no exact step, to show what is lost"
    )
    options = parser.parse_args()
    for cameras in options.cameras:
        pool = SyntheticPool(options.frames, min(cameras, options.frames), options.plain)
        bounds = Bounds(options.take, options.per_camera)
        exact = report(pool, bounds, Effort(memory=options.memory))
        if options.loss:
            for loss in (0.01, 0.1):
                effort = Effort(memory=options.memory, exact=0, loss=loss)
                relaxed = report(pool, bounds, effort)
                lost = 1 - relaxed.value / exact.value
                print(f"    loses {lost:.3%} where each step may lose {loss:.0%}", flush=True)


def report(pool: "SyntheticPool", bounds: Bounds, effort: Effort) -> Choice:
    """Choose, and print what it took."""
    shards = pool.shards()
    sample = range(0, pool.frames, -(-pool.frames // 5_000))
    began = time.process_time()
    for number in sample:
        pool.candidate(number)
    make = (time.process_time() - began) / len(sample)
    began, cpu = time.perf_counter(), time.process_time()
    choice = choose(shards, bounds, effort=effort)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    fetched = sum(shard.fetched for shard in shards)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{pool.frames:,} frames of {pool.cameras:,} cameras, {len(choice.picks):,} chosen"
        f" ({choice.exact / max(1, len(choice.picks)):.1%} exact steps, least step"
        f" {choice.least_step:.4f}): {seconds:.0f} s, {cpu:.0f} s of a core, of which"
        f" {make * (pool.frames + fetched):.0f} s make the frames;"
        f" {choice.valuations:,} valuations, {fetched:,} frames fetched; peak of the process"
        f" {memory:.0f} MB; value {choice.value:.1f}, at least"
        f" {choice.value / max(choice.most, 1e-9):.1%} of what any choice shows;"
        f" {choice.near_duplicates:,} near-duplicates",
        flush=True,
    )
    return choice


@dataclass(frozen=True, slots=True)
class SyntheticPool:
    """Frames of cameras, each of which has the same number of them."""

    frames: int
    cameras: int
    is_plain: bool = False  # each shows one suspect, which no other shows

    def shards(self) -> list["SyntheticShard"]:
        """Return all frames, in the order of their keys."""
        starts = range(0, self.frames, SHARD)
        return [SyntheticShard(self, start, min(self.frames, start + SHARD)) for start in starts]

    def candidate(self, number: int) -> Candidate:
        """Make a frame; the same number makes the same frame."""
        camera, frame = divmod(number, -(-self.frames // self.cameras))
        name = f"camera-{camera:05}"
        if self.is_plain:
            p = number * 2_654_435_761 % 2**32 / 2**32  # spread evenly
            view = View(name, places=(Place(p, "", "car", frame, (0, 0, 1, 1)),))
            return Candidate(f"{number:09}", f"{number:x}", view)
        draw = random.Random(number)
        if camera % 2 and draw.random() < 0.05:  # another device has the image too
            other = self.candidate(number - -(-self.frames // self.cameras))
            view = replace(other.view, camera=name, digest="", run=f"{camera}")
            if view.bits is not None:
                view = replace(view, bits=view.bits ^ 1 << draw.randrange(256))
            return Candidate(f"{number:09}", f"{number:x}", view)
        places = tuple(_places(draw, camera, frame))
        bits = _scene(camera, frame // 2_000)
        for _ in range(draw.randrange(12)):
            bits ^= 1 << draw.randrange(256)
        view = View(name, frame / 5, bits, f"{number:x}", places, f"{camera}")
        return Candidate(f"{number:09}", f"{number:x}", view)


class SyntheticShard:
    """Frames that are made again each time they are read."""

    def __init__(self, pool: SyntheticPool, start: int, end: int) -> None:
        self._pool, self._start, self._end = pool, start, end
        self.fetched = 0

    def __len__(self) -> int:
        return self._end - self._start

    def __iter__(self) -> Iterator[Candidate]:
        return (self._pool.candidate(number) for number in range(self._start, self._end))

    def fetch(self, numbers: Sequence[int]) -> list[Candidate]:
        """Make the frames with these numbers."""
        self.fetched += len(numbers)
        return [self._pool.candidate(self._start + number) for number in numbers]


def _places(draw: random.Random, camera: int, frame: int) -> Iterator[Place]:
    for place in range(PARKED_PLACES):
        stay = random.Random(f"{camera} {place} {frame // PARKED_FRAMES}")
        if stay.random() < 0.4 and draw.random() < 0.3:
            look, x = stay.randrange(LOOKS), 0.1 + 0.15 * place
            yield _place(draw, stay.choice(["car", "van"]), look, (x, 0.7), None)
    burst = frame // BURST_FRAMES
    event = random.Random(f"{camera} {burst}")
    if event.random() < 0.1:
        x = event.random() * 0.5 + 0.01 * (frame % BURST_FRAMES)
        yield _place(draw, "person", event.randrange(LOOKS), (x, 0.4), burst)
    if draw.random() < 0.02:
        at = draw.random() * 0.8, draw.random() * 0.3
        yield _place(draw, "bicycle", draw.randrange(LOOKS), at, None)


def _place(
    draw: random.Random, label: str, look: int, at: tuple[float, float], track: int | None
) -> Place:
    x, y = (each + draw.gauss(0, 0.002) for each in at)
    crop = _crops(look)[draw.randrange(VARIANTS)]
    p = round(0.2 + 0.7 * draw.random(), 3)
    return Place(p, "", label, track, (x, y, x + 0.08, y + 0.08), crop)


@cache
def _crops(look: int) -> list[bytes]:
    draw = np.random.default_rng(look)
    levels = draw.integers(20, 236, (CROP_SIDE, CROP_SIDE))
    noise = draw.integers(-4, 5, (VARIANTS, CROP_SIDE, CROP_SIDE))
    return [(levels + each).astype(np.uint8).tobytes() for each in noise]


@cache
def _scene(camera: int, light: int) -> int:
    bits = random.Random(camera).getrandbits(256)
    change = random.Random(f"{camera} {light}")
    for _ in range(20):
        bits ^= 1 << change.randrange(256)
    return bits


if __name__ == "__main__":
    main()
