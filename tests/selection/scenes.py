"""Scenes that are hard for a selection, and what it spends its credits on in them."""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np

from agent.domain import Box, Capture, ClassScore, Detection, Grey, Observation, Thresholds
from agent.replay.memory_spool import MemorySpool, Purchase
from agent.selection.cover import Cover
from agent.selection.device import Selection
from agent.selection.plan import SelectionPlan
from agent.selection.rules import RULE_NAMES
from agent.selection.selector import FrameEvaluation
from tests.selection.grey_images import noisy, scene
from tests.selection.synthetic_street import THRESHOLDS, observed

CREDITS = 20  # of the score lane, in the whole scene
HOUR, TEN_MINUTES = 3600.0, 600.0
POOL = 40  # images that are made once for each scene


@dataclass
class Outcome:
    """What was captured and purchased in a scene."""

    captures: dict[str, Capture] = field(default_factory=dict)  # by id
    purchases: list[Purchase] = field(default_factory=list)
    evaluations: list[FrameEvaluation] = field(default_factory=list)

    @property
    def purchased(self) -> list[Capture]:
        return [self.captures[each.id] for each in self.purchases]

    @property
    def rules(self) -> set[str]:
        """The rules that any frame was suspect to."""
        return {suspect.rule for each in self.evaluations for suspect in each.suspects}


def run(
    frames: Iterable[Observation],
    seconds: float,
    *,
    thresholds: Thresholds = THRESHOLDS,
    credits_: float = CREDITS,
    random_share: float = 0.0,
) -> Outcome:
    """Select among the frames of a scene with a budget for the whole scene."""
    plan = SelectionPlan(
        RULE_NAMES,
        thresholds,
        "seed",
        per_day=credits_ / (1 - random_share),
        random_share=random_share,
        period_s=seconds,
    )
    outcome, cover, names = Outcome(), Cover(), iter(range(10**9))
    spool = MemorySpool(plan, cover)
    selection = Selection(
        ["street"],
        plan,
        new_id=lambda _: f"{next(names):032x}",
        cover=cover,
        explain=outcome.evaluations.append,
    )

    def keep(captures: Sequence[Capture]) -> None:
        for each in captures:
            spool.put(each, 1)
            outcome.captures[each.id] = each

    at = 0.0
    for observation in frames:
        at = observation.frame.at
        keep(selection.observe(observation, at))
        outcome.purchases += spool.buy(at)
    keep(selection.finish(at))
    outcome.purchases += spool.close()
    return outcome


def shown(
    number: int,
    detections: Sequence[Detection] = (),
    grey: Grey | None = None,
    *,
    fps: float = 2.5,
    classes: tuple[ClassScore, ...] = (),
) -> Observation:
    """Return a frame of a scene; by default as slow as temporal rules allow."""
    made = observed(number, detections, grey)
    at = number / fps
    frame = replace(made.frame, at=at, captured_at=at, monotonic_ns=int(at * 1e9))
    return replace(made, frame=frame, classes=classes)


def varied(pool: Sequence[Grey], number: int) -> Grey:
    """Return one of a few images of a scene, with a pixel of its own: no two are identical."""
    grey = pool[number % len(pool)].copy()
    grey.flat[number * 7 % grey.size] ^= 1
    return grey


@cache
def still_images(seed: int = 1) -> list[Grey]:
    return [noisy(scene(seed), n) for n in range(POOL)]


@cache
def night_images() -> list[Grey]:
    return [noisy(np.full((180, 320), 8, np.uint8), n) for n in range(POOL)]


@cache
def rain_images() -> list[Grey]:
    """Return images of one scene, each with two hundred bright streaks."""
    draw, found = np.random.default_rng(5), []
    for image in still_images():
        grey = image.copy()
        for row, column in zip(draw.integers(0, 165, 200), draw.integers(0, 320, 200), strict=True):
            grey[row : row + 15, column] = 230
        found.append(grey)
    return found


@cache
def lamp_images() -> list[Grey]:
    """Return images of one scene with the lamp off and on, in turns."""
    found = []
    for n, image in enumerate(still_images()):
        grey = image.copy()
        if n % 2:
            grey[40:120, 60:160] = np.minimum(grey[40:120, 60:160].astype(int) + 90, 255)
        found.append(grey)
    return found


def hovering(
    number: int,
    box: Box,
    draw: random.Random,
    *,
    label: str = "person",
    jitter: float = 2.0,
) -> list[Detection]:
    """Return an object whose confidence hovers at the threshold of 0.5.

    Its box jitters, single frames miss it, and for some seconds of each minute all do.
    """
    confidence = min(0.7, max(0.3, draw.gauss(0.5, 0.08)))
    if draw.random() < 0.1 or number % 150 < 10:
        return []
    dx, dy, wider = (draw.gauss(0, jitter) for _ in range(3))
    moved = Box(box.x_min + dx, box.y_min + dy, box.x_max + dx + wider, box.y_max + dy)
    return [Detection(label, 0, confidence, moved)]


Scene = Callable[[int], Observation]


def frames_of(make: Scene, seconds: float, *, fps: float = 2.5) -> Iterable[Observation]:
    return (make(n) for n in range(int(seconds * fps)))
