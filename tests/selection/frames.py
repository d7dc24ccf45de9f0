"""Frames, detections and observations without a camera or a model."""

from collections.abc import Iterable, Sequence

import numpy as np

from agent.domain import Box, Detection, Frame, Observation, Sampling
from agent.selection.random_lane import RandomLane

BLACK = np.zeros((4, 4, 3), np.uint8)


def frame(at: float, *, camera: str = "gate", stream: str = "boot", sequence: int = 0) -> Frame:
    return Frame(
        camera=camera,
        sequence=sequence,
        pixels=BLACK,
        at=at,
        captured_at=1_784_512_000.0 + at,
        monotonic_ns=int(at * 1e9),
        stream=stream,
    )


def detection(confidence: float, label: str = "car") -> Detection:
    return Detection(label, 0, confidence, Box(0.0, 0.0, 2.0, 2.0))


def observation(at: float, *confidences: float) -> Observation:
    return Observation(frame(at), tuple(detection(each) for each in confidences))


def drawn(lane: RandomLane, times: Iterable[float], *, stream: str = "boot") -> dict[int, Sampling]:
    """Return the draws of a random lane, by the index of the drawn frame."""
    found = {}
    for index, at in enumerate(times):
        sampling = lane.draw(frame(at, stream=stream))
        if sampling is not None:
            found[index] = sampling
    return found


def chi_square(counts: Sequence[int]) -> float:
    """Return the chi-square statistic of counts against all being equal."""
    expected = sum(counts) / len(counts)
    return sum((count - expected) ** 2 / expected for count in counts)
