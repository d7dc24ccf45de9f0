"""Distinct failures found per labelled frame, on labelled sequences: policies and the agent.

python -m tests.bench.labelled SEQUENCE... [--threshold 0.4,0.5] [--join] [--repeat 2]

A sequence is a MOTChallenge folder: `img1/`, `gt/gt.txt` and `seqinfo.ini`. The bundled model, or
`--model`, runs once on each frame; then the selection runs for each seed and start. A later start
begins inside each sequence, and its first part follows after a gap. Means with 95 % intervals
over the runs: 200 draws (random), 25 phases (interval), seeds x starts (the agent).
"""

import argparse
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from agent.detector.detector import load_detector
from agent.detector.model_file.bundled import bundled_model
from agent.detector.providers import Hardware
from agent.domain import Thresholds
from agent.ports import Detector
from tests.bench.selection.failures import Seen
from tests.bench.selection.mot import FLOOR, Labelled, read
from tests.bench.selection.ours import Piece, choose, plan_of, stream
from tests.bench.selection.policies import (
    at_intervals,
    at_random,
    found,
    oracle,
    threshold_and_counters,
    top_n,
)
from tests.bench.selection.table import interval

RANDOM_DRAWS, PHASES = 200, 25
LEAST_CREDITS = 3
BREAK_S = 30.0  # between joined sequences


@dataclass(frozen=True)
class Day:
    """One stream, in all its starts."""

    name: str
    starts: Sequence[Sequence[Seen]]
    step: float  # seconds of its last frame


def main() -> None:
    """Print a table for each threshold and share of the frames."""
    options = _options()
    detector = detector_of(options.model)
    sequences = [
        read(folder, detector, label=options.label, fps=options.fps) for folder in options.sequences
    ]
    for threshold in options.threshold:
        thresholds = Thresholds(threshold, floor=min(FLOOR, threshold))
        days = days_of(sequences, thresholds, options)
        for day in days:
            seen = day.starts[0]
            failing = sum(bool(each.failures) for each in seen) / len(seen)
            print(
                f"{day.name} at {threshold:g}: {len(seen)} frames, {failing:.0%} with a failure, "
                f"{found(seen, range(len(seen)))} distinct failures"
            )
        for share in options.share:
            print(f"threshold {threshold:g}, {share:.0%} of the frames: distinct failures found")
            for policy, runs in policies(days, share, thresholds, options.seeds).items():
                print(f"  {policy:24s} {interval(runs)}  ({len(runs)} runs)")


def detector_of(model: Path | None) -> Detector:
    """Load a model, by default the bundled one."""
    hardware = Hardware(("CPUExecutionProvider",), 1, None)
    return load_detector(model or bundled_model(), hardware=hardware, floor=FLOOR)


def days_of(
    sequences: Sequence[Labelled], thresholds: Thresholds, options: argparse.Namespace
) -> list[Day]:
    """Make one day of each sequence, or of all together; each pass shows the same failures."""
    parts: list[list[Seen]] = []
    first = 0
    for sequence in sequences:
        parts.append(
            sequence.seen(thresholds, options.label, least_height=options.min_height, first=first)
        )
        first += len(frozenset().union(*(seen.episodes for seen in parts[-1])))
    rates = [sequence.fps for sequence in sequences]
    groups = [list(range(len(parts)))] if options.join else [[n] for n in range(len(parts))]
    days = []
    for group in groups:
        starts = []
        for start in range(options.starts):
            pieces = []
            for n in group * options.repeat:
                cut = start * len(parts[n]) // options.starts
                if cut:
                    pieces.append(Piece(parts[n][cut:], rates[n], _shortest_gap(rates[n])))
                pieces.append(Piece(parts[n][: cut or None], rates[n], BREAK_S))
            starts.append(stream(pieces))
        name = " + ".join(sequences[n].name for n in group)
        days.append(Day(name, starts, 1 / rates[group[-1]]))
    return days


def policies(
    days: Sequence[Day], share: float, thresholds: Thresholds, seeds: int
) -> dict[str, list[float]]:
    """Return what each policy finds in each of its runs, summed over the days."""
    totals: dict[str, list[list[int]]] = defaultdict(list)
    for day in days:
        seen = day.starts[0]
        credits_ = max(LEAST_CREDITS, round(share * len(seen)))
        draw = random.Random(0)

        def add(
            name: str,
            chosen: Sequence[tuple[Sequence[Seen], Sequence[int]]],
        ) -> None:
            totals[name].append([found(frames, taken) for frames, taken in chosen])

        draws = [at_random(len(seen), credits_, draw) for _ in range(RANDOM_DRAWS)]
        add("random", [(seen, each) for each in draws])
        phases = [at_intervals(len(seen), credits_, (n + 0.5) / PHASES) for n in range(PHASES)]
        add("interval", [(seen, each) for each in phases])
        counted = threshold_and_counters(seen, credits_, thresholds)
        add("threshold + counters", [(seen, counted)])
        add("top n", [(seen, top_n(seen, credits_, thresholds))])
        for name, random_share, runs in (("ours", 0.2, seeds), ("ours, no random lane", 0.0, 1)):
            chosen = []
            for frames, seed in product(day.starts, range(runs)):
                plan = plan_of(credits_, thresholds, seed=str(seed), random_share=random_share)
                length = frames[-1].observation.frame.at + day.step
                taken = choose(frames, replace(plan, period_s=length))
                chosen.append((frames, [each.frame for each in taken]))
            add(name, chosen)
        add("oracle", [(seen, oracle(seen, credits_))])
    return {
        name: [float(sum(run)) for run in zip(*each, strict=True)] for name, each in totals.items()
    }


def _shortest_gap(fps: float) -> float:
    """Return the seconds after which tracks end; credits accrue meanwhile, so it is short."""
    return max(1.1, 4.5 / fps)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("sequences", nargs="+", type=Path, help="MOTChallenge folders")
    parser.add_argument("--model", type=Path, help="an ONNX model; default: the bundled one")
    parser.add_argument("--label", default="person", help="the label that is judged")
    parser.add_argument("--threshold", type=_numbers, default=[0.5])
    parser.add_argument("--share", type=_numbers, default=[0.02, 0.05, 0.1], help="of the frames")
    parser.add_argument("--min-height", type=float, default=0.0, help="share of the frame's height")
    parser.add_argument("--fps", type=float, default=0.0, help="reduce the frame rate; 0 keeps it")
    parser.add_argument("--join", action="store_true", help="all sequences are one long day")
    parser.add_argument("--repeat", type=int, default=1, help="times that each day is passed")
    parser.add_argument("--seeds", type=int, default=5, help="of the random lane")
    parser.add_argument("--starts", type=int, default=5, help="frames at which a day begins")
    return parser.parse_args()


def _numbers(text: str) -> list[float]:
    return [float(each) for each in text.split(",")]


if __name__ == "__main__":
    main()
