"""Failures found per credit: the selection and simple policies, over many synthetic days.

python -m tests.bench.selection.run [SEEDS] [STREET]
"""

import math
import random
import sys
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from statistics import mean, stdev

import numpy as np

from agent.domain import Lane
from tests.bench.selection.ours import Ours
from tests.bench.selection.policies import at_random, oracle, threshold_and_counters, top_of_the_day
from tests.bench.selection.scenes import KINDS, Day, Street

STREETS = {
    "street": (Street(), 20),
    "clutter": (Street(clutter=40), 20),
    "clip": (Street(frames=1500, busy_share=0.8, failures=12), 12),
    "drive": (Street(frames=3000, busy_share=0.8, failures=24, moving_camera=True), 20),
}
NEAR_FRAMES = 10  # two frames within 2 s that hold the same failures, or none, are near-duplicates

Row = tuple[str, dict[str, float]]


def one_day(street: Street, credits_: int, seed: int) -> list[Row]:
    """Return the results of each policy on one day."""
    episodes: list[frozenset[int]] = []

    def watched(day: Day):  # type: ignore[no-untyped-def]  # noqa: ANN202
        for seen in day:
            episodes.append(seen.episodes)
            yield seen

    day = Day(street, seed)
    ours = Ours(street.frames, credits_).run(watched(day))
    draw = random.Random(seed)
    frames = sorted(frame for frame, _, _ in ours.purchased)
    scored = ours.scored
    shuffled = draw.sample(episodes, len(episodes))
    rows: list[Row] = []

    def add(name: str, taken: Sequence[int], truth: Sequence[frozenset[int]] = episodes) -> None:
        rows.append((name, figures(taken, truth)))

    many = [figures(at_random(street.frames, credits_, draw), episodes) for _ in range(50)]
    rows.append(("random", {key: mean(each[key] for each in many) for key in many[0]}))
    add("threshold + counters", threshold_and_counters(scored, street.frames, credits_))
    add("top N at the day's end", top_of_the_day(scored, credits_))
    add("ours", frames)
    add("ours, score lane", [f for f, _, lane in ours.purchased if lane is Lane.SCORE])
    add("ours, truth shuffled", frames, shuffled)
    add("oracle", oracle(episodes, credits_))
    there = frozenset().union(*episodes)
    found = frozenset().union(*(episodes[frame] for frame in frames))
    for row, which in (("there, by kind", there), ("ours, by kind", found)):
        rows.append((row, {k: sum(day.kinds[e] == k for e in which) for k in KINDS}))
    spent = [at / (street.frames / 5.0) for _, at, _ in ours.purchased]
    rows.append(
        (
            "extra",
            {
                "failing share": mean(bool(each) for each in episodes),
                "episodes": len(frozenset().union(*episodes)),
                "stored": ours.stored,
                **{
                    f"spent {q}": float(np.mean([s <= q for s in spent])) for q in (0.25, 0.5, 0.75)
                },
            },
        )
    )
    return rows


def figures(taken: Sequence[int], episodes: Sequence[frozenset[int]]) -> dict[str, float]:
    """Count the frames, the failures in them and the near-duplicates among them."""
    ordered = sorted(taken)
    near = sum(b - a <= NEAR_FRAMES and episodes[a] == episodes[b] for a, b in pairwise(ordered))
    return {
        "frames": len(taken),
        "failing": sum(bool(episodes[frame]) for frame in taken),
        "distinct": len(frozenset().union(*(episodes[frame] for frame in taken))),
        "near": near / max(1, len(taken)),
    }


def main() -> None:
    """Print one table for each street."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    for name in sys.argv[2:] or ["street"]:
        street, credits_ = STREETS[name]
        table: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        with ProcessPoolExecutor(2) as pool:
            days = pool.map(one_day, [street] * seeds, [credits_] * seeds, range(seeds))
            for policy, values in (row for day in days for row in day):
                for key, value in values.items():
                    table[policy][key].append(value)
        print(f"{name}: {street.frames} frames, {credits_} credits, {seeds} seeds")
        for policy, columns in table.items():
            cells = (f"{key} {interval(values)}" for key, values in columns.items())
            print(f"  {policy:24s}", "  ".join(cells))


def interval(values: Sequence[float]) -> str:
    """Return the mean and half the width of its 95 % interval."""
    half = 1.96 * stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return f"{mean(values):.2f} ±{half:.2f}"


if __name__ == "__main__":
    main()
