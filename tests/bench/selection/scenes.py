"""Synthetic streets with a simulated detector whose failures are known."""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agent.domain import Box, Detection, Frame, Grey, Observation, Pixels

FPS = 5.0
WIDTH, HEIGHT = 1280, 720
LABELS = ("person", "car", "bicycle", "bus")
NO_PIXELS: Pixels = np.broadcast_to(np.zeros((), np.uint8), (HEIGHT, WIDTH, 3))

KINDS = {
    "gap": 24,
    "ghost": 18,
    "flip": 14,
    "weak": 14,
    "clash": 8,
    "unseen": 8,
    "long ghost": 6,
    "shake": 4,
    "flare": 4,
}
"""The kinds of failures, with the relative frequency of each."""

_SHARES = (0.5, 0.35, 0.1, 0.05)
_SIZES = {"person": (50, 120), "car": (160, 90), "bicycle": (90, 90), "bus": (260, 150)}
_SCALE = 4  # pixels of the frame per pixel of the grey thumbnail


@dataclass(frozen=True)
class Street:
    """The parameters of a day and of its failures."""

    frames: int = 6000
    busy_share: float = 0.25  # of the day; the rest is quiet
    busy_rate: float = 0.35  # objects a second
    quiet_rate: float = 0.02
    clutter: int = 8  # faint false boxes per frame
    failures: int = 36  # episodes
    moving_camera: bool = False


@dataclass
class SceneObject:
    """A real object, or one that only the detector reports (a ghost)."""

    label: str
    born: int
    life: int  # frames
    box: Box
    speed: tuple[float, float]
    confidence: float  # mean of the detector
    grey: int
    is_real: bool = True
    hidden: range = field(default_factory=lambda: range(0))  # frames in which it is occluded
    faults: list[tuple[range, str, int]] = field(default_factory=list)  # when, kind, episode

    def at(self, n: int) -> Box:
        age = n - self.born
        dx, dy = self.speed[0] * age, self.speed[1] * age
        return Box(
            self.box.x_min + dx, self.box.y_min + dy, self.box.x_max + dx, self.box.y_max + dy
        )


@dataclass(frozen=True)
class Seen:
    """An observation and the failure episodes that it contains."""

    observation: Observation
    episodes: frozenset[int]


