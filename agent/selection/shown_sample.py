"""Which of the predictions that people saw are drawn, and with which probability.

The drawing is that of the random lane (`RandomLane`). The running time of the device is cut into
slots of L seconds for each camera, with one instant in each, uniformly random: seed, camera, boot
and slot alone decide it. The first shown frame at or after the instant, and still in its slot, is
drawn. So a camera gives at most one frame a slot, however often something is shown.

**Inclusion probability.** Let t1 < t2 < ... be the times of the frames of one camera that were
shown. The frame of ti is drawn exactly if the instant u of its slot, which begins at s, is after
the frame before it and not after its own time:

    max(t(i-1), s) < u <= ti

u is uniform over the L seconds of the slot, and neither what is shown nor when depends on u: nobody
is told what was drawn. Before the draw, that has the probability

    p = (ti - max(t(i-1), s)) / L

A frame after a long gap is drawn more often than one that follows at once, and p says by how much.
Each shown frame has p > 0, and is drawn with exactly this probability: the sum of 1/p over the
drawn frames has as its expectation the number of shown frames (Horvitz and Thompson), and the sum
of y/p that of any quantity y over them.

A start begins with nothing shown: for its first frame, t(i-1) is the time of the start. The process
before it has served the instants up to its own last frame; those between nobody serves. No instant
is served twice, and none depends on the start.
"""

import math
from dataclasses import dataclass, field, replace

from agent.domain import Frame
from agent.selection.budget.ledger import DAY_S
from agent.selection.random_lane import RandomLane

_SEED = "shown"  # other instants than the random lane's, which has the same device and camera


def slot_seconds(per_day: float, cameras: int) -> float:
    """Return the length of a camera's slots, so that all together draw `per_day` (above 0) a day.

    Each camera has slots of its own. With one sequence for all, of frames that are shown side by
    side the one that is reported first would be drawn nearly always, and the others with a
    probability, and so a weight, that says next to nothing.
    """
    return cameras * DAY_S / per_day


@dataclass(slots=True)
class ShownSample:
    """A random sample of the shown frames of all cameras, each with its inclusion probability."""

    interval: float  # seconds of a slot
    seed: str
    boot: str  # times of different boots cannot be compared
    start: float  # monotonic seconds: when this process began to hear of what is shown
    _previous: dict[str, float] = field(default_factory=dict)  # time of the frame before, by camera

    def is_newer(self, camera: str, at: float) -> bool:
        """Return whether a frame is newer than all of its camera that were shown."""
        return at > self._previous.get(camera, self.start)

    def draw(self, frame: Frame, at: float) -> float | None:
        """Return the inclusion probability of a shown frame if it is drawn, None if it is not.

        `at` is the time of the frame in monotonic seconds; `is_newer` must be true of it.
        """
        previous = self._previous.get(frame.camera, self.start)
        self._previous[frame.camera] = at
        lane = RandomLane(self.interval, f"{self.seed}\0{_SEED}")
        if not lane.is_due(replace(frame, at=at, stream=self.boot), previous):
            return None
        return self.probability(at, previous) or None  # 0 only if the instant begins the slot

    def probability(self, at: float, previous: float) -> float:
        """Return the inclusion probability of a frame shown after `previous`, 0 to 1."""
        start = math.floor(at / self.interval) * self.interval
        return min(1.0, (at - max(previous, start)) / self.interval)
