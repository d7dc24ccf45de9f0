"""Whether feedback pays: two rounds on labelled sequences, the second with and without it.

python -m tests.bench.selection.loop SEQUENCE... [--threshold 0.3,0.5] [--share 0.05,0.1]

A sequence is a MOTChallenge folder, as for `tests.bench.labelled`. Round one spends its credits on
one half of a sequence, or on another sequence; its captures are reviewed by the ground truth; then
round two spends its credits on the other half, or on the whole other sequence. Detections of other
labels are left out, because nobody labelled them. Figures are distinct failures found, summed over
seeds of the random lane.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import Path

from agent.domain import Observation, Thresholds
from tests.bench.labelled import LEAST_CREDITS, PHASES, detector_of
from tests.bench.selection.failures import Seen
from tests.bench.selection.mot import FLOOR, Labelled, read
from tests.bench.selection.ours import Piece, stream
from tests.bench.selection.policies import at_intervals, found
from tests.bench.selection.rounds import Part, learnt

COLUMNS = ("interval", "without", "with")


def main() -> None:
    """Print a line for each threshold, and their sum."""
    options = _options()
    detector = detector_of(options.model)
    sequences = [
        _only(read(folder, detector, label=options.label), options.label)
        for folder in options.sequences
    ]
    print("threshold  rounds      round one   round two: interval, without, with feedback  ratio")
    total: dict[str, float] = defaultdict(float)
    for threshold in options.threshold:
        thresholds = Thresholds(threshold, floor=min(FLOOR, threshold))
        for kind, pairs in _pairs(sequences, thresholds, options.label).items():
            sums: dict[str, float] = defaultdict(float)
            for share in options.share:
                for first, second in pairs:
                    for seed in range(options.seeds):
                        _add(sums, first, second, share, thresholds, str(seed), options.random)
            for name, value in sums.items():
                total[name] += value
            print(f"{threshold:<9g}  {kind:10s}  {_line(sums)}", flush=True)
    print(f"{'all':9s}  {'':10s}  {_line(total)}")


def _line(sums: dict[str, float]) -> str:
    """Return distinct failures a credit."""
    shown = "  ".join(f"{sums[name] / sums['credits']:.3f}" for name in COLUMNS)
    ratio = sums["with"] / max(1.0, sums["without"])
    return f"{sums['first'] / sums['first credits']:.3f}       {shown}  {ratio:.3f}"


def _add(
    sums: dict[str, float],
    first: Part,
    second: Part,
    share: float,
    thresholds: Thresholds,
    seed: str,
    random_share: float,
) -> None:
    """Run both rounds and add what they find."""
    credits_ = [max(LEAST_CREDITS, round(share * len(part.frames))) for part in (first, second)]
    one = first.round(credits_[0], thresholds, seed=seed, random_share=random_share)
    feedback = learnt(first.reviewed(one, thresholds), thresholds)
    sums["first"] += first.distinct(one)
    sums["first credits"] += credits_[0]
    sums["credits"] += credits_[1]
    for name, given in (("without", None), ("with", feedback)):
        two = second.round(
            credits_[1], thresholds, seed=seed, random_share=random_share, feedback=given
        )
        sums[name] += second.distinct(two)
    length = len(second.frames)
    for phase in range(PHASES):
        frames = at_intervals(length, credits_[1], (phase + 0.5) / PHASES)
        sums["interval"] += found(second.frames, frames) / PHASES


def _pairs(
    sequences: Sequence[Labelled], thresholds: Thresholds, label: str
) -> dict[str, list[tuple[Part, Part]]]:
    """Return the parts of round one and round two: halves, and whole sequences."""
    halves, wholes = [], []
    for sequence in sequences:
        seen = sequence.seen(thresholds, label)
        middle = len(seen) // 2
        parts = [
            _part(sequence, seen[a:b], a, label) for a, b in ((0, middle), (middle, len(seen)))
        ]
        halves += [(parts[0], parts[1]), (parts[1], parts[0])]
        wholes.append(_part(sequence, seen, 0, label))
    others = list(permutations(wholes, 2))
    return {"halves": halves} | ({"sequences": others} if others else {})


def _part(sequence: Labelled, seen: Sequence[Seen], first: int, label: str) -> Part:
    truth = sequence.truth[first : first + len(seen)]
    return Part(stream([Piece(seen, sequence.fps)]), truth, label)


def _only(sequence: Labelled, label: str) -> Labelled:
    """Return a sequence without the detections that nobody labelled."""

    def kept() -> Iterator[Observation]:
        for each in sequence.observations:
            own = tuple(found for found in each.detections if found.label == label)
            yield replace(each, detections=own, model=None)

    return replace(sequence, observations=list(kept()))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("sequences", nargs="+", type=Path, help="MOTChallenge folders")
    parser.add_argument("--model", type=Path, help="an ONNX model; default: the bundled one")
    parser.add_argument("--label", default="person", help="the label that is judged")
    parser.add_argument("--threshold", type=_numbers, default=[0.3, 0.4, 0.5, 0.6])
    parser.add_argument("--share", type=_numbers, default=[0.05, 0.1], help="of the frames")
    parser.add_argument("--random", type=float, default=0.2, help="share of the random lane")
    parser.add_argument("--seeds", type=int, default=5, help="of the random lane")
    return parser.parse_args()


def _numbers(text: str) -> list[float]:
    return [float(each) for each in text.split(",")]


if __name__ == "__main__":
    main()
