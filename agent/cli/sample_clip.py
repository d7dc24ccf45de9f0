"""Draws the sample clip of `demo`: a street in which the bundled model finds things.

It is drawn instead of shipped or downloaded: it costs no space on a device, needs no network, and
its licence is the project's. The same clip is drawn on every computer.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from typing import Any

import av
import cv2
import numpy as np

from agent.cli.street_drawing import (
    HEIGHT,
    WIDTH,
    ball,
    bus,
    car,
    clock,
    person,
    stop_sign,
    street,
    traffic_light,
)
from agent.domain import Pixels

FPS = 25


@dataclass(frozen=True, slots=True)
class _Scene:
    seconds: float
    seed: int  # of the houses
    light: float  # factor of brightness
    noise: float  # standard deviation
    draw: Callable[[Pixels, float], None]  # what moves, at a time in seconds


def sample_clip() -> bytes:
    """Return the clip as an MPEG-4 file; takes some seconds."""
    return encoded(clip_pixels(), rate=FPS)


def encoded(frames: Iterable[Pixels], *, rate: int) -> bytes:
    """Return drawn frames, all BGR `[360, 640, 3]`, as an MPEG-4 file of `rate` frames a second."""
    file = BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream: Any = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.bit_rate = 2_000_000
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def clip_pixels() -> Iterator[Pixels]:
    """Yield the frames of the clip, BGR `[360, 640, 3]`."""
    random = np.random.default_rng(1)
    for scene in _SCENES:
        houses = street(np.random.default_rng(scene.seed))
        for number in range(round(scene.seconds * FPS)):
            pixels = houses.copy()
            scene.draw(pixels, number / FPS)
            noise = random.normal(0, scene.noise, pixels.shape)
            shown = np.clip(pixels * scene.light + noise, 0, 255).astype(np.uint8)
            yield np.asarray(cv2.GaussianBlur(shown, (3, 3), 0), np.uint8)


def _morning(pixels: Pixels, at: float) -> None:
    clock(pixels, (470, 92), 30, minutes=at)
    traffic_light(pixels, (262, 118), 13, lit=int(at / 1.4) % 3)
    stop_sign(pixels, (88, 132), 30)
    bus(pixels, (760 - 190 * at, 262), 21, (30, 160, 220))
    car(pixels, (-90 + 165 * at, 312), 34, (40, 40, 180))
    person(pixels, (610 - 48 * at, 346), 120, (160, 90, 40), at)


def _dusk(pixels: Pixels, at: float) -> None:
    clock(pixels, (150, 80), 26, minutes=4 + at)
    traffic_light(pixels, (520, 128), 11 + at, lit=2 - int(at) % 3)
    car(pixels, (700 - 170 * at, 290), 22 + 3 * at, (160, 150, 60))
    person(pixels, (120 + 60 * at, 330), 92, (50, 60, 160), at)
    person(pixels, (190 + 52 * at, 334), 98, (90, 120, 60), at + 0.4)


def _noon(pixels: Pixels, at: float) -> None:
    stop_sign(pixels, (540, 120), 18 + 5 * at)
    car(pixels, (330, 262 + 12 * at), 12 + 11 * at, (190, 190, 185))
    ball(pixels, (90 + 110 * at, 322 - 60 * abs(math.sin(2.4 * at))), 13)
    person(pixels, (70 + 70 * at, 342), 128, (60, 140, 190), 1.3 * at)
    person(pixels, (470 - 66 * at, 350), 136, (120, 60, 110), at)


_SCENES = (
    _Scene(4.0, seed=3, light=1.0, noise=5, draw=_morning),
    _Scene(3.0, seed=8, light=0.5, noise=8, draw=_dusk),
    _Scene(3.0, seed=14, light=1.08, noise=4, draw=_noon),
)
