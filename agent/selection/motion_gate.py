"""Whether anything has moved since the model last ran: if not, its output still holds.

Two frames of a still scene differ by noise alone. Each place of the image learns how much it
differs, so that a change counts only if it is larger than the noise of its own place. When in
doubt, the model runs: while the noise is being learnt, when much of the image changes, and for a
while after each motion.
"""

from enum import Enum

import numpy as np
from numpy.typing import NDArray

from agent.domain import Grey
from agent.selection.frame_context import LOOK_AHEAD, shrunk

RUN_EVERY_S = 10.0
"""The model runs at least once in so many seconds."""

LEARN_S, LEARN_FRAMES = 30.0, 40
"""How long, and in how many frames, the noise is learnt before the first frame is skipped."""

SMALLEST_PART = 0.0012
"""Share of the image. An object of this size that moves by its own width is seen if it differs by
20 grey levels from what is behind it: 33 x 33 pixels at 720p."""

_GAP_S = 5.0  # without a frame; the camera may show something else by now
_HOLD_S, _HOLD_FRAMES = 1.0, LOOK_AHEAD  # that are analysed after the last motion
_SUMMED = 36  # pixels of `[180, 320]` in each figure: 3 x 3 cells of 2 x 2
_LEAST_CHANGE = 6.0 * _SUMMED  # 6 grey levels; compression alone changes a place by less
_NOISE_FACTOR = 8.0  # times the median change of a place: 5.4 standard deviations of noise
_NOISE_LEAST, _NOISE_MOST = 0.25 * _SUMMED, 2.5 * _SUMMED
"""Grey levels. What changes by more is no noise: a place where things always move stays seen."""
_LEAST_CELLS = 4  # cells that changed; fewer are specks
_SCENE_SHARE = 0.5  # of the cells; if more of them changed, the camera shows another scene
_SCENE_LIGHT = 20.0 * _SUMMED  # change of the whole image's brightness, the same
_LEARNING_STEP, _STEP = 1.05, 1.02  # factors by which a place's noise follows its median


class Gate(Enum):
    """What is to be done with a frame."""

    RUN = "run"
    SKIP = "skip"


class MotionGate:
    """Decides for the frames of one camera, which come nearly in order. Not thread-safe."""

    def __init__(self) -> None:
        self._run: NDArray[np.int16] | None = None  # the latest frame on which the model ran
        self._run_at = 0.0
        self._noise = np.full((0, 0), 0.0, np.float32)
        self._known_from = 0.0
        self._learnt_frames = 0
        self._hold_until = 0.0
        self._hold_frames = 0
        self.is_doubtful = False
        """Whether the model's latest output is near a threshold: then several frames in a row are
        analysed each time, because rules compare neighbouring frames."""

    def decide(self, grey: Grey, at: float, *, step: float | None, must_run: bool = False) -> Gate:
        """Return whether the model must run on a frame.

        Args:
            grey: The frame's thumbnail.
            at: Its time, in seconds of the stream.
            step: Seconds from the camera's frame before; None if there is none, or it is of
                another stream.
            must_run: Something besides motion needs the model's output for this frame.
        """
        sums = _sums(grey)
        if step is None or not 0 <= step <= _GAP_S or self._run is None:
            self._start(at)
            return self._ran(sums, at)
        change = sums - self._run
        light = int(np.median(change[::4, ::4]))
        change = np.abs(change - np.int16(light))
        moved = change > _LEAST_CHANGE + _NOISE_FACTOR * self._noise
        cells = int(np.count_nonzero(moved))
        self._learn(change)
        if cells > _SCENE_SHARE * moved.size or abs(light) > _SCENE_LIGHT:
            self._start(at)
        elif cells >= _LEAST_CELLS:
            self._hold(at)
        is_due = at + step - self._run_at > RUN_EVERY_S
        if is_due and self.is_doubtful:
            self._hold_frames = max(self._hold_frames, _HOLD_FRAMES + 1)
        if must_run or is_due or self._is_learning(at) or self._is_held(at):
            self._hold_frames -= 1
            return self._ran(sums, at)
        return Gate.SKIP

    def _ran(self, sums: NDArray[np.int16], at: float) -> Gate:
        self._run, self._run_at = sums, at
        return Gate.RUN

    def _start(self, at: float) -> None:
        """Learn the noise from the beginning."""
        self._noise = np.full((88, 158), _NOISE_LEAST, np.float32)
        self._known_from = at + LEARN_S
        self._learnt_frames = 0
        self._hold_frames, self._hold_until = 0, at

    def _is_learning(self, at: float) -> bool:
        return at < self._known_from or self._learnt_frames < LEARN_FRAMES

    def _hold(self, at: float) -> None:
        self._hold_frames, self._hold_until = _HOLD_FRAMES + 1, at + _HOLD_S

    def _is_held(self, at: float) -> bool:
        return self._hold_frames > 0 or at < self._hold_until

    def _learn(self, change: NDArray[np.int16]) -> None:
        """Move the noise of each place one step towards the median of its changes."""
        step = _LEARNING_STEP if self._learnt_frames < 2 * LEARN_FRAMES else _STEP
        self._learnt_frames += 1
        self._noise *= np.where(change > self._noise, np.float32(step), np.float32(1 / step))
        np.clip(self._noise, _NOISE_LEAST, _NOISE_MOST, out=self._noise)


def _sums(grey: Grey) -> NDArray[np.int16]:
    """Return the sums of the 6 x 6 pixels around each 2 x 2 of `[180, 320]`, as `[88, 158]`."""
    cells = shrunk(grey)
    rows = cells[:-2] + cells[1:-1] + cells[2:]
    return np.asarray(rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:])
