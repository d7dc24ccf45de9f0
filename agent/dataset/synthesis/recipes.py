"""Chooses operations that bring a parent towards a need; pure, and repeatable by its generator."""

import math
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import numpy as np

from agent.dataset.health.gaps import GapKind
from agent.dataset.synthesis.looks import Levels
from agent.dataset.synthesis.needs import Need, Shown
from agent.dataset.synthesis.operations import Crop, Flip, Light, Operation, Shift, ZoomOut
from agent.record.summary import sides

ZOOM_OUT_MAX = 3.0
"""Times that an image is made smaller at most: beyond it the variant is mostly grey."""

CROP_MAX = 2.0
"""Times that a part is enlarged at most: beyond it the variant is mostly interpolated."""

SHIFT_MAX = 0.4
"""Share of a side by which an image is moved at most."""

_FLIP_CHANCE = 0.5
_LIGHT_CHANCE = 0.5
_LEAST_PIXELS = 16  # of a side of the image or a part of it
_GAMMA = (0.7, 1.5)
_FACTOR = (0.7, 1.3)
_STEEPEST = 4.0  # gamma, and its inverse: beyond it noise is all that is seen
_NEAR = 3.0  # grey levels of the wanted light
_STEPS = 24  # of the search for gamma


def operations_for(
    need: Need, shown: Shown, random: Random, *, flips: bool, levels: Levels | None = None
) -> tuple[Operation, ...]:
    """Return the operations of one try; none if this parent cannot serve the need.

    `flips`: the parent may be mirrored. `levels` is asked for by a `LIGHT` alone.
    """
    begin: list[Operation] = [Flip()] if flips and random.random() < _FLIP_CHANCE else []
    if need.kind is GapKind.LIGHT:
        light = None if levels is None else _light_for(need, levels, random)
        return () if light is None else (*begin, light)
    if need.kind is GapKind.CLASS:
        if not shown.objects:
            return (*begin, _some_light(random))  # a part of an image may be of another class
        moved = _moved(shown, random)
        end = [_some_light(random)] if random.random() < _LIGHT_CHANCE else []
        return (*begin, *moved, *end)
    usable = need.of_label(shown.objects)
    if not usable:
        return ()
    chosen = random.choice(usable)
    if need.kind is GapKind.PLACE:
        return _placed(need, shown, chosen, random, flips=flips)
    resized = _resized(need, shown, chosen, random)
    return (*resized, *begin) if resized else ()


def light_of(levels: Levels, light: Light | None = None) -> float:
    """Return the mean grey level of an image, after a change of its light."""
    scale = np.arange(len(levels)) if light is None else light.table()
    return float((levels * scale).sum())


def _light_for(need: Need, levels: Levels, random: Random) -> Light | None:
    """Return the gamma that brings an image to a brightness inside of the range."""
    high = min(need.high, 256.0)
    margin = (high - need.low) / 5
    wanted = random.uniform(need.low + margin, high - margin)
    darkest, brightest = math.log(_STEEPEST), -math.log(_STEEPEST)
    for _ in range(_STEPS):
        between = (darkest + brightest) / 2
        if light_of(levels, Light(gamma=math.exp(between))) > wanted:
            brightest = between
        else:
            darkest = between
    light = Light(gamma=round(math.exp((darkest + brightest) / 2), 4))
    return light if abs(light_of(levels, light) - wanted) <= _NEAR else None


def _some_light(random: Random) -> Light:
    return Light(round(random.uniform(*_FACTOR), 4), round(random.uniform(*_GAMMA), 4))


def _moved(shown: Shown, random: Random) -> list[Operation]:
    """Return any one geometric operation."""
    width, height = shown.width, shown.height
    kind = random.randrange(3)
    if kind == 0:
        return _zoom_out(width, height, random.uniform(1.15, 1.8), random)
    if kind == 1:
        scale = random.uniform(1.1, 1.6)
        return _crop(width, height, scale, random.random(), random.random())
    across, down = (round(side * random.uniform(-0.25, 0.25)) for side in (width, height))
    return [Shift(across, down)] if across or down else []


def _resized(
    need: Need, shown: Shown, chosen: Mapping[str, Any], random: Random
) -> list[Operation]:
    """Return the operation that gives one object a size in the range."""
    left, top, right, bottom = sides(chosen)
    has = (right - left) * (bottom - top)
    if has <= 0:
        return []
    least, most = has / ZOOM_OUT_MAX**2, has * CROP_MAX**2
    lowest, highest = max(need.low, least), min(need.high, most)
    if lowest >= highest:
        return []
    scale = math.sqrt(random.uniform(lowest, highest) / has)
    if scale < 1:
        return _zoom_out(shown.width, shown.height, 1 / scale, random)
    if scale == 1:
        return []
    across = ((left + right) / 2 * scale - shown.width / 2) / (shown.width * (scale - 1))
    down = ((top + bottom) / 2 * scale - shown.height / 2) / (shown.height * (scale - 1))
    wobble = random.uniform(-0.2, 0.2), random.uniform(-0.2, 0.2)
    return _crop(
        shown.width, shown.height, scale, _unit(across + wobble[0]), _unit(down + wobble[1])
    )


def _placed(
    need: Need, shown: Shown, chosen: Mapping[str, Any], random: Random, *, flips: bool
) -> tuple[Operation, ...]:
    """Return the shift that brings one object to the place, after a flip where that is nearer."""
    ways: list[tuple[Operation, ...]] = [()] + ([(Flip(),)] if flips else [])
    x, y = _centre(chosen)
    left, top, right, bottom = need.place
    to_x = random.uniform(left, right) * shown.width
    to_y = random.uniform(top, bottom) * shown.height
    found: list[tuple[float, tuple[Operation, ...]]] = []
    for begin in ways:
        across = round(to_x - (shown.width - x if begin else x))
        down = round(to_y - y)
        if abs(across) <= SHIFT_MAX * shown.width and abs(down) <= SHIFT_MAX * shown.height:
            found.append((math.hypot(across, down), (*begin, *_shift(across, down))))
    return min(found, key=lambda each: each[0])[1] if found else ()


def _shift(across: int, down: int) -> Sequence[Operation]:
    return [Shift(across, down)] if across or down else []


def _zoom_out(width: int, height: int, times: float, random: Random) -> list[Operation]:
    size = round(width / times), round(height / times)
    if min(size) < _LEAST_PIXELS or size == (width, height):
        return []
    left, top = random.randint(0, width - size[0]), random.randint(0, height - size[1])
    return [ZoomOut(left, top, left + size[0], top + size[1])]


def _crop(width: int, height: int, times: float, across: float, down: float) -> list[Operation]:
    """Enlarge a part that lies `across` and `down` of the way, each 0 to 1."""
    size = round(width / times), round(height / times)
    if min(size) < _LEAST_PIXELS or size == (width, height):
        return []
    left, top = round(across * (width - size[0])), round(down * (height - size[1]))
    return [Crop(left, top, left + size[0], top + size[1])]


def _centre(detection: Mapping[str, Any]) -> tuple[float, float]:
    left, top, right, bottom = sides(detection)
    return (left + right) / 2, (top + bottom) / 2


def _unit(value: float) -> float:
    return min(max(value, 0.0), 1.0)
