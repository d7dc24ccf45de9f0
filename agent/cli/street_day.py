"""Draws days of one street for `demo --loop`, and knows where each object is.

The camera, the houses and the signs are the same each day; who passes is drawn by the day's number.
A tree and a flag move too: they are no objects of the model. Each day is 40 seconds long, and gets
dark once.
"""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from agent.cli import street_drawing as draw
from agent.cli.street_drawing import HEIGHT, WIDTH, Colour, Point, Sides
from agent.domain import Pixels

FPS = 10
SECONDS = 40
FRAMES = FPS * SECONDS

_HOUSES = 3  # seed of the houses
_DUSK = 0.45  # share of the light that is lost when it is darkest
_NOISE = 5.0  # grey levels, standard deviation
_NOISES = 6  # fields of noise that take turns: to draw them takes longer than all the rest
_SEEN = 0.3  # share of an object that is in the image from which it has a label
_COVERED = 0.65  # share of an object that others cover from which it has none
_LEAST_SIDE = 8.0  # pixels of an object with a label
_CARS_EVERY, _PERSONS_EVERY = 0.8, 0.9  # seconds while a group begins, mean
_GROUP_EVERY, _GROUP_S = 13.0, 4.0  # seconds: between groups, and in which one begins
_BALLOONS = 7
_PAINTS: tuple[Colour, ...] = (
    *((40, 40, 180), (160, 150, 60), (190, 190, 185), (60, 60, 60)),
    *((40, 160, 60), (200, 120, 40), (30, 160, 220)),
)

_Draw = Callable[[Pixels, float], Sides]
"""Draws an object at a time in seconds, and returns its box, which may be partly outside."""


@dataclass(frozen=True, slots=True)
class StreetObject:
    """One object of one frame."""

    number: int  # the same object has the same number in all frames of a day
    label: str
    box: Sides  # pixels, inside of the image


@dataclass(frozen=True, slots=True)
class StreetFrame:
    """One frame of a day, and the truth of it."""

    pixels: Pixels
    objects: tuple[StreetObject, ...]


@dataclass(frozen=True, slots=True)
class _Actor:
    label: str
    begin: float  # seconds of the day
    end: float
    draw: _Draw


def day_of_street(number: int) -> Iterator[StreetFrame]:
    """Yield the frames of a day, from 1 on; the same on every computer."""
    actors = _actors(number)
    houses = draw.street(np.random.default_rng(_HOUSES))
    chance = np.random.default_rng(number)
    noises = [chance.normal(0, _NOISE, houses.shape).astype(np.int16) for _ in range(_NOISES)]
    for count in range(FRAMES):
        at = count / FPS
        pixels = houses.copy()
        _tree(pixels, at)
        _flag(pixels, at)
        _balloons(pixels, at, number)
        objects = _drawn(pixels, actors, at)
        light = 1.0 - _DUSK * (0.5 + 0.5 * math.sin(2 * math.pi * at / SECONDS))
        lit = cv2.convertScaleAbs(pixels, alpha=light).astype(np.int16)
        shown = np.clip(lit + noises[count % _NOISES], 0, 255).astype(np.uint8)
        yield StreetFrame(np.asarray(cv2.GaussianBlur(shown, (3, 3), 0), np.uint8), objects)


def _drawn(pixels: Pixels, actors: list[_Actor], at: float) -> tuple[StreetObject, ...]:
    """Draw who is there, and return the objects that a person would label."""
    found: list[StreetObject] = []
    for number, actor in enumerate(actors):
        if not actor.begin <= at < actor.end:
            continue
        whole = actor.draw(pixels, at)
        box = _common(whole, (0.0, 0.0, float(WIDTH), float(HEIGHT)))
        if _area(box) < _SEEN * _area(whole) or min(_size(box)) < _LEAST_SIDE:
            continue
        found = [
            each for each in found if _area(_common(each.box, box)) <= _COVERED * _area(each.box)
        ]
        found.append(StreetObject(number, actor.label, box))
    return tuple(found)


def _actors(number: int) -> list[_Actor]:
    """Return who is in the street on a day: signs first, then cars and persons."""
    chance = random.Random(number)  # noqa: S311 (draws a street, guards nothing)
    actors = [
        _Actor("clock", 0, SECONDS, _clock),
        _Actor("traffic light", 0, SECONDS, _traffic_light),
        _Actor("stop sign", 0, SECONDS, _stop_sign),
    ]
    for make, every in ((_car, _CARS_EVERY), (_person, _PERSONS_EVERY)):
        begin = chance.expovariate(1 / every)
        while begin < SECONDS:
            if begin % _GROUP_EVERY < _GROUP_S:
                actors.append(make(begin, chance))
            begin += chance.expovariate(1 / every)
    return actors


