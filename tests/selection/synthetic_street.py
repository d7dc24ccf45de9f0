"""A synthetic street as a good detector reports it."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from agent.domain import Box, Detection, Frame, Grey, Observation, Pixels, Suspect, Thresholds
from agent.selection.frame_context import ContextBuilder
from agent.selection.rules import RULE_NAMES, make_rules

FPS = 5.0
BLANK_720P: Pixels = np.broadcast_to(np.zeros((), np.uint8), (720, 1280, 3))
THRESHOLDS = Thresholds(0.5, floor=0.05)

Frames = list[list[Detection]]


def observed(number: int, detections: Sequence[Detection], grey: Grey | None = None) -> Observation:
    at = number / FPS
    frame = Frame("street", number, BLANK_720P, at, at, int(at * 1e9), number, "day")
    return Observation(frame, tuple(sorted(detections, key=lambda d: -d.confidence)), grey=grey)


@dataclass
class Walker:
    """An object that crosses the view at constant speed; its confidence varies above 0.55."""

    label: str
    x: float
    y: float
    speed: float  # pixels per frame
    size: tuple[float, float] = (60.0, 140.0)
    begins: int = 0
    ends: int = 10**9

    def at(self, n: int, draw: random.Random) -> list[Detection]:
        if not self.begins <= n < self.ends:
            return []
        x = self.x + self.speed * n + draw.gauss(0, 2)
        y = self.y + draw.gauss(0, 2)
        confidence = min(0.99, max(0.55, draw.gauss(0.82, 0.05)))
        box = Box(x, y, x + self.size[0], y + self.size[1])
        return [Detection(self.label, 0, confidence, box)]


def clean_street(frames: int, seed: int = 1) -> Frames:
    """Return detections of a parked car, and of objects that enter, cross and leave."""
    draw = random.Random(seed)
    walkers = [Walker("car", 600, 500, 0.0, (170, 90))]
    for n in range(5, frames, 60):
        speed = draw.choice([-12.0, 9.0, 14.0])
        x = (0.0 if speed > 0 else 1200.0) - speed * n
        height = draw.uniform(100, 400)
        walkers.append(Walker("person", x, height, speed, begins=n, ends=n + 80))
        walkers.append(
            Walker("bicycle", 1200 + 12 * n, height + 30, -12.0, (90, 90), n + 20, n + 100)
        )
    return [[d for walker in walkers for d in walker.at(n, draw)] for n in range(frames)]


def suspects(
    frames: Sequence[Sequence[Detection]],
    image: Callable[[int], Grey] | None = None,
    *,
    rules: Sequence[str] = RULE_NAMES,
    thresholds: Thresholds = THRESHOLDS,
) -> list[list[Suspect]]:
    """Return what the rules name in each frame, as the selector runs them."""
    made = make_rules(rules, thresholds)
    builder = ContextBuilder(thresholds)
    contexts = []
    for n, detections in enumerate(frames):
        contexts += builder.push(observed(n, detections, image(n) if image else None))
    return [
        [
            suspect
            for rule in made
            if context.is_timed or not rule.is_temporal
            for suspect in rule.suspects(context)
        ]
        for context in [*contexts, *builder.flush()]
    ]


def scores(
    frames: Sequence[Sequence[Detection]], image: Callable[[int], Grey] | None = None
) -> dict[str, list[float]]:
    """Return the highest `p` of each rule in all frames, 0 where it names nothing."""
    named = suspects(frames, image)
    return {
        name: [max((s.p for s in each if s.rule == name), default=0.0) for each in named]
        for name in RULE_NAMES
    }
