"""Chooses and makes the variants that help a dataset most, one for each credit.

The largest gap comes first: the one whose missing share is largest after all that was made. For it
some parents are tried, those with the fewest variants first and the cameras in turn; of the tries
that fit, the one that fills most of all gaps is made. A variant that looks like its parent, or like
another variant of it, is not made. All is decided by the seed and the content of the dataset.
"""

import hashlib
import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from agent.dataset.health.gaps import GapKind
from agent.dataset.synthesis.looks import Levels, Look, levels_of, look_of
from agent.dataset.synthesis.needs import Need, Shown
from agent.dataset.synthesis.objects import CutObjectError, moved
from agent.dataset.synthesis.operations import Light, Operation, image_of, motion_of
from agent.dataset.synthesis.parents import Parent
from agent.dataset.synthesis.recipes import light_of, operations_for
from agent.dataset.synthesis.variant import Variant, make_variant
from agent.domain import Pixels

TRIES = 3
"""Operations that are drawn for one parent at a time."""

FAILURES = 3
"""Variants of one parent that may turn out as near-duplicates before a need does without it."""

CHOICE = 6
"""Parents of which the best is taken."""

_OPEN = 0.5  # of an object or image: less is not missing


@dataclass(frozen=True, slots=True)
class ParentImage:
    """The stored image of a parent."""

    pixels: Pixels
    quality: int  # of its JPEG, 1 to 100


@dataclass(frozen=True, slots=True)
class Existing:
    """A variant of an earlier call."""

    parent: str
    shown: Shown
    look: Callable[[], Look | None]  # reads its image; None if that cannot be read


Reader = Callable[[Parent], ParentImage | None]
"""Returns the image of a parent; None if it cannot be used."""


@dataclass(frozen=True, slots=True)
class _Try:
    parent: Parent
    operations: tuple[Operation, ...]
    shown: Shown
    gain: float


@dataclass(frozen=True, slots=True, order=True)
class _Place:
    """A parent's place in the queue of a need; the smallest is tried first."""

    uses: int
    turn: int  # place among the parents of its camera, so that the cameras take turns
    chance: int
    number: int  # of the parent


