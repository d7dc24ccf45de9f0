"""The random lane: an unbiased sample of frames, each with its weight."""

import hashlib
import json
import math
from dataclasses import dataclass

from agent.domain import Frame, Sampling


@dataclass(slots=True)
class RandomLane:
    """Stratified random sample of one camera's stream.

    Time on the stream's clock is cut into slots of `interval` seconds with one uniformly random
    instant in each; the first frame at or after the instant, and still within the slot, is drawn.
    The instant depends only on the seed, the camera, the stream and the slot: it does not depend on
    what the frames show, and a restart of the process does not change or repeat it.

    **Over reboots the slots of a camera go on.** A slot may be much longer than a boot, 15 days
    with a third of a credit a day; slots that began again with each boot would draw none for
    months, then many. `memory` returns how long the clock ran, and the next boot begins there. The
    slots then are named after the boot in which the first one began.

    The sample stays unbiased, because what the next boot gets does not depend on the draws: it is
    written at fixed times, and never with a capture. A power cut takes the clock back to the last
    `memory`, and the first frames after it are of time that was sampled before. So until `memory`
    is called the instants are others, named after the new boot: each frame is drawn with the same
    chance in all cases.
    """

    interval: float | None  # seconds; None draws nothing
    seed: str
    boot: str = ""  # the stream whose slots go on in the next boot; none by default
    _slots: str = ""  # names the slots of `boot`
    _first: str = ""  # the boot in which the slots began
    _before: float = 0.0  # seconds in earlier boots
    _stream: str = ""
    _previous: float = math.inf  # time of the previous frame
    _newest: float = 0.0  # time of the newest frame of `boot`

    def resume(self, text: str | None, boot: str) -> None:
        """Continue the slots of what `memory` returned in an earlier process, if any.

        Call it before the first frame. `boot` is the stream of this boot's frames. A text that is
        damaged counts as none.
        """
        self.boot = self._slots = self._first = boot
        try:
            first, earlier, before, newest = json.loads(text or "")
            before, newest = float(before), float(newest)
            if not (0 <= before < math.inf and 0 <= newest < math.inf):
                return
        except (ValueError, TypeError, RecursionError):
            return
        self._first, self._before = str(first), before
        if earlier == boot:
            self._slots, self._newest = self._first, newest
        else:
            self._before += newest

    def memory(self) -> str:
        """Return the state for the next process. Call it at times that no draw decides."""
        self._slots = self._first
        return json.dumps((self._first, self.boot, round(self._before, 3), round(self._newest, 3)))

    def draw(self, frame: Frame) -> Sampling | None:
        """Return how `frame` was drawn, or None. Frames of one camera must come in order."""
        if self.interval is None:
            return None
        if frame.stream != self._stream:
            # An instant before this process's first frame had no frame, or was served by the
            # previous process.
            self._stream, self._previous = frame.stream, frame.at
        previous, self._previous = self._previous, frame.at
        if frame.stream == self.boot:
            self._newest = frame.at
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
        """Return the start and the drawn instant of a frame's slot, on the stream's clock.

        The time without power is not counted: a slot that began in an earlier boot starts as long
        before this one as it ran then.
        """
        is_boot = bool(self.boot) and frame.stream == self.boot
        name, before = (self._slots, self._before) if is_boot else (frame.stream, 0.0)
        slot = math.floor((frame.at + before) / interval)
        start = slot * interval - before
        return start, start + interval * self._uniform(frame.camera, name, slot)

    def _uniform(self, camera: str, slots: str, slot: int) -> float:
        """Return a number in [0, 1) that depends only on the names and the slot."""
        text = "\0".join((self.seed, camera, slots, str(slot)))
        digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
        return (int.from_bytes(digest) >> 11) / 2**53
