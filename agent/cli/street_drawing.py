"""What the clips of `demo` are drawn with: a street, and what stands and moves in it."""

import math

import cv2
import numpy as np

from agent.domain import Pixels

WIDTH, HEIGHT = 640, 360

Colour = tuple[int, int, int]  # BGR
Point = tuple[float, float]  # pixels
Sides = tuple[float, float, float, float]  # left, top, right, bottom

_HORIZON = HEIGHT // 2
_SMOOTH = cv2.LINE_AA

_DARK: Colour = (25, 25, 25)
_GLASS: Colour = (60, 50, 40)
_METAL: Colour = (120, 120, 120)
_WHITE: Colour = (240, 240, 240)


def street(random: np.random.Generator) -> Pixels:
    """Draw sky, houses and road."""
    fade = np.linspace(1.0, 0.7, _HORIZON)[:, np.newaxis, np.newaxis]
    street = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    street[:_HORIZON] = np.asarray([230, 190, 150]) * fade
    street[_HORIZON:] = (90, 92, 95)
    left = 0
    while left < WIDTH:
        width, height = int(random.integers(60, 120)), int(random.integers(70, 150))
        top, right = _HORIZON - height, left + width
        wall = [int(part) for part in random.integers(80, 170, 3)]
        cv2.rectangle(street, (left, top), (right, _HORIZON + 10), wall, -1)
        for y in range(top + 12, _HORIZON - 12, 26):
            for x in range(left + 8, right - 14, 24):
                pane = _GLASS if random.random() < 0.6 else (150, 210, 230)  # noqa: PLR2004
                cv2.rectangle(street, (x, y), (x + 12, y + 16), pane, -1)
        left = right
    cv2.rectangle(street, (0, _HORIZON + 10), (WIDTH, _HORIZON + 34), (150, 150, 150), -1)
    return street


def stop_sign(pixels: Pixels, at: Point, size: float) -> None:
    """Draw the sign around `at`, `size` from its centre to a corner, and its post."""
    corners = [(math.cos(a), math.sin(a)) for a in (math.pi * (n / 4 + 1 / 8) for n in range(8))]
    _box(pixels, at, size, (-0.08, 0.0, 0.08, 3.2), _METAL)
    _shape(pixels, at, size, corners, _WHITE)
    _shape(pixels, at, 0.92 * size, corners, (35, 25, 190))
    scale, thick = size / 34, max(1, round(size / 11))
    (width, height), _ = cv2.getTextSize("STOP", cv2.FONT_HERSHEY_SIMPLEX, scale, thick)
    start = (round(at[0] - width / 2), round(at[1] + height / 2))
    cv2.putText(pixels, "STOP", start, cv2.FONT_HERSHEY_SIMPLEX, scale, _WHITE, thick, _SMOOTH)


