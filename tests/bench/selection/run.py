"""Distinct failures found per credit: the selection and simple policies, over synthetic days.

python -m tests.bench.selection.run [SEEDS] [DAY...] [--frames N]

The day `signs` compares four changes with labelled video first; if the synthetic days do not agree
with it, no other table is printed.
"""

import argparse
import random
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import pairwise
from statistics import mean

from agent.domain import Lane, Thresholds
from tests.bench.selection.ours import choose, plan_of
from tests.bench.selection.policies import (
    at_intervals,
    at_random,
    found,
    oracle,
    threshold_and_counters,
    top_n,
)
from tests.bench.selection.scenes import FPS, THRESHOLD, Day, Street
from tests.bench.selection.signs import agree
from tests.bench.selection.table import interval

STREETS = {
    "street": (Street(), 20),
    "clip": (Street(frames=1500, busy_share=0.8), 12),
    "drive": (Street(frames=3000, busy_share=0.8, fixtures=0, moving_camera=True), 20),
    "clutter": (Street(false_places=60), 20),
    "still": (Street(frames=3000, busy_rate=0, quiet_rate=0), 20),
    "night": (Street(busy_rate=0.1, quiet_rate=0.01, light=0.4, margin=-1.2), 20),
    "crowd": (Street(frames=1000, busy_share=1, busy_rate=2, false_places=8), 12),
}
NEAR_FRAMES = 10  # two frames within 2 s that show the same failures, or none, are near-duplicates


def one_day(street: Street, credits_: int, seed: int) -> dict[str, float]:
    """Return the distinct failures that each policy finds, and figures of our choice."""
    day = list(Day(street, seed))
    thresholds = Thresholds(THRESHOLD, floor=0.05)
    plan = replace(plan_of(credits_, thresholds, seed=str(seed)), period_s=len(day) / FPS)
    chosen = choose(day, plan)
    frames = sorted(each.frame for each in chosen)
    unbiased = replace(plan, random_share=0.0)
    draw = random.Random(seed)
    draws = [at_random(len(day), credits_, draw) for _ in range(50)]
    phases = [at_intervals(len(day), credits_, (n + 0.5) / 25) for n in range(25)]
    near = sum(
        b - a <= NEAR_FRAMES and day[a].episodes == day[b].episodes for a, b in pairwise(frames)
    )
    return {
        "random": mean(found(day, each) for each in draws),
        "interval": mean(found(day, each) for each in phases),
        "threshold + counters": found(day, threshold_and_counters(day, credits_, thresholds)),
        "top n": found(day, top_n(day, credits_, thresholds)),
        "ours": found(day, frames),
        "ours, no random lane": found(day, [each.frame for each in choose(day, unbiased)]),
        "oracle": found(day, oracle(day, credits_)),
        "distinct failures": found(day, range(len(day))),
        "share of failing frames": mean(bool(seen.failures) for seen in day),
        "ours: score credits spent": sum(each.lane is Lane.SCORE for each in chosen),
        "ours: near-duplicates": near,
    }


def main() -> None:
    """Print one table for each day."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("seeds", nargs="?", type=int, default=20)
    parser.add_argument("days", nargs="*", help=f"signs, {', '.join(STREETS)}; default: street")
    parser.add_argument("--frames", type=int, help="of each day, for a quick look")
    options = parser.parse_args()
    seeds, names = options.seeds, options.days or ["street"]
    with ProcessPoolExecutor(2) as pool:
        if "signs" in names and not agree(pool, seeds, options.frames):
            print("the synthetic days do not agree with labelled video: they judge nothing")
            return
        for name in names:
            if name == "signs":
                continue
            street, credits_ = STREETS[name]
            if options.frames:
                street = replace(street, frames=options.frames)
            table: dict[str, list[float]] = defaultdict(list)
            for row in pool.map(one_day, [street] * seeds, [credits_] * seeds, range(seeds)):
                for key, value in row.items():
                    table[key].append(value)
            print(f"{name}: {street.frames} frames, {credits_} credits, {seeds} seeds")
            for key, values in table.items():
                print(f"  {key:28s} {interval(values)}")


if __name__ == "__main__":
    main()
