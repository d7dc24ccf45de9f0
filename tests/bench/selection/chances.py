"""How often a box is wrong, by confidence and by the frames beside it: simulated and measured.

python -m tests.bench.selection.chances [--seeds N] [--frames N]

The measured chances are those of a person detector on six labelled sequences at threshold 0.5.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterable, Sequence

from agent.domain import Thresholds
from agent.selection.frame_context import ContextBuilder, FrameContext
from tests.bench.selection.failures import MATCH_IOU, Seen, overlaps
from tests.bench.selection.scenes import THRESHOLD, Day, Street

MEASURED = {
    "0.45 to 0.5 hides a miss": "39",
    "0.4 to 0.45 hides a miss": "28",
    "0.3 to 0.35 hides a miss": "12",
    "0.2 to 0.25 hides a miss": "4",
    "0.5 to 0.55 is false": "29",
    "0.6 to 0.65 is false": "7",
    "0.7 to 0.75 is false": "2",
    "0.3 to 0.5, track above on both sides, hides a miss": "47 to 65",
    "0.3 to 0.5, otherwise, hides a miss": "11 to 20",
    "0.5 to 0.6, track not above beside it, is false": "54 to 61",
}


def chances(days: Iterable[Sequence[Seen]]) -> dict[str, tuple[float, int]]:
    """Return the share of wrong boxes, and their number, by the names of `MEASURED`."""
    tally: dict[str, list[bool]] = defaultdict(list)
    thresholds = Thresholds(THRESHOLD)
    for day in days:
        builder = ContextBuilder(thresholds)
        contexts = [each for seen in day for each in builder.push(seen.observation)]
        contexts += builder.flush()
        for context, seen in zip(contexts, day, strict=True):
            _count(context, seen, tally)
    return {name: (sum(each) / len(each), len(each)) for name, each in tally.items()}


def _count(context: FrameContext, seen: Seen, tally: dict[str, list[bool]]) -> None:
    objects = context.objects()
    boxes = [detection.box for detection, _ in objects]
    failing = [each.box for each in seen.failures if each.box is not None]
    false = set(failing) & set(boxes)
    missed = overlaps(boxes, [box for box in failing if box not in false]) >= MATCH_IOU
    for row, (detection, track) in enumerate(objects):
        confidence = detection.confidence
        is_wrong = detection.box in false
        if confidence < THRESHOLD:
            is_wrong = bool(missed[row].any())
        above = {-1: False, 1: False}
        if track is not None:
            for offset, each in track.seen.items():
                if offset and each.confidence >= THRESHOLD:
                    above[1 if offset > 0 else -1] = True
        kind = "hides a miss" if confidence < THRESHOLD else "is false"
        low = int(confidence * 20) / 20
        tally[f"{low:g} to {(low * 20 + 1) / 20:g} {kind}"].append(is_wrong)
        if 0.3 <= confidence < THRESHOLD:
            which = "track above on both sides" if all(above.values()) else "otherwise"
            tally[f"0.3 to 0.5, {which}, hides a miss"].append(is_wrong)
        elif THRESHOLD <= confidence < 0.6 and not any(above.values()):
            tally["0.5 to 0.6, track not above beside it, is false"].append(is_wrong)


def main() -> None:
    """Print one line for each kind of box."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--frames", type=int, default=1500)
    options = parser.parse_args()
    street = Street(frames=options.frames, busy_share=0.8)
    found = chances(list(Day(street, seed)) for seed in range(options.seeds))
    for name, measured in MEASURED.items():
        share, count = found.get(name, (0.0, 0))
        print(f"a box of {name}: {share:.0%} (of {count}); on real video {measured} %")


if __name__ == "__main__":
    main()
