"""Synthetic days with a simulated detector whose failures are known.

The detector's confidence in an object, or in a place that only looks like one, wanders from frame
to frame and hovers around the threshold, as that of real detectors does. The constants were chosen
so that the chances of `chances.py` come close to those measured on labelled video.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np

from agent.domain import Box, Detection, FloatArray, Frame, Grey, Observation, Pixels
from tests.bench.selection.failures import GAP_S, Episodes, Failure, Seen, Truth

FPS = 5.0
THRESHOLD = 0.5
WIDTH, HEIGHT = 1280, 720

_SHARES = {"person": 0.5, "car": 0.35, "bicycle": 0.1, "bus": 0.05}
_LABELS = tuple(_SHARES)
_SIZES = {"person": (50, 120), "car": (160, 90), "bicycle": (90, 90), "bus": (260, 150)}
_SCALE = 4  # pixels of the frame per pixel of the grey thumbnail

# Confidences are logits relative to the threshold.
_REAL = (2.1, 1.0)  # mean and standard deviation over the objects
_FALSE = (-1.7, 0.3)
_FIXTURE = (-1.6, 0.5)  # of places that look like an object all day
_WANDER, _FALSE_WANDER = 0.9, 0.8  # standard deviation of one confidence over time
_KEPT = 0.7  # correlation with the frame before
_EDGE = 0.4  # less for each of the first and last three frames
_SECOND = 0.25  # chance that a doubtful object has a second box, on the other side of the threshold
_WRONG_LABEL = 0.004  # chance per frame that an object has another label for one to three frames
_HIDDEN = 0.02  # chance per frame that a moving object is hidden for the next one to four frames
_FLOOR = 0.05


@dataclass(frozen=True)
class Street:
    """The parameters of a day."""

    frames: int = 6000
    busy_share: float = 0.25  # of the day; the rest is quiet
    busy_rate: float = 0.35  # objects a second
    quiet_rate: float = 0.02
    false_places: int = 20  # for each object, in its time; most stay below the threshold
    fixtures: int = 6  # parked cars and false places that stay all day
    moving_camera: bool = False
    light: float = 1.0  # contrast of the image
    margin: float = 0.0  # logits by which all real objects are more confident
    threshold: float = THRESHOLD  # at which the application acts; the detector does not know it


@dataclass
class Thing:
    """A real object, or a place that only looks like one to the detector."""

    label: str
    born: int
    life: int  # frames
    box: Box
    speed: tuple[float, float]
    confidence: float  # its mean, in logits
    texture: FloatArray | None  # grey levels, `[4, 4]`; None = not a real object
    stays: bool = False  # all day
    wander: float = 0.0
    hidden_until: int = -1  # frame
    other_label: str = ""
    other_until: int = -1  # frame

    def at(self, n: int) -> Box:
        age = n - self.born
        dx, dy = self.speed[0] * age, self.speed[1] * age
        box = self.box
        return Box(box.x_min + dx, box.y_min + dy, box.x_max + dx, box.y_max + dy)


@dataclass
class Day:
    """The frames of one seed, in order."""

    street: Street
    seed: int
    _episodes: dict[tuple[str, bool], Episodes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._draw = random.Random(self.seed)
        self._noise = np.random.default_rng(self.seed)
        self._fields = [self._noise.normal(0, 2.0, (180, 320)).astype(np.int16) for _ in range(8)]
        coarse = np.kron(self._noise.integers(50, 190, (19, 33)), np.ones((10, 10)))[:180, :320]
        self._back = coarse + self._noise.normal(0, 12, (180, 320))
        # What stays all day is one failure: one label answers it.
        gaps = {False: int(GAP_S * FPS), True: self.street.frames}
        kinds = [(label, stays) for label in _LABELS for stays in gaps]
        self._episodes = {
            kind: Episodes(gaps[kind[1]], n * 1_000_000) for n, kind in enumerate(kinds)
        }
        traffic = list(self._traffic())
        false = [place for thing in traffic for place in self._false_places(thing)]
        things = [*traffic, *false, *self._fixtures()]
        self._things = sorted(things, key=lambda thing: -thing.born)

    def __iter__(self) -> Iterator[Seen]:
        coming, alive = list(self._things), list[Thing]()
        for n in range(self.street.frames):
            while coming and coming[-1].born <= n:
                alive.append(coming.pop())
            alive = [thing for thing in alive if n < thing.born + thing.life]
            yield self._see(n, alive)

    # Objects

    def _traffic(self) -> Iterator[Thing]:
        n, phase_ends, busy = 0.0, 0.0, False
        while n < self.street.frames:
            if n >= phase_ends:
                busy = self._draw.random() < self.street.busy_share
                phase_ends = n + self._draw.uniform(300, 900)
            rate = self.street.busy_rate if busy else self.street.quiet_rate
            step = self._draw.expovariate(rate) * FPS if rate else math.inf
            n = min(n + step, phase_ends + 1)
            if n <= phase_ends:
                yield self._thing(int(n))

    def _false_places(self, near: Thing) -> Iterator[Thing]:
        for _ in range(self.street.false_places):
            thing = self._thing(near.born + self._draw.randrange(near.life))
            thing.life = 1 + int(self._draw.expovariate(1 / 6))
            self._move(thing, self._draw.uniform(0, 1100), self._draw.uniform(0, 600))
            thing.speed = self._draw.choice([thing.speed, (0.0, 0.0)])
            thing.confidence, thing.texture = self._draw.gauss(*_FALSE), None
            yield thing

    def _fixtures(self) -> Iterator[Thing]:
        for n in range(self.street.fixtures):
            thing = self._thing(0)
            thing.life, thing.speed, thing.stays = self.street.frames, (0.0, 0.0), True
            self._move(thing, 40 + 200.0 * n, self._draw.uniform(100, 500))
            thing.confidence = self._draw.gauss(*_FIXTURE)
            if n % 2:
                thing.texture = None
            else:  # a parked car is found a little better
                thing.confidence += 2.0
            yield thing

    def _thing(self, born: int) -> Thing:
        label = self._draw.choices(_LABELS, list(_SHARES.values()))[0]
        zoom = self._draw.uniform(0.5, 1.4)
        width, height = (side * zoom for side in _SIZES[label])
        speed = self._draw.uniform(6, 35) * self._draw.choice((1, -1))
        x = -width / 2 if speed > 0 else WIDTH - width / 2
        y = self._draw.uniform(80, HEIGHT - height - 20)
        return Thing(
            label,
            born,
            int(min(WIDTH / abs(speed), 120)),
            Box(x, y, x + width, y + height),
            (speed, self._draw.uniform(-1, 1)),
            self._draw.gauss(*_REAL) + self.street.margin,
            self._noise.integers(0, 255, (4, 4)).astype(np.float32),
        )

    def _move(self, thing: Thing, x: float, y: float) -> None:
        box = thing.box
        thing.box = Box(x, y, x + box.x_max - box.x_min, y + box.y_max - box.y_min)

    # The detector

    def _see(self, n: int, alive: list[Thing]) -> Seen:
        detections: list[Detection] = []
        failures: list[Failure] = []
        threshold = self.street.threshold
        visible = [thing for thing in alive if n >= thing.hidden_until]
        for stays in (False, True):
            things = [thing for thing in visible if thing.stays is stays]
            found = [each for thing in things for each in self._look(thing, n)]
            detections += found
            for label in _LABELS:
                objects = tuple(
                    (id(thing), thing.at(n))
                    for thing in things
                    if thing.texture is not None and thing.label == label
                )
                acted_on = [d for d in found if d.label == label and d.confidence >= threshold]
                acted_on.sort(key=lambda d: -d.confidence)
                episodes = self._episodes[label, stays]
                failures += episodes.failures(n, acted_on, Truth(objects))
        detections.sort(key=lambda d: -d.confidence)
        at = n / FPS
        grey = self._image(n, visible)
        frame = Frame("camera", n, _enlarged(grey), at, at, int(at * 1e9), n, "day")
        observation = Observation(frame, tuple(detections), grey=grey)
        return Seen(observation, tuple(failures))

    def _look(self, thing: Thing, n: int) -> Iterator[Detection]:
        spread = _WANDER if thing.texture is not None else _FALSE_WANDER
        fresh = math.sqrt(1 - _KEPT**2) * self._draw.gauss(0, spread)
        thing.wander = _KEPT * thing.wander + fresh
        confidence = thing.confidence + thing.wander
        if thing.speed[0] and thing.texture is not None:
            confidence -= _EDGE * max(0, 3 - min(n - thing.born, thing.born + thing.life - 1 - n))
        if thing.texture is not None and self._draw.random() < _WRONG_LABEL:
            thing.other_label = self._draw.choice(_LABELS)
            thing.other_until = n + self._draw.randrange(1, 4)
        if not thing.stays and self._draw.random() < _HIDDEN:
            thing.hidden_until = n + self._draw.randrange(2, 6)
        label = thing.other_label if n < thing.other_until else thing.label
        box = thing.at(n)
        yield from self._detection(label, confidence, box, 0.03)
        if thing.texture is not None and abs(confidence) < 2 and self._draw.random() < _SECOND:
            yield from self._detection(label, -confidence, box, 0.06)

    def _detection(self, label: str, logit: float, box: Box, jitter: float) -> Iterator[Detection]:
        confidence = 1 / (1 + math.exp(-logit))
        if confidence >= _FLOOR:
            dx, dy = jitter * (box.x_max - box.x_min), jitter * (box.y_max - box.y_min)
            gauss = self._draw.gauss
            moved = Box(
                box.x_min + gauss(0, dx),
                box.y_min + gauss(0, dy),
                box.x_max + gauss(0, dx),
                box.y_max + gauss(0, dy),
            )
            yield Detection(label, _LABELS.index(label), confidence, moved)

    # The camera

    def _image(self, n: int, visible: list[Thing]) -> Grey:
        image = np.roll(self._back, -3 * n, 1) if self.street.moving_camera else self._back.copy()
        image += 20 * math.sin(2 * math.pi * n / self.street.frames)
        for thing in visible:
            if thing.texture is None:
                continue
            box = thing.at(n)
            left, top = int(box.x_min / _SCALE), int(box.y_min / _SCALE)
            width = max(1, int((box.x_max - box.x_min) / _SCALE))
            height = max(1, int((box.y_max - box.y_min) / _SCALE))
            look = cv2.resize(thing.texture, (width, height), interpolation=cv2.INTER_LINEAR)
            look = look[max(0, -top) :, max(0, -left) :]
            part = image[max(0, top) : max(0, top + height), max(0, left) : max(0, left + width)]
            part[:] = look[: part.shape[0], : part.shape[1]]
        image = image * self.street.light + self._fields[self._draw.randrange(8)]
        return np.clip(image, 0, 255).astype(np.uint8)


def _enlarged(grey: Grey) -> Pixels:
    """Return the frame of which a thumbnail is the mean."""
    large = grey.repeat(_SCALE, axis=0).repeat(_SCALE, axis=1)
    return np.broadcast_to(large[:, :, None], (HEIGHT, WIDTH, 3))
