"""The choice as it is defined: each step values every candidate again, with no shortcut."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from agent.pool.candidates import Candidate
from agent.pool.choices import Bounds
from agent.selection.camera_cover import UNLIMITED
from agent.selection.cover import UNSEEN, Cover
from agent.selection.similarity import hash_distance

_Chosen = tuple[str, float, str]  # key, value, label


def naive_choice(
    candidates: Sequence[Candidate],
    bounds: Bounds,
    covered: Iterable[Candidate] = (),
    weights: Mapping[str, float] = MappingProxyType({}),
) -> list[_Chosen]:
    """Return keys, values and labels of the picks."""
    cover = Cover(UNLIMITED)
    shown: list[Candidate] = []
    for candidate in covered:
        cover.add(candidate.view, 0)
        shown.append(candidate)
    left = sorted((each for each in candidates if not each.is_unusable), key=lambda one: one.key)
    left = [each for each in left if not any(_equal(each, other) for other in shown)]
    weights = {**weights, **{label: 0.0 for label, most in bounds.labels.items() if not most}}
    cameras: Counter[str] = Counter()
    labels: Counter[str] = Counter()
    degraded = 0
    picks: list[_Chosen] = []
    while len(picks) < bounds.take:
        cover.weigh({})
        left = [each for each in left if not _is_duplicate(cover, each, shown)]
        cover.weigh(weights)
        open_ones = [
            each
            for each in left
            if cameras[each.view.camera] != bounds.per_camera
            and not (each.is_degraded and degraded == bounds.most_degraded)
        ]
        if not open_ones:
            break
        values = [_value(cover, each, shown) for each in open_ones]
        value, candidate = max(
            zip(values, open_ones, strict=True), key=lambda pair: pair[0]
        )  # the first of equal ones
        adds = _adds(cover, candidate, shown)
        by_label: defaultdict[str, float] = defaultdict(float)
        for place, more in zip(candidate.view.places, adds, strict=True):
            by_label[place.label] += more
        label = min(by_label, key=lambda name: (-by_label[name], name), default="")
        label = label if by_label[label] > 0 else ""
        picks.append((candidate.key, value, label))
        cover.add(candidate.view, 0)
        shown.append(candidate)
        left.remove(candidate)
        cameras[candidate.view.camera] += 1
        degraded += candidate.is_degraded
        labels[label] += 1
        if label and labels[label] == bounds.labels.get(label, bounds.per_class):
            weights[label] = 0.0
    return picks


def _equal(a: Candidate, b: Candidate) -> bool:
    return a.id == b.id or (a.view.digest != "" and a.view.digest == b.view.digest)


def _near(a: Candidate, b: Candidate) -> bool:
    one, two = a.view.bits, b.view.bits
    if one is None or two is None:
        return False
    says = all(16 < bits.bit_count() < 240 for bits in (one, two))
    return says and hash_distance(one, two) <= 8


def _views(candidate: Candidate, shown: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidate as it is in its camera, and in those that have its image."""
    near = {each.view.camera for each in shown if _near(candidate, each)}
    cameras = sorted(near | {candidate.view.camera})
    return [replace(candidate, view=replace(candidate.view, camera=each)) for each in cameras]


def _adds(cover: Cover, candidate: Candidate, shown: Sequence[Candidate]) -> list[float]:
    views = [each.view for each in _views(candidate, shown)]
    every = [cover.contributions(view, 0) for view in views]
    return [min(each) for each in zip(*every, strict=True)]


def _value(cover: Cover, candidate: Candidate, shown: Sequence[Candidate]) -> float:
    unseen = min([UNSEEN, *(cover.unseen(each.view) for each in _views(candidate, shown))])
    return sum(_adds(cover, candidate, shown)) + unseen


def _is_duplicate(cover: Cover, candidate: Candidate, shown: Sequence[Candidate]) -> bool:
    if any(_equal(candidate, each) for each in shown):
        return True
    if not any(_near(candidate, each) for each in shown):
        return False
    return sum(_adds(cover, candidate, shown)) < 0.1
