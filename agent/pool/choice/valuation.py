"""The value of a candidate beside all that was chosen and shown before."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from agent.pool.candidates import Candidate
from agent.pool.choice.near_identical import NearIdentical
from agent.selection.camera_cover import UNLIMITED
from agent.selection.cover import Comparison, Cover

NEW_FAILURES = 0.1
"""A near-identical image counts as the same one if less is expected of it: on a fixed camera the
hash does not see a small object, but a suspect that was not shown is seen by this."""

_NOW = 0.0  # nothing fades while a pool is chosen from


@dataclass(slots=True)
class Held:
    """A candidate with its last valuation, from which the next one goes on."""

    candidate: Candidate
    found: dict[str, Comparison] = field(default_factory=dict)
    """By camera: its own, and those with a chosen image that is nearly identical."""
    compared: int = 0  # images of `NearIdentical`
    like: int | None = None  # one of them
    is_equal: bool = False  # to that one, by its id or digest


@dataclass(frozen=True, slots=True)
class Value:
    """What a candidate adds."""

    value: float  # expected new failures, with weights and the small term
    added: tuple[float, ...]  # by place
    like: int | None = None  # number of the image that it counts as one with


class Valuation:
    """Values candidates as a device does, without its limits; no value rises.

    An image that is nearly identical to one of another camera is compared with that camera too.
    """

    def __init__(self, weights: Mapping[str, float]) -> None:
        self.images = NearIdentical()
        self._cover = Cover(UNLIMITED)
        self._captures: Counter[str] = Counter()  # by camera
        self._weights = dict(weights)
        self._cover.weigh(self._weights)

    def most(self, candidate: Candidate) -> float:
        """Return a value that the candidate never exceeds."""
        return self._cover.most(candidate.view)

    def close(self, label: str) -> None:
        """Let suspects of this label add nothing from now on."""
        self._weights[label] = 0.0
        self._cover.weigh(self._weights)

    def add(self, candidate: Candidate) -> None:
        """Count a candidate as shown."""
        self.images.add(candidate)
        self._captures[candidate.view.camera] += 1
        self._cover.add(candidate.view, _NOW)

    def value(self, held: Held) -> Value:
        """Return what a candidate adds to all that was added."""
        candidate, images = held.candidate, self.images
        view = candidate.view
        held.found.setdefault(view.camera, _NOTHING)
        if held.compared < len(images) and not held.is_equal:
            self._look_for_equals(held)
        if held.is_equal:
            return Value(0.0, (0.0,) * len(view.places), held.like)
        for camera, former in held.found.items():
            if former is _NOTHING or former.captures < self._captures[camera]:
                seen = view if camera == view.camera else replace(view, camera=camera)
                last = None if former is _NOTHING else former
                held.found[camera] = self._cover.compare(seen, _NOW, last)
        found = list(held.found.values())
        together = replace(
            found[0],
            known=tuple(max(each) for each in zip(*(one.known for one in found), strict=True)),
            unseen=min(each.unseen for each in found),
        )
        added = tuple(self._cover.added(view, together))
        like = held.like
        if like is not None:
            fresh = sum(
                max(0.0, place.p - known)
                for place, known in zip(view.places, together.known, strict=True)
            )
            like = like if fresh < NEW_FAILURES else None
        return Value(sum(added) + together.unseen, added, like)

    def _look_for_equals(self, held: Held) -> None:
        candidate, images = held.candidate, self.images
        equal = images.equal(candidate, held.compared)
        if equal is not None:
            held.like, held.is_equal = equal, True
        else:
            near = images.near(candidate, held.compared)
            if near and held.like is None:
                held.like = near[0]
            for number in near:
                held.found.setdefault(images.cameras[number], _NOTHING)
        held.compared = len(images)


_NOTHING = Comparison((), 0.0, 0)
