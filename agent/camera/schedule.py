"""Which frames are due, what time a recording shows, and when an image is frozen: no I/O."""

import math

FALLBACK_FPS = 25.0
SANE_FPS = (0.1, 1000.0)
_LONGEST_GAP_S = 3600.0
_ROUNDING_S = 0.001  # some containers keep times in whole milliseconds
_MOST_ROUNDING = 0.25  # of a slot


class FrameSchedule:
    """Thins a stream to `fps`: the first frame at or after each k/fps, counted from its first.

    A frame late by whole slots serves them all: nothing is caught up.

    `jitter` is the part of a slot, 0 to below 0.5, by which a frame may come early or late and
    still count for its slot. A camera that delivers just at `fps` would without it lose every
    other frame to the unrest of its network.
    """

    def __init__(self, fps: float, *, jitter: float = 0.0) -> None:
        self._fps = fps
        self._jitter = jitter
        self._rounding = min(_ROUNDING_S * fps, _MOST_ROUNDING)  # in slots
        self._first: float | None = None
        self._slot = 0

    def due(self, at: float) -> bool:
        """Whether the frame of time `at` (seconds) is to be taken; always, with an fps of 0."""
        if not self._fps or self._first is None:
            return True
        return (at - self._first) * self._fps >= self._slot - self._jitter - self._rounding

    def take(self, at: float) -> None:
        """Note that the frame of time `at` was taken."""
        if self._first is None:
            self._first = at
        passed = math.floor((at - self._first) * self._fps - self._jitter + self._rounding)
        self._slot = max(self._slot, passed) + 1


class RecordingClock:
    """Positions in a recording: as the file states them while they make sense, else counted.

    What it returns always increases. A statement that does not, or that leaps by more than an
    hour, is replaced by the previous position plus one frame at the nominal rate.
    """

    def __init__(self, nominal_fps: float) -> None:
        low, high = SANE_FPS
        self._step = 1.0 / (nominal_fps if low <= nominal_fps <= high else FALLBACK_FPS)
        self._at: float | None = None

    def position(self, stated_s: float) -> float:
        """Return the position in seconds of the next frame, for which the file states `stated_s`.

        The first frame is at 0 unless the file states a later, sane position.
        """
        if self._at is None:
            self._at = stated_s if 0.0 <= stated_s <= _LONGEST_GAP_S else 0.0
        elif self._at < stated_s <= self._at + _LONGEST_GAP_S:
            self._at = stated_s
        else:
            self._at += self._step
        return self._at


class FreezeWatch:
    """Notices a camera that keeps delivering one and the same image.

    A sensor has noise: two images that agree in each bit come from a stuck encoder, not from a
    quiet scene.
    """

    def __init__(self, stall: float) -> None:
        self._stall = stall
        self._pixel_hash: int | None = None
        self._since = 0.0
        self.same_for = 0.0
        """For how many seconds the last image has not changed."""

    @property
    def frozen(self) -> bool:
        """Whether the image has been the same for `stall` seconds."""
        return self.same_for >= self._stall

    def see(self, pixel_hash: int, now: float) -> None:
        """Note the pixel_hash of the image that arrived at `now`, in monotonic seconds."""
        if pixel_hash != self._pixel_hash:
            self._pixel_hash = pixel_hash
            self._since = now
        self.same_for = now - self._since