def _clock(pixels: Pixels, at: float) -> Sides:
    draw.clock(pixels, (470, 92), 26, minutes=at / 5)
    return _around((470, 92), 26, (-1, -1, 1, 1))


def _traffic_light(pixels: Pixels, at: float) -> Sides:
    draw.traffic_light(pixels, (262, 118), 13, lit=int(at / 1.4) % 3)
    return _around((262, 118), 13, (-1, -2.8, 1, 2.8))


def _stop_sign(pixels: Pixels, at: float) -> Sides:
    del at
    draw.stop_sign(pixels, (88, 132), 22)
    return _around((88, 132), 22, (-0.93, -0.93, 0.93, 0.93))


def _car(begin: float, chance: random.Random) -> _Actor:
    size, speed = chance.uniform(14, 36), chance.uniform(90, 200)
    side, paint = chance.choice([1, -1]), chance.choice(_PAINTS)
    y = 255 + 2.8 * (size - 14)

    def draw_car(pixels: Pixels, at: float) -> Sides:
        way = -2.3 * size + speed * (at - begin)
        place = (way if side > 0 else WIDTH - way, y)
        draw.car(pixels, place, size, paint)
        return _around(place, size, (-2.15, -1.6, 2.15, 0.12))

    return _Actor("car", begin, begin + (WIDTH + 5 * size) / speed, draw_car)


def _person(begin: float, chance: random.Random) -> _Actor:
    height, speed = chance.uniform(50, 130), chance.uniform(90, 150)
    clothes: Colour = (
        chance.randrange(40, 200),
        chance.randrange(40, 200),
        chance.randrange(40, 200),
    )
    side, y = chance.choice([1, -1]), min(215 + height, 352)

    def draw_person(pixels: Pixels, at: float) -> Sides:
        way = -20 + speed * (at - begin)
        place = (way if side > 0 else WIDTH - way, y)
        phase = at + begin
        draw.person(pixels, place, height, clothes, phase)
        swing = abs(math.sin(0.35 * math.sin(6 * phase)))
        wide = max(1.0, 0.55 + 4 * swing, 0.4 + 3 * swing)  # shoulders, feet, hands
        return _around(place, height / 8, (-wide, -8.2, wide, 0.3))

    return _Actor("person", begin, begin + (WIDTH + 40) / speed, draw_person)


def _tree(pixels: Pixels, at: float) -> None:
    for number in range(7):
        centre = (int(590 + 14 * math.sin(1.7 * at + number)), 70 + 16 * number)
        cv2.circle(pixels, centre, 24, (40, 110 + 8 * number, 50), -1)


def _balloons(pixels: Pixels, at: float, number: int) -> None:
    """Draw balloons that rise: the model takes them for balls, but is not sure enough."""
    chance = random.Random(-number)  # noqa: S311 (draws a street, guards nothing)
    for count in range(_BALLOONS):
        speed, left, turn = chance.uniform(25, 60), chance.uniform(30, 610), chance.uniform(0, 6.3)
        size, begin = chance.uniform(9, 17), chance.uniform(0, 460)
        x = left + 25 * math.sin(0.8 * at + turn)
        y = 400 - (begin + speed * at) % 460
        end = (int(x + 4 * math.sin(3 * at)), int(y + 3.2 * size))
        cv2.line(pixels, (int(x), int(y)), end, (90, 90, 90), 1)
        shape = (int(size), int(1.25 * size))
        cv2.ellipse(pixels, (int(x), int(y)), shape, 0, 0, 360, _PAINTS[count % len(_PAINTS)], -1)


def _flag(pixels: Pixels, at: float) -> None:
    wave = [(570 + 5 * n, 6 * math.sin(4 * at + 0.6 * n)) for n in range(13)]
    outline = [(x, 100 + y) for x, y in wave] + [(x, 140 + y) for x, y in reversed(wave)]
    cv2.fillPoly(pixels, [np.asarray(outline, np.int32)], (60, 60, 200))
    cv2.line(pixels, (569, 95), (569, 215), (120, 120, 120), 3)


def _around(place: Point, size: float, sides: Sides) -> Sides:
    x, y = place
    left, top, right, bottom = sides
    return x + size * left, y + size * top, x + size * right, y + size * bottom


def _common(a: Sides, b: Sides) -> Sides:
    return max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])


def _size(box: Sides) -> tuple[float, float]:
    return max(0.0, box[2] - box[0]), max(0.0, box[3] - box[1])


def _area(box: Sides) -> float:
    width, height = _size(box)
    return width * height