def traffic_light(pixels: Pixels, at: Point, size: float, lit: int) -> None:
    """Draw the housing around `at`, 2 `size` wide, and its post."""
    _box(pixels, at, size, (-0.12, 0.0, 0.12, 7.0), (60, 60, 60))
    _box(pixels, at, size, (-1.0, -2.8, 1.0, 2.8), (20, 25, 20))
    for number, colour in enumerate(((40, 40, 240), (40, 200, 250), (120, 230, 60))):
        blue, green, red = colour
        shown = colour if number == lit else (blue // 5, green // 5, red // 5)
        _disc(pixels, at, size, (0.0, 1.8 * (number - 1)), 0.75, shown)


def clock(pixels: Pixels, at: Point, size: float, minutes: float) -> None:
    """Draw a clock of radius `size` around `at`."""
    _disc(pixels, at, size, (0, 0), 1.0, _DARK)
    _disc(pixels, at, size, (0, 0), 0.9, _WHITE)
    for angle in np.arange(12) * math.pi / 6:
        _line(pixels, at, size, (0.75, angle), (0.87, angle), 2)
    for length, angle in ((0.5, 1 + minutes / 12), (0.72, minutes)):
        _line(pixels, at, size, (0.0, 0.0), (length, angle), 3)


def car(pixels: Pixels, at: Point, size: float, colour: Colour) -> None:
    """Draw a car, 4.3 `size` long; `at` is on the road between its wheels."""
    body = [(-2.1, -0.25), (-2.15, -0.85), (-1.7, -1.0), (-1.1, -1.6), (0.6, -1.6), (1.25, -1.0)]
    _shape(pixels, at, size, [*body, (2.0, -0.85), (2.15, -0.3)], colour)
    _shape(pixels, at, size, [(-1.45, -1.0), (-1, -1.48), (-0.3, -1.48), (-0.3, -1.0)], _GLASS)
    _shape(pixels, at, size, [(-0.2, -1.0), (-0.2, -1.48), (0.5, -1.48), (1.0, -1.0)], _GLASS)
    _wheels(pixels, at, size, (-1.3, 1.3), 0.42)
    _disc(pixels, at, size, (2.0, -0.7), 0.12, (200, 240, 255))
    _disc(pixels, at, size, (-2.05, -0.75), 0.1, (40, 40, 220))


def bus(pixels: Pixels, at: Point, size: float, colour: Colour) -> None:
    """Draw a bus, 6.4 `size` long; `at` is on the road between its wheels."""
    _box(pixels, at, size, (-3.2, -2.6, 3.2, -0.3), colour)
    for number in range(6):
        _box(pixels, at, size, (number - 3.0, -2.3, number - 2.15, -1.4), _GLASS)
    _wheels(pixels, at, size, (-2.0, 2.0), 0.5)


def ball(pixels: Pixels, at: Point, size: float) -> None:
    """Draw a ball of radius `size` around `at`."""
    _disc(pixels, at, size, (0, 0), 1.0, _WHITE)
    for angle in np.arange(5) * 2 * math.pi / 5:
        _disc(pixels, at, size, (0.62 * math.cos(angle), 0.62 * math.sin(angle)), 0.25, _DARK)
    _disc(pixels, at, size, (0, 0), 0.25, _DARK)


def person(pixels: Pixels, at: Point, height: float, clothes: Colour, phase: float) -> None:
    """Draw a walking person; `phase` is in seconds."""
    unit = height / 8
    x, y = at
    for side in (1, -1):
        swing = 0.35 * side * math.sin(6 * phase)
        hip, foot = (x, y - 4 * unit), (x + 4 * unit * math.sin(swing), y)
        cv2.line(pixels, _whole(hip), _whole(foot), (70, 50, 40), round(1.1 * unit), _SMOOTH)
        shoulder = (x, y - 6.3 * unit)
        hand = (x - 3 * unit * math.sin(swing), y - 3.6 * unit)
        cv2.line(pixels, _whole(shoulder), _whole(hand), clothes, round(0.8 * unit), _SMOOTH)
    _oval(pixels, (x, y - 5.3 * unit), (unit, 1.7 * unit), clothes)
    _oval(pixels, (x, y - 7.4 * unit), (0.55 * unit, 0.7 * unit), (150, 175, 220))
    _oval(pixels, (x, y - 7.7 * unit), (0.6 * unit, 0.5 * unit), (30, 40, 60), start=180)


def _wheels(pixels: Pixels, at: Point, size: float, places: Point, radius: float) -> None:
    for place in places:
        _disc(pixels, at, size, (place, -0.3), radius, _DARK)
        _disc(pixels, at, size, (place, -0.3), radius / 2, (170, 170, 170))


def _shape(pixels: Pixels, at: Point, size: float, corners: list[Point], colour: Colour) -> None:
    points = np.asarray([_whole((at[0] + size * x, at[1] + size * y)) for x, y in corners])
    cv2.fillPoly(pixels, [points.astype(np.int32)], colour, _SMOOTH)


def _box(
    pixels: Pixels,
    at: Point,
    size: float,
    sides: Sides,
    colour: Colour,
) -> None:
    left, top, right, bottom = sides
    _shape(pixels, at, size, [(left, top), (right, top), (right, bottom), (left, bottom)], colour)


def _disc(
    pixels: Pixels, at: Point, size: float, middle: Point, radius: float, colour: Colour
) -> None:
    centre = _whole((at[0] + size * middle[0], at[1] + size * middle[1]))
    cv2.circle(pixels, centre, max(1, round(size * radius)), colour, -1, _SMOOTH)


def _oval(pixels: Pixels, centre: Point, radii: Point, colour: Colour, start: int = 0) -> None:
    cv2.ellipse(pixels, _whole(centre), _whole(radii), 0, start, 360, colour, -1, _SMOOTH)


def _line(pixels: Pixels, at: Point, size: float, start: Point, end: Point, thick: int) -> None:
    """Draw from `start` to `end`, each a distance from `at` in sizes, and an angle."""
    first, last = (
        _whole(
            (at[0] + size * distance * math.cos(angle), at[1] + size * distance * math.sin(angle))
        )
        for distance, angle in (start, end)
    )
    cv2.line(pixels, first, last, _DARK, thick, _SMOOTH)


def _whole(point: Point) -> tuple[int, int]:
    return round(point[0]), round(point[1])
