"""Whether `p` means something: predicted and observed failures, by rule and bin of `p`.

python -m tests.bench.reliability [SEQUENCE...] [--seeds 3] [--threshold 0.4,0.5]

For each suspect of each frame: whether a labeller would find an error there. For a box that is a
missed object or a false box that overlaps it by half, for a whole frame any failure in it. Without
labelled sequences only the synthetic days are judged. Suspects of one object follow each other, so
that a bin of a hundred suspects may be ten objects.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean

from agent.domain import Thresholds
from agent.selection.selector import FrameEvaluation
from tests.bench.labelled import detector_of
from tests.bench.selection.failures import MATCH_IOU, Seen, overlaps
from tests.bench.selection.mot import FLOOR, read
from tests.bench.selection.ours import Piece, choose, plan_of, stream
from tests.bench.selection.scenes import FPS, THRESHOLD, Day, Street

BINS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 1.0)

Judged = tuple[str, float, bool]  # rule, `p`, whether there was an error


def main() -> None:
    """Print a table of the labelled sequences and one of the synthetic days."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("sequences", nargs="*", type=Path, help="MOTChallenge folders")
    parser.add_argument("--model", type=Path, help="an ONNX model; default: the bundled one")
    parser.add_argument("--label", default="person", help="the label that is judged")
    parser.add_argument("--threshold", type=float, default=0.5)
    parser.add_argument("--seeds", type=int, default=3, help="synthetic days")
    parser.add_argument("--frames", type=int, default=1500, help="of a synthetic day")
    options = parser.parse_args()
    if options.sequences:
        detector = detector_of(options.model)
        thresholds = Thresholds(options.threshold, floor=min(FLOOR, options.threshold))
        real: list[Judged] = []
        for folder in options.sequences:
            sequence = read(folder, detector, label=options.label)
            day = stream([Piece(sequence.seen(thresholds, options.label), sequence.fps)])
            real += judged(day, thresholds, 1 / sequence.fps, options.label)
        show("labelled sequences", real)
    street = Street(frames=options.frames, busy_share=0.8)
    thresholds = Thresholds(THRESHOLD, floor=FLOOR)
    days = (list(Day(street, seed)) for seed in range(options.seeds))
    show("synthetic days", [each for day in days for each in judged(day, thresholds, 1 / FPS)])


def judged(
    day: Sequence[Seen], thresholds: Thresholds, step: float, label: str = ""
) -> Iterator[Judged]:
    """Yield each suspect of a day; with `label` only those of that label, and whole frames."""
    evaluations: list[FrameEvaluation] = []
    plan = plan_of(len(day) / 20, thresholds)
    length = day[-1].observation.frame.at + step
    choose(day, replace(plan, period_s=length), explain=evaluations.append)
    for evaluation in evaluations:
        seen = day[evaluation.frame.sequence]
        wrong = [each.box for each in seen.failures if each.box is not None]
        for suspect in evaluation.suspects:
            if suspect.box is None:
                yield suspect.rule, suspect.p, bool(seen.failures)
            elif not label or suspect.label == label:
                there = overlaps([suspect.box], wrong) >= MATCH_IOU
                yield suspect.rule, suspect.p, bool(there.any())


def show(title: str, suspects: Sequence[Judged]) -> None:
    """Print the table: for each rule and bin the mean `p` and the observed share."""
    rows: dict[str, dict[float, list[tuple[float, bool]]]] = defaultdict(lambda: defaultdict(list))
    for rule, p, is_error in suspects:
        low = max(edge for edge in BINS if edge <= p)
        for name in (rule, "all rules"):
            rows[name][low].append((p, is_error))
    print(f"{title}: predicted -> observed share of errors (number of suspects)")
    for rule, bins in sorted(rows.items(), key=lambda row: (row[0] == "all rules", row[0])):
        cells = (
            f"{mean(p for p, _ in each):.2f} -> {mean(e for _, e in each):.2f} ({len(each)})"
            for _, each in sorted(bins.items())
        )
        print(f"  {rule:26s} {'   '.join(cells)}")


if __name__ == "__main__":
    main()
