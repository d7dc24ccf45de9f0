"""Which detections find an object, at several IoUs at once, as the COCO evaluation defines it.

In each frame and of each label the most confident detection chooses first: of the objects that no
other one has, the one with the highest IoU, if that reaches the threshold. A detection that finds
no object but lies in a crowd is ignored. A fainter detection never changes what a more confident
one found, so one matching serves each confidence threshold.

Only pairs that overlap enough are looked at, and the n-th detections of all frames choose together.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from agent.evaluation.sample import BoxColumns, Flags, Floats, Integers

IOUS: Floats = np.linspace(0.5, 0.95, 10)
"""The IoU thresholds of COCO's AP50-95; the first is that of AP50."""

_MOST_PAIRS = 2_000_000  # in memory at once
_NEARLY_1 = 1 - 1e-10  # COCO's limit for an IoU threshold of 1


@dataclass(frozen=True, slots=True)
class Matches:
    """What became of each detection; rows of arrays are IoU thresholds."""

    hit: Flags  # [ious, detections]: it finds an object
    ignored: Flags  # [ious, detections]: it lies in a crowd; neither right nor wrong
    rank: Integers  # [detections], 0 for the most confident one of its frame and label
    found_by: Integers  # [objects], the detection that finds it at the first IoU; -1 for none


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Detections with objects of their frame and label that they overlap enough."""

    detection: Integers  # in the order of choice
    object: Integers
    iou: Floats


def match(reported: BoxColumns, truth: BoxColumns, ious: Floats = IOUS) -> Matches:
    """Match detections with objects; `ious` in ascending order, each above 0."""
    count = int(max(reported.label.max(initial=0), truth.label.max(initial=0))) + 1
    keys = reported.frame * count + reported.label
    order = np.lexsort((-reported.confidence, keys))  # stable, as COCO's
    group = keys[order]
    rank = np.empty(len(order), np.intp)
    rank[order] = _rank_in_group(group)
    pairs = _overlapping(reported, truth, order, count, float(ious[0]))
    hit = np.zeros((len(ious), len(reported)), np.bool_)
    ignored = np.zeros_like(hit)
    finder = np.full((len(ious), len(truth)), -1, np.intp)
    for turn in _turns(pairs, group):
        _choose(turn, truth, np.minimum(ious, _NEARLY_1), order, hit, ignored, finder)
    return Matches(hit, ignored, rank, finder[0])


def _rank_in_group(group: Integers) -> Integers:
    """Return the place of each row among those of its group; rows of a group are together."""
    places = np.arange(len(group), dtype=np.intp)
    begins = np.flatnonzero(np.diff(group, prepend=group[:1] - 1)) if len(group) else places
    return places - np.repeat(begins, np.diff(np.append(begins, len(group))))


def _overlapping(
    reported: BoxColumns, truth: BoxColumns, order: Integers, count: int, least: float
) -> _Pairs:
    """Return the pairs with an IoU of at least `least`, in the order of choice."""
    keys = truth.frame * count + truth.label
    objects = np.argsort(keys, kind="stable")
    wanted = (reported.frame * count + reported.label)[order]
    first = np.searchsorted(keys[objects], wanted, "left")
    pairs = np.searchsorted(keys[objects], wanted, "right") - first
    found: list[tuple[Integers, Integers, Floats]] = []
    for begin, end in _chunks(pairs):
        here = pairs[begin:end]
        detection = np.repeat(np.arange(begin, end, dtype=np.intp), here)
        within = np.arange(len(detection)) - np.repeat(np.cumsum(here) - here, here)
        chosen = objects[np.repeat(first[begin:end], here) + within]
        iou = pair_iou(
            reported.box[order[detection]], truth.box[chosen], is_crowd=truth.crowd[chosen]
        )
        kept = iou >= least
        found.append((detection[kept], chosen[kept], iou[kept]))
    return _Pairs(
        np.concatenate([each[0] for each in found] or [np.empty(0, np.intp)]),
        np.concatenate([each[1] for each in found] or [np.empty(0, np.intp)]),
        np.concatenate([each[2] for each in found] or [np.empty(0)]),
    )


def pair_iou(a: Floats, b: Floats, *, is_crowd: Flags) -> Floats:
    """Return the IoU of boxes `[n, 4]` of the same row; with a crowd the share of `a` inside."""
    inside = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    common = np.prod(np.maximum(inside, 0.0), axis=1)
    area_a, area_b = (
        np.prod(np.maximum(each[:, 2:] - each[:, :2], 0.0), axis=1) for each in (a, b)
    )
    union = np.where(is_crowd, area_a, area_a + area_b - common)
    return np.asarray(common / np.where(union > 0, union, 1.0))


def _chunks(pairs: Integers) -> Iterator[tuple[int, int]]:
    """Yield ranges of detections with at most `_MOST_PAIRS` pairs, or a single detection."""
    ends = np.cumsum(pairs)
    begin = 0
    while begin < len(pairs):
        before = int(ends[begin - 1]) if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, before + _MOST_PAIRS, "right")))
        yield begin, end
        begin = end


def _turns(pairs: _Pairs, group: Integers) -> Iterator[_Pairs]:
    """Yield the pairs of the first detections of all groups, then of the second ones, ..."""
    if not len(pairs.detection):
        return
    choosing, place = np.unique(pairs.detection, return_inverse=True)
    turn = _rank_in_group(group[choosing])[place]
    order = np.argsort(turn, kind="stable")
    ends = np.searchsorted(turn[order], np.arange(int(turn.max()) + 2))
    for begin, end in pairwise(ends):
        rows = order[begin:end]
        yield _Pairs(pairs.detection[rows], pairs.object[rows], pairs.iou[rows])


def _choose(
    turn: _Pairs,
    truth: BoxColumns,
    ious: Floats,
    order: Integers,
    hit: Flags,
    ignored: Flags,
    finder: Integers,
) -> None:
    """Let one detection of each frame and label choose, at each IoU by itself."""
    begins = np.flatnonzero(np.diff(turn.detection, prepend=-1))
    pairs = np.diff(np.append(begins, len(turn.detection)))
    detection = order[turn.detection[begins]]
    is_crowd = truth.crowd[turn.object]
    enough = turn.iou >= ious[:, None]
    free = enough & ~is_crowd & (finder[:, turn.object] < 0)
    iou = np.where(free, turn.iou, -1.0)
    best = np.maximum.reduceat(iou, begins, axis=1)
    is_best = free & (iou == np.repeat(best, pairs, axis=1))
    # Of equal IoUs COCO takes the last.
    last = np.where(is_best, np.arange(len(turn.object)), -1)
    chosen = np.maximum.reduceat(last, begins, axis=1)
    row, column = np.nonzero(chosen >= 0)
    finder[row, turn.object[chosen[row, column]]] = detection[column]
    hit[row, detection[column]] = True
    in_crowd = np.logical_or.reduceat(enough & is_crowd, begins, axis=1) & (chosen < 0)
    row, column = np.nonzero(in_crowd)
    ignored[row, detection[column]] = True
