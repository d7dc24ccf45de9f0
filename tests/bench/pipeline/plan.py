"""How much the bench does, and in which order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tests.bench.pipeline.recordings import Recordings

Side = TypeVar("Side")


@dataclass(frozen=True, slots=True)
class Plan:
    """The size of a run of the bench."""

    recordings: Recordings
    rounds: int = 5
    frames: int = 1000  # of a run at full speed, all cameras together
    seconds: int = 20  # of a run that is paced
    minutes: float = 1.0  # of the soak

    def interleaved(self, sides: Sequence[Side]) -> Iterator[Side]:
        """Yield each side once in each round; every second round goes backwards."""
        for number in range(self.rounds):
            yield from sides if number % 2 == 0 else list(reversed(sides))
