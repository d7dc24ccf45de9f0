"""How much of one split can be known from another: frames of one camera within seconds. Pure.

Two frames of a fixed camera a second apart are nearly the same image. If one is in the training
split and the other in the validation split, the validation measures memory.
"""

import hashlib
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

from agent.dataset.moments import Moment

WITHIN = (1.0, 5.0, 10.0, 60.0, 300.0)
"""Seconds of the rows of a leak table."""

_DIGITS = 3  # of seconds
_SHUFFLES = 5  # random splits that the table takes the mean of


class Neighbours:
    """Finds how near in time the frames of a set may be to another frame of the same camera.

    Where the distance of two frames is unknown, it is the least that is possible. Frames of two
    boots of a device are at least as far apart as the later one is from its boot, so at least the
    smaller of their two times since the boot. A frame without any time may be near to all. Single
    images of a pool that state no time are near to none: those that look alike were left out when
    they were chosen.
    """

    def __init__(self, moments: Iterable[Moment]) -> None:
        self._by_camera: dict[tuple[str, str], _OfCamera] = defaultdict(_OfCamera)
        for moment in moments:
            if moment.is_alone:
                continue
            self._by_camera[moment.device, moment.camera].add(moment)
        for each in self._by_camera.values():
            each.sort()

    def distance(self, moment: Moment) -> float:
        """Return the least seconds that may lie between it and the nearest frame; inf if none.

        They are whole milliseconds, as records have them: sums of times are off by less.
        """
        found = self._by_camera.get((moment.device, moment.camera))
        if found is None or moment.is_alone:
            return inf
        return round(found.distance(moment), _DIGITS)


@dataclass(slots=True)
class _OfCamera:
    """The frames of one camera."""

    walls: list[float] = field(default_factory=list)
    uptimes: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))  # by boot
    without_wall: set[str] = field(default_factory=set)  # boots whose time of day is unknown
    has_untimed: bool = False
    has_wall_alone: bool = False  # a frame with a time of day that names no boot

    def add(self, moment: Moment) -> None:
        """Add a frame."""
        if not moment.is_timed:
            self.has_untimed = True
        if moment.wall is not None:
            self.walls.append(moment.wall)
            self.has_wall_alone |= moment.uptime is None
        if moment.uptime is not None:
            self.uptimes[moment.boot].append(moment.uptime)
            if moment.wall is None:
                self.without_wall.add(moment.boot)

    def sort(self) -> None:
        """Prepare the search."""
        self.walls.sort()
        for times in self.uptimes.values():
            times.sort()

    def distance(self, moment: Moment) -> float:
        """See `Neighbours.distance`."""
        if self.has_untimed or not moment.is_timed:
            return 0.0
        least = inf
        if moment.wall is not None:
            least = _nearest(self.walls, moment.wall)
            others = self.without_wall - {moment.boot}
        else:
            if self.has_wall_alone:
                return 0.0
            others = self.uptimes.keys() - {moment.boot}
        if moment.uptime is None:
            return 0.0 if others else least
        least = min(least, _nearest(self.uptimes.get(moment.boot, ()), moment.uptime))
        first = min((self.uptimes[boot][0] for boot in others), default=inf)
        return min(least, max(0.0, min(first, moment.uptime))) if others else least


def _nearest(times: Sequence[float], time: float) -> float:
    """Return the distance to the nearest of sorted times; inf if there is none."""
    place = bisect_left(times, time)
    return min((abs(time - each) for each in times[max(0, place - 1) : place + 1]), default=inf)


@dataclass(frozen=True, slots=True)
class Leak:
    """How much of a split has a training frame of the same camera near in time."""

    within: float  # seconds
    share: float  # of its frames, 0 to 1
    at_random: float  # the same if frames had been assigned to the splits by chance


def leaks(
    moments: Mapping[str, Moment],
    train: Collection[str],
    held_out: Collection[str],
    *,
    left_out: Collection[str] = (),
    within: Sequence[float] = WITHIN,
) -> list[Leak]:
    """Return the leak table of the ids `held_out` against those of `train`.

    A random split has as many held-out frames, drawn from all three; what is not drawn is trained
    on, because a random split has no gap. Empty if nothing is held out.
    """
    if not held_out:
        return []
    shares = _shares(moments, train, held_out, within)
    everything = {*train, *held_out, *left_out}
    at_random = [0.0] * len(within)
    for shuffle in range(_SHUFFLES):
        order = sorted(everything, key=lambda name: _tag(f"{shuffle} {name}"))
        drawn, rest = order[: len(held_out)], order[len(held_out) :]
        for place, share in enumerate(_shares(moments, rest, drawn, within)):
            at_random[place] += share / _SHUFFLES
    rows = zip(within, shares, at_random, strict=True)
    return [Leak(seconds, share, round(by_chance, 4)) for seconds, share, by_chance in rows]


def _shares(
    moments: Mapping[str, Moment],
    train: Iterable[str],
    held_out: Collection[str],
    within: Sequence[float],
) -> list[float]:
    neighbours = Neighbours(moments[name] for name in train)
    distances = [neighbours.distance(moments[name]) for name in held_out]
    counts = (sum(distance <= seconds for distance in distances) for seconds in within)
    return [round(count / len(distances), 4) for count in counts]


def _tag(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