class Day:
    """The frames of one seed, in order."""

    def __init__(self, street: Street, seed: int) -> None:
        self.street = street
        self._draw = random.Random(seed)
        self._noise = np.random.default_rng(seed)
        self._fields = [self._noise.normal(0, 2.0, (180, 320)).astype(np.int16) for _ in range(8)]
        self._back = self._background()
        self.things = [*self._traffic(), *self._fixtures()]
        self.shaken: dict[int, int] = {}  # frame: episode
        self.flared: dict[int, int] = {}
        self.kinds: dict[int, str] = {}  # of each episode
        self._plant()

    def __iter__(self) -> Iterator[Seen]:
        alive: list[SceneObject] = []
        coming = sorted(self.things, key=lambda thing: thing.born)[::-1]
        for n in range(self.street.frames):
            while coming and coming[-1].born <= n:
                alive.append(coming.pop())
            alive = [thing for thing in alive if n < thing.born + thing.life]
            yield self._see(n, alive)

    # Objects

    def _background(self) -> NDArray[np.int16]:
        coarse = self._noise.integers(50, 190, (19, 33))
        wide = np.kron(coarse, np.ones((10, 10)))[:180, :320]
        return (wide + self._noise.normal(0, 12, (180, 320))).astype(np.int16)

    def _traffic(self) -> list[SceneObject]:
        things, n = [], 0.0
        phase_ends, busy = 0.0, False
        while n < self.street.frames:
            if n >= phase_ends:
                busy = self._draw.random() < self.street.busy_share
                phase_ends = n + self._draw.uniform(300, 900)
            rate = self.street.busy_rate if busy else self.street.quiet_rate
            step = self._draw.expovariate(rate) * FPS
            n = min(n + step, phase_ends + 1)
            if step < phase_ends + 1:
                things.append(self._thing(int(n)))
        return things

    def _thing(self, born: int) -> SceneObject:
        label = self._draw.choices(LABELS, _SHARES)[0]
        width, height = _SIZES[label]
        zoom = self._draw.uniform(0.5, 1.4)
        width, height = int(width * zoom), int(height * zoom)
        left = self._draw.random() < 0.5
        speed = self._draw.uniform(6, 35) * (1 if left else -1)
        life = int(min(WIDTH / abs(speed), 120))
        x = -width / 2 if left else WIDTH - width / 2
        y = self._draw.uniform(80, HEIGHT - height - 20)
        hidden = range(0)
        if life > 20 and self._draw.random() < 0.15:
            start = born + self._draw.randrange(6, life - 6)
            hidden = range(start, start + self._draw.randrange(1, 5))
        return SceneObject(
            label,
            born,
            life,
            Box(x, y, x + width, y + height),
            (speed, self._draw.uniform(-1, 1)),
            self._draw.gauss(0.82, 0.06),
            self._draw.choice([20, 40, 220, 240]),
            hidden=hidden,
        )

    def _fixtures(self) -> list[SceneObject]:
        """Return static objects: parked cars, and trees that look to the detector like persons."""
        frames = self.street.frames
        parked = [
            SceneObject("car", 0, frames, Box(x, 560, x + 170, 650), (0.0, 0.0), sure, 60)
            for x, sure in ((90.0, 0.86), (900.0, 0.68))
        ]
        trees = [
            SceneObject(
                "person", 0, frames, Box(x, 60, x + 50, 190), (0.0, 0.0), sure, 0, is_real=False
            )
            for x, sure in ((300.0, 0.33), (1100.0, 0.22))
        ]
        return [*parked, *trees]

    # Failures

    def _plant(self) -> None:
        for episode in range(self.street.failures):
            kind = self._draw.choices(list(KINDS), list(KINDS.values()))[0]
            self.kinds[episode] = kind
            n = self._draw.randrange(10, self.street.frames - 40)
            if kind == "shake":
                self.shaken.update(dict.fromkeys(range(n, n + self._draw.randrange(3, 9)), episode))
            elif kind == "flare":
                self.flared.update(
                    dict.fromkeys(range(n, n + self._draw.randrange(4, 15)), episode)
                )
            elif "ghost" in kind:
                self._ghost(n, kind, episode)
            else:
                self._fault(kind, episode)

    def _ghost(self, n: int, kind: str, episode: int) -> None:
        thing = self._thing(n)
        x, y = self._draw.uniform(0, 1000), self._draw.uniform(50, 500)
        width, height = thing.box.x_max - thing.box.x_min, thing.box.y_max - thing.box.y_min
        thing.box = Box(x, y, x + width, y + height)
        thing.speed = (0.0, 0.0)
        thing.life = self._draw.randrange(1, 3) if kind == "ghost" else self._draw.randrange(8, 30)
        thing.confidence = self._draw.uniform(0.52, 0.8)
        thing.is_real, thing.hidden = False, range(0)
        thing.faults = [(range(n, n + thing.life), "ghost", episode)]
        self.things.append(thing)

    def _fault(self, kind: str, episode: int) -> None:
        moving = [
            t for t in self.things if t.is_real and t.life > 15 and not t.faults and t.speed[0]
        ]
        if not moving:
            return
        thing = self._draw.choice(moving)
        long = {"gap": (1, 4), "flip": (1, 4), "clash": (2, 8)}.get(kind)
        if long is None:
            when = range(thing.born, thing.born + min(thing.life, 25))
            if kind == "unseen":
                thing.life = min(thing.life, 25)
        else:
            start = thing.born + self._draw.randrange(5, thing.life - 9)
            when = range(start, start + self._draw.randrange(*long))
        if kind == "weak":
            thing.life = min(thing.life, 40)
            when = range(thing.born, thing.born + thing.life)
        thing.faults = [(when, kind, episode)]

    # The detector

    def _see(self, n: int, alive: Sequence[SceneObject]) -> Seen:
        detections: list[Detection] = []
        episodes: set[int] = set()
        shaken, flared = self.shaken.get(n), self.flared.get(n)
        for thing in alive:
            detections += self._look(thing, n, episodes, worse=shaken is not None)
        if shaken is not None and any(t.is_real for t in alive):
            episodes.add(shaken)
        if flared is not None:
            episodes.add(flared)
            box = self._jittered(Box(500, 200, 700, 400), 8)
            detections.append(self._detection("bus", self._draw.uniform(0.4, 0.75), box))
        detections += [self._faint() for _ in range(self.street.clutter)]
        detections.sort(key=lambda d: -d.confidence)
        at = n / FPS
        frame = Frame("street", n, NO_PIXELS, at, at, int(at * 1e9), n, "day")
        grey = self._image(n, alive)
        return Seen(Observation(frame, tuple(detections), grey=grey), frozenset(episodes))

    def _look(  # noqa: C901 (one branch per kind of fault)
        self, thing: SceneObject, n: int, episodes: set[int], *, worse: bool
    ) -> Iterator[Detection]:
        if n in thing.hidden:
            return
        confidence = thing.confidence + self._draw.gauss(0, 0.04)
        label = thing.label
        age, left = n - thing.born, thing.born + thing.life - n
        if thing.speed[0] and min(age, left) < 4:
            confidence -= 0.12 * (4 - min(age, left))  # half in the frame
        if worse:
            confidence -= self._draw.uniform(0.15, 0.6)
        box = self._jittered(thing.at(n), 3)
        for when, kind, episode in thing.faults:
            if n not in when:
                continue
            if kind == "gap":
                confidence = self._draw.uniform(0.0, 0.3)
            elif kind == "weak":
                confidence = self._draw.gauss(0.36, 0.06)
            elif kind == "unseen":
                confidence = self._draw.uniform(0, 0.08)
            elif kind == "flip":
                label = LABELS[(LABELS.index(label) + 1) % 4]
            elif kind == "clash":
                other = LABELS[(LABELS.index(label) + 1) % 4]
                yield self._detection(other, confidence - 0.1, self._jittered(box, 6))
            if kind not in {"weak", "unseen"} or min(age, left) >= 2:
                episodes.add(episode)
        yield from (self._detection(label, confidence, box) for _ in range(confidence >= 0.05))

    def _faint(self) -> Detection:
        """Return a faint false detection with a random place and label, as a low floor reports."""
        x, y = self._draw.uniform(0, 1100), self._draw.uniform(0, 600)
        width, height = self._draw.uniform(30, 200), self._draw.uniform(30, 160)
        confidence = 0.05 + min(0.3, self._draw.expovariate(18))
        return self._detection(
            self._draw.choice(LABELS), confidence, Box(x, y, x + width, y + height)
        )

    def _jittered(self, box: Box, pixels: float) -> Box:
        edges = (box.x_min, box.y_min, box.x_max, box.y_max)
        return Box(*(edge + self._draw.gauss(0, pixels) for edge in edges))

    def _detection(self, label: str, confidence: float, box: Box) -> Detection:
        return Detection(label, LABELS.index(label), min(0.99, max(0.05, confidence)), box)

    # The camera

    def _image(self, n: int, alive: Sequence[SceneObject]) -> Grey:
        shift = 3 * n if self.street.moving_camera else 0
        image = self._back if not shift else np.roll(self._back, -shift, 1)
        image = image + self._fields[self._draw.randrange(8)]
        image += int(20 * math.sin(2 * math.pi * n / self.street.frames))
        for thing in alive:
            if thing.is_real and n not in thing.hidden:
                box = thing.at(n)
                rows = slice(max(0, int(box.y_min / _SCALE)), max(0, int(box.y_max / _SCALE)))
                columns = slice(max(0, int(box.x_min / _SCALE)), max(0, int(box.x_max / _SCALE)))
                image[rows, columns] = thing.grey
        if n in self.flared:
            image[50:100, 125:175] += 120
        if n in self.shaken:
            smooth = sum(np.roll(image, k, 1) for k in range(-4, 5))
            image = np.asarray(smooth // 9)
        return np.clip(image, 0, 255).astype(np.uint8)
