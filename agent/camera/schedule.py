"""Frame schedule, clock of a recording, and detection of frozen images. Pure."""

import math

FALLBACK_FPS = 25.0
SANE_FPS = (0.1, 1000.0)
_LONGEST_GAP_S = 3600.0
_ROUNDING_S = 0.001  # some containers store times in whole milliseconds
_MOST_ROUNDING = 0.25  # of a slot


class FrameSchedule:
    """Reduces a stream to `fps`: the first frame at or after each k/fps from the first frame.

    A frame that is late by several slots counts for all of them; missed slots are not made up.

    `jitter` is the part of a slot, 0 to below 0.5, by which a frame may be early or late and still
    count for its slot. Without it, network jitter would drop every other frame of a camera that
    delivers exactly at `fps`.
    """

    def __init__(self, fps: float, *, jitter: float = 0.0) -> None:
        self._fps = fps
        self._jitter = jitter
        self._rounding = min(_ROUNDING_S * fps, _MOST_ROUNDING)  # in slots
        self._first: float | None = None
        self._slot = 0

    def due(self, at: float) -> bool:
        """Whether the frame of time `at` (seconds) is due; always True for an fps of 0."""
        if not self._fps or self._first is None:
            return True
        return (at - self._first) * self._fps >= self._slot - self._jitter - self._rounding

    def take(self, at: float) -> None:
        """Record that the frame of time `at` was taken."""
        if self._first is None:
            self._first = at
        passed = math.floor((at - self._first) * self._fps - self._jitter + self._rounding)
        self._slot = max(self._slot, passed) + 1


class RecordingClock:
    """Positions in a recording: as stated in the file while they are plausible, else computed.

    The returned positions always increase. A stated position that does not, or that jumps by more
    than an hour, is replaced by the previous position plus one frame at the nominal rate.
    """

    def __init__(self, nominal_fps: float) -> None:
        low, high = SANE_FPS
        self._step = 1.0 / (nominal_fps if low <= nominal_fps <= high else FALLBACK_FPS)
        self._at: float | None = None

    def position(self, stated_s: float) -> float:
        """Return the position in seconds of the next frame, for which the file states `stated_s`.

        The first frame is at 0 unless the file states a later, plausible position.
        """
        if self._at is None:
            self._at = stated_s if 0.0 <= stated_s <= _LONGEST_GAP_S else 0.0
        elif self._at < stated_s <= self._at + _LONGEST_GAP_S:
            self._at = stated_s
        else:
            self._at += self._step
        return self._at


class FreezeWatch:
    """Detects a camera that delivers the same image again and again.

    A sensor has noise: two images that are equal in every bit come from a frozen encoder, not from
    a static scene.
    """

    def __init__(self, stall: float) -> None:
        self._stall = stall
        self._pixel_hash: int | None = None
        self._since = 0.0
        self.same_for = 0.0
        """Seconds for which the image has not changed."""

    @property
    def frozen(self) -> bool:
        """Whether the image has been the same for `stall` seconds."""
        return self.same_for >= self._stall

    def record(self, pixel_hash: int, now: float) -> None:
        """Record the hash of the image that arrived at `now`, in monotonic seconds."""
        if pixel_hash != self._pixel_hash:
            self._pixel_hash = pixel_hash
            self._since = now
        self.same_for = now - self._since
