"""Whether synthetic days and labelled video agree on what helps: the sign of four changes.

python -m tests.bench.selection.signs [SEEDS] [SEQUENCE...] [--frames N]

On six labelled person sequences each of the four found more failures. With labelled sequences
their own gains are printed beside those of the synthetic days.
"""

import argparse
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from agent.domain import Thresholds
from agent.selection.cover import Cover
from tests.bench.labelled import detector_of
from tests.bench.selection.failures import Seen
from tests.bench.selection.mot import FLOOR, read
from tests.bench.selection.ours import LargestOnly, Piece, TracksOnly, choose, plan_of, stream
from tests.bench.selection.policies import found
from tests.bench.selection.scenes import FPS, THRESHOLD, Day, Street
from tests.bench.selection.table import half_width, interval

SHARE = 0.05  # credits for each frame of a pass
PASSES = 2
BREAK_S = 30.0
STARTS = 5
STREET = Street(frames=400, busy_share=1, busy_rate=0.6, fixtures=0)  # as busy as those


@dataclass(frozen=True)
class Change:
    """A part of the selection, and how to run without it."""

    cover: type[Cover] = Cover
    without: tuple[str, ...] = ()  # rules
    is_first_given: bool = False
    passes: int = 1  # on a day whose scenes come again


CHANGES = {
    "crossing rules": Change(without=("flicker", "isolated")),
    "sum, not maximum": Change(cover=LargestOnly),
    "cover by appearance": Change(cover=TracksOnly, passes=PASSES),
    "first credit earned, not given": Change(is_first_given=True),
}


def gains(part: Sequence[Seen], fps: float, starts: int = 1) -> dict[str, float]:
    """Return how many more failures are found with each part than without, mean over starts."""
    total: dict[str, float] = defaultdict(float)
    for start in range(starts):
        cut = start * len(part) // starts
        moved = [*part[cut:], *part[:cut]]
        whole = {n: _found(moved, fps, Change(passes=n)) for n in (1, PASSES)}
        for name, change in CHANGES.items():
            total[name] += (whole[change.passes] - _found(moved, fps, change)) / starts
    return total


def _found(part: Sequence[Seen], fps: float, change: Change) -> int:
    day = stream([Piece(part, fps, BREAK_S)] * change.passes)
    plan = plan_of(
        max(3, round(SHARE * len(day))), Thresholds(THRESHOLD, floor=0.05), random_share=0.0
    )
    rules = [rule for rule in plan.rules if rule not in change.without]
    length = day[-1].observation.frame.at + 1 / fps
    chosen = choose(
        day,
        replace(plan, rules=rules, period_s=length),
        cover=change.cover(),
        is_first_given=change.is_first_given,
    )
    return found(day, [each.frame for each in chosen])


def synthetic_gains(street: Street, seed: int) -> dict[str, float]:
    """Return the gains on one synthetic day."""
    return gains(list(Day(street, seed)), FPS)


def agree(pool: ProcessPoolExecutor, seeds: int, frames: int | None = None) -> bool:
    """Print the gains on synthetic days; return whether each is above 0, as on labelled video."""
    print(f"what each part finds more, on {seeds} synthetic days; on labelled video all gain")
    street = replace(STREET, frames=frames or STREET.frames)
    rows = list(pool.map(synthetic_gains, [street] * seeds, range(seeds)))
    verdicts = []
    for name in CHANGES:
        values = [row[name] for row in rows]
        gain, half = sum(values) / len(values), half_width(values)
        verdict = "agrees" if gain > half else "disagrees" if gain < -half else "undecided"
        verdicts.append(verdict)
        print(f"  {name:32s} {interval(values)}  {verdict}")
    return all(verdict == "agrees" for verdict in verdicts)


def main() -> None:
    """Print the gains on synthetic days, and on labelled sequences if there are any."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("seeds", nargs="?", type=int, default=20)
    parser.add_argument("sequences", nargs="*", type=Path, help="MOTChallenge folders")
    parser.add_argument("--frames", type=int, help="of each synthetic day, for a quick look")
    options = parser.parse_args()
    with ProcessPoolExecutor(2) as pool:
        agree(pool, options.seeds, options.frames)
    detector = detector_of(None) if options.sequences else None
    for folder in options.sequences:
        assert detector is not None
        sequence = read(folder, detector, label="person")
        part = sequence.seen(Thresholds(THRESHOLD, floor=FLOOR), "person")
        for name, gain in gains(part, sequence.fps, STARTS).items():
            print(f"  {sequence.name}: {name:32s} {gain:.2f}")


if __name__ == "__main__":
    main()
