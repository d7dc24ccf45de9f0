"""The random lane: an unbiased sample of frames, each with its weight."""

import hashlib
import math
from dataclasses import dataclass

from agent.domain import Frame, Sampling


@dataclass(slots=True)
class RandomLane:
    """Stratified random sample of one camera's stream.

    Time on the stream's clock is cut into slots of `interval` seconds with one uniformly random
    instant in each; the first frame at or after the instant, and still within the slot, is drawn.
    The instant depends only on the seed, the camera, the stream and the slot: it does not depend on
    what the frames show, a restart does not change it, and it is never drawn twice.
    """

    interval: float | None  # seconds; None draws nothing
    seed: str
    _stream: str = ""
    _previous: float = math.inf  # time of the previous frame

    def draw(self, frame: Frame) -> Sampling | None:
        """Return how `frame` was drawn, or None. Frames of one camera must come in order."""
        if self.interval is None:
            return None
        if frame.stream != self._stream:
            # An instant before this process's first frame had no frame, or was served by the
            # previous process.
            self._stream, self._previous = frame.stream, frame.at
        previous, self._previous = self._previous, frame.at
        if not self.is_due(frame, previous):
            return None
        start, _ = self.drawn(frame, self.interval)
        return Sampling(
            slot_start=frame.captured_at - (frame.at - start),
            slot_seconds=self.interval,
            weight=self.interval,
        )

    def is_due(self, frame: Frame, previous: float) -> bool:
        """Return whether `draw` draws a frame; `previous`: time of the frame before it."""
        if self.interval is None:
            return False
        _, instant = self.drawn(frame, self.interval)
        return previous < instant <= frame.at

    def drawn(self, frame: Frame, interval: float) -> tuple[float, float]:
        """Return the start and the drawn instant of a frame's slot, on the stream's clock."""
        slot = math.floor(frame.at / interval)
        start = slot * interval
        return start, start + interval * self._uniform(frame, slot)

    def _uniform(self, frame: Frame, slot: int) -> float:
        """Return a number in [0, 1) that depends only on the names and the slot."""
        text = "\0".join((self.seed, frame.camera, frame.stream, str(slot)))
        digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
        return (int.from_bytes(digest) >> 11) / 2**53
