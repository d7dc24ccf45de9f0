"""Compares the stated size of raw frames with the amounts that a program writes at a time. Pure."""

from agent.camera.program.output import NotFrames

PAUSE_MS = 10.0
"""A program that wrote nothing for this long has written a whole frame, if it writes live video."""

_EQUAL = 4  # bursts of one wrong size in a row
_PAUSES = 8  # without a result; the amounts say nothing, and the size is believed
_FRAMES, _ENDLESS = 8, 8_000_000  # the same of frames and of bytes without a pause


class FrameBursts:
    """Raw frames have no header: a wrong size yields sheared images, which nothing else shows.

    A program with live video writes a frame and pauses. It is `settled` once it pauses at the end
    of a frame; its frames are held back until then.
    """

    def __init__(self, width: int, height: int, frame_bytes: int) -> None:
        """`width`, `height`: as stated, in pixels; `frame_bytes`: of such a frame."""
        self.settled = False
        self._frame = frame_bytes
        self._shown = f"{width}x{height}"
        self._total = 0
        self._burst = 0  # bytes since the last pause
        self._last = 0  # bytes of the burst before
        self._equal = 0  # bursts of that size in a row
        self._pauses = 0

    def take(self, count: int) -> None:
        """Count bytes that were written."""
        self._total += count
        self._burst += count
        if self._total >= _FRAMES * self._frame and self._burst >= _ENDLESS:
            self.settled = True

    def pause(self) -> None:
        """Take note of a pause. Equal parts of a frame are allowed: some cameras send slices.

        Raises:
            NotFrames: Several amounts in a row were the same, and no frame of the stated size.
        """
        if self.settled or not self._burst:
            return
        burst, self._burst = self._burst, 0
        self._equal = self._equal + 1 if burst == self._last else 1
        self._last = burst
        self._pauses += 1
        is_end = self._total % self._frame == 0 and (burst < self._frame or not burst % self._frame)
        self.settled = is_end or self._pauses >= _PAUSES
        is_block = burst & (burst - 1) == 0  # a power of two: of a buffer on the way
        is_part = is_block or self._frame % burst == 0
        if not self.settled and self._equal >= _EQUAL and not is_part:
            raise NotFrames(
                f"it writes {burst} bytes at a time, but a frame of {self._shown} has "
                f"{self._frame}: check that size and format are those of the program, and let it "
                "write a width that is a multiple of 64: some programs pad the lines of others"
            )
