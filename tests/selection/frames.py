"""Frames, detections and observations without a camera or a model."""

from collections.abc import Iterable, Sequence

from agent.domain import Sampling
from agent.selection.random_lane import RandomLane
from tests.fakes.captures import frame


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