class Synthesis:
    """Makes variants of `parents` for `needs`; `existing` are those of earlier calls.

    `most_of_one`: variants of one parent, of all calls together.
    """

    def __init__(
        self,
        parents: Sequence[Parent],
        needs: Sequence[Need],
        read: Reader,
        *,
        seed: int = 0,
        most_of_one: int = 4,
        existing: Iterable[Existing] = (),
    ) -> None:
        self._parents = parents
        self._read = read
        self._seed = seed
        self._most = most_of_one
        self.missing = {need: need.missing for need in needs}
        """What is still missing of each need; below 0 where a variant brought more."""
        self._closed: set[Need] = set()
        self._uses: Counter[str] = Counter()
        self._failures: Counter[tuple[Need, str]] = Counter()
        self._looks: dict[str, list[Look]] = {}
        self._siblings: defaultdict[str, list[Existing]] = defaultdict(list)
        self._levels: dict[str, Levels | None] = {}
        self._queues: dict[Need, list[_Place]] = {}
        for each in existing:
            self._uses[each.parent] += 1
            self._siblings[each.parent].append(each)
            self._fill(each.shown)

    def variants(self, most: int) -> Iterator[Variant]:
        """Yield at most so many variants; fewer where nothing more helps."""
        for _ in range(most):
            made = self._next()
            if made is None:
                return
            yield made

    def _next(self) -> Variant | None:
        while (need := self._largest()) is not None:
            tries = self._tries(need)
            for found in tries:
                if (made := self._made(found, need)) is not None:
                    return made
            if not tries:
                self._closed.add(need)
        return None

    def _largest(self) -> Need | None:
        is_open = [n for n, left in self.missing.items() if left >= _OPEN and n not in self._closed]
        return max(is_open, key=lambda need: self.missing[need] / need.target, default=None)

    def _fill(self, shown: Shown) -> None:
        for need in self.missing:
            self.missing[need] -= shown.adds(need)

    def _gain(self, shown: Shown) -> float:
        """Return the sum of the shares of all gaps that an image fills."""
        return sum(
            min(max(left, 0.0), shown.adds(need)) / need.target
            for need, left in self.missing.items()
        )

    def _tries(self, need: Need) -> list[_Try]:
        """Return what some parents can do, the best first; parents that cannot leave the queue."""
        if need not in self._queues:
            self._queues[need] = self._queue(need)
        queue, found, again = self._queues[need], list[_Try](), list[_Place]()
        while queue and len(found) < CHOICE:
            place = heapq.heappop(queue)
            parent = self._parents[place.number]
            uses = self._uses[parent.id]
            if uses >= self._most or self._failures[need, parent.id] >= FAILURES:
                continue
            if uses != place.uses:  # used for another need in the meantime
                heapq.heappush(queue, replace(place, uses=uses))
            elif (made := self._try(parent, need)) is not None:
                found.append(made)
                again.append(place)
        for place in again:
            heapq.heappush(queue, place)
        return sorted(found, key=lambda each: -each.gain)

    def _queue(self, need: Need) -> list[_Place]:
        """Return the places of the parents that may serve a need."""
        fits = sorted(
            (_number(self._seed, need, parent.id), number)
            for number, parent in enumerate(self._parents)
            if _may_serve(parent, need)
        )
        turns: Counter[str] = Counter()
        places = []
        for chance, number in fits:
            parent = self._parents[number]
            places.append(_Place(self._uses[parent.id], turns[parent.camera], chance, number))
            turns[parent.camera] += 1
        heapq.heapify(places)
        return places

    def _try(self, parent: Parent, need: Need) -> _Try | None:
        """Return the best of some draws for a parent; None if none serves the need."""
        is_light = need.kind is GapKind.LIGHT
        levels = self._levels_of(parent) if is_light else None
        found = []
        draws = self._uses[parent.id], self._failures[need, parent.id]
        for number in range(TRIES):
            random = Random(_number(self._seed, need, parent.id, *draws, number))  # noqa: S311
            operations = operations_for(
                need, parent.shown, random, flips=parent.may_flip, levels=levels
            )
            shown = _shown(parent, operations) if operations else None
            if shown is None:
                continue
            if levels is not None and isinstance(light := operations[-1], Light):
                shown = replace(shown, light=light_of(levels, light))
            if shown.adds(need) > 0:
                found.append(_Try(parent, operations, shown, self._gain(shown)))
        return max(found, key=lambda each: each.gain, default=None)

    def _made(self, found: _Try, need: Need) -> Variant | None:
        """Make a variant; None if the image cannot be read, or looks like a sibling's."""
        parent, image = found.parent, self._read(found.parent)
        if image is None:
            self._failures[need, parent.id] = FAILURES
            return None
        pixels = image_of(found.operations, image.pixels)
        look, looks = look_of(pixels), self._looks_of(parent, image)
        shown = replace(found.shown, light=look.light)
        if shown.adds(need) <= 0 or any(map(look.resembles, looks)):
            self._failures[need, parent.id] += 1
            return None
        self._uses[parent.id] += 1
        looks.append(look)
        self._fill(shown)
        return make_variant(
            parent,
            found.operations,
            need,
            shown,
            pixels,
            seed=self._seed,
            quality=image.quality,
        )

    def _looks_of(self, parent: Parent, image: ParentImage) -> list[Look]:
        """Return the looks of a parent and of its variants."""
        if parent.id not in self._looks:
            siblings = (each.look() for each in self._siblings[parent.id])
            known = [look for look in siblings if look is not None]
            self._looks[parent.id] = [look_of(image.pixels), *known]
        return self._looks[parent.id]

    def _levels_of(self, parent: Parent) -> Levels | None:
        if parent.id not in self._levels:
            image = self._read(parent)
            self._levels[parent.id] = None if image is None else levels_of(image.pixels)
        return self._levels[parent.id]


def _may_serve(parent: Parent, need: Need) -> bool:
    if need.kind is GapKind.LIGHT:
        return True
    return bool(need.of_label(parent.shown.objects)) or need.label in parent.shown.classes


def _shown(parent: Parent, operations: Sequence[Operation]) -> Shown | None:
    """Return what a variant shows; None if no such variant may be made."""
    was = parent.shown
    motion = motion_of(operations, was.width, was.height)
    try:
        objects = moved(was.objects, motion, was.width, was.height)
    except CutObjectError:
        return None
    return Shown(objects, was.classes, was.width, was.height)


def _number(*parts: Any) -> int:
    """Return 64 bits that depend on the parts alone."""
    text = "\0".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
