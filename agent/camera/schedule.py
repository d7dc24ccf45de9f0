"""Frame schedule, clock of a recording, and detection of frozen images. Pure."""

import math

FALLBACK_FPS = 25.0
SANE_FPS = (0.1, 1000.0)
RESTART_S = 1.0
"""Frames that are stored or shown out of order are closer together."""

_LONGEST_GAP_S = 3600.0
_ROUNDING_S = 0.001  # some containers store times in whole milliseconds
_MOST_ROUNDING = 0.25  # of a slot
_USUAL_FACTOR = 3.0  # the longest interval between two renewals, times this


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
    than an hour, is replaced by the previous position plus one frame at the nominal rate. If it
    jumps, or goes back by more than `RESTART_S`, it starts the next part of a joined recording: the
    positions that follow are counted from it.
    """

    def __init__(self, nominal_fps: float) -> None:
        low, high = SANE_FPS
        self._step = 1.0 / (nominal_fps if low <= nominal_fps <= high else FALLBACK_FPS)
        self._at: float | None = None
        self._stated = 0.0
        self._shift = 0.0  # from the stated positions of this part to those returned

    def position(self, stated_s: float) -> float:
        """Return the position in seconds of the next frame, for which the file states `stated_s`.

        The first frame is at 0 unless the file states a later, plausible position. A negative
        `stated_s` is none.
        """
        shifted = stated_s + self._shift
        if self._at is None:
            self._at = shifted if 0.0 <= stated_s <= _LONGEST_GAP_S else 0.0
            restarted = True
        else:
            jumped = stated_s > self._stated + _LONGEST_GAP_S
            restarted = jumped or stated_s < self._stated - RESTART_S
            plausible = not restarted and stated_s > self._stated and shifted > self._at
            self._at = shifted if plausible else self._at + self._step
        if stated_s >= 0.0:
            self._shift = self._at - stated_s if restarted else self._shift
            self._stated = stated_s if restarted else max(self._stated, stated_s)
        return self._at


class FreezeWatch:
    """Detects a camera that delivers the same image again and again.

    A still-image address is renewed by some cameras once a minute only: after its first two
    changes, the image may stay the same for three times the longest interval so far.
    """

    def __init__(self, stall: float) -> None:
        self._stall = stall
        self._pixel_hash: int | None = None
        self._since: float | None = None  # when the image arrived; None before the first
        self._longest = 0.0  # seconds between two renewals of a still image
        self._repeated = False  # since the image changed, it was requested without being renewed
        self.same_for = 0.0
        """Seconds for which the image has not changed."""

    @property
    def frozen(self) -> bool:
        """Whether the image has been the same for `stall` seconds, or longer than is usual."""
        return self.same_for >= max(self._stall, _USUAL_FACTOR * self._longest)

    def record(self, pixel_hash: int, now: float) -> bool:
        """Record the hash of the image that arrived at `now`, in monotonic seconds.

        Returns:
            Whether the image changed.
        """
        changed = pixel_hash != self._pixel_hash
        if changed:
            if self._repeated and self._since is not None:
                self._longest = min(max(self._longest, now - self._since), _LONGEST_GAP_S)
            self._pixel_hash = pixel_hash
            self._since = now
            self._repeated = False
        self.same_for = 0.0 if self._since is None else now - self._since
        return changed

    def repeat(self, now: float) -> None:
        """Record that a still image was requested at `now` and was the same as before.

        Before an image was recorded, there is nothing that could be the same.
        """
        if self._since is None:
            return
        self._repeated = True
        self.same_for = now - self._since

    def restart(self, since: float | None = None) -> None:
        """Forget the image: the time until the camera is opened again does not count.

        `since` is when the image arrived, if it may still be repeated.
        """
        self._pixel_hash = None
        self._since = since
        self._repeated = False
        self.same_for = 0.0
