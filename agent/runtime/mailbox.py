"""Between cameras and inference: only the newest frame of each camera.

One of the two places where data may be lost: a frame that no worker took before the next came is
dropped, and counted. A recording whose frames must all be analysed waits instead.

Frames of a camera are evaluated in order, so those that were taken after one whose run takes long
wait in memory. Their number is limited: while a run hangs, later frames of that camera are dropped,
and the workers analyse other cameras.
"""

import math
import threading
from dataclasses import dataclass

from agent.domain import Frame

AHEAD = 3
"""Frames of one camera that may be taken and unfinished, besides one for each worker."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A frame that a worker took; `order` counts the taken frames of its camera from 0."""

    frame: Frame
    order: int
    previous_at: float | None = None
    """`at` of the frame taken before it from this camera; None if its stream is another one."""


@dataclass(slots=True, eq=False)
class _Slot:
    lossless: bool
    frame: Frame | None = None
    taken: int = 0
    previous: tuple[str, float] | None = None  # stream and time of the frame taken last
    finished: int = 0  # of those taken, in their order
    offered: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class FrameCounts:
    """Frames since the start."""

    offered: int
    dropped: int
    taken: int


class Mailbox:
    """One slot per camera; workers take from all cameras in round-robin order."""

    def __init__(self, cameras: dict[str, bool], *, unfinished: float = math.inf) -> None:
        """Make one empty slot for each camera.

        Args:
            cameras: Maps each name to whether its frames must not be dropped.
            unfinished: Most frames of one camera that are taken and not finished.
        """
        self._most_unfinished = unfinished
        self._lock = threading.Lock()
        # One for those who wait for a frame, one for those who wait for an empty slot: to wake a
        # thread that finds nothing to do costs as much as half the letterbox of a frame.
        self._frame_came = threading.Condition(self._lock)
        self._slot_emptied = threading.Condition(self._lock)
        self._slots = {name: _Slot(lossless) for name, lossless in cameras.items()}
        self._turn = list(self._slots.values())  # round-robin order, next first
        self._closed = False

    def put(self, frame: Frame) -> None:
        """Offer a frame. An unread one is dropped and counted; a lossless camera waits instead."""
        with self._lock:
            slot = self._slots[frame.camera]
            if slot.lossless:
                self._slot_emptied.wait_for(lambda: slot.frame is None or self._closed)
            slot.offered += 1
            if self._closed:
                slot.dropped += 1
                return
            slot.dropped += slot.frame is not None
            slot.frame = frame
            self._frame_came.notify()

    def count_dropped(self, camera: str, frames: int) -> None:
        """Count frames that were offered and dropped before they came here."""
        with self._lock:
            self._slots[camera].offered += frames
            self._slots[camera].dropped += frames

    def take(self, timeout: float) -> Ticket | None:
        """Return the next frame, or None if none arrived within `timeout` seconds."""
        with self._lock:
            self._frame_came.wait_for(lambda: self._ready() or self._ended(), timeout)
            slot = self._ready()
            if slot is None or slot.frame is None:
                return None
            self._turn.remove(slot)
            self._turn.append(slot)
            frame = slot.frame
            stream, at = slot.previous or (None, None)
            ticket = Ticket(frame, slot.taken, at if stream == frame.stream else None)
            slot.previous = frame.stream, frame.at
            slot.frame = None
            slot.taken += 1
            if slot.lossless:
                self._slot_emptied.notify_all()
            if self._ended():  # the others need not wait for another frame
                self._frame_came.notify_all()
            return ticket

    def finished(self, camera: str, count: int) -> None:
        """The first `count` taken frames of a camera have been evaluated."""
        with self._lock:
            slot = self._slots[camera]
            had_room = self._has_room(slot)
            slot.finished = count
            if slot.frame is not None and not had_room and self._has_room(slot):
                self._frame_came.notify()

    def close(self) -> None:
        """Take no more frames; those inside can still be taken."""
        with self._lock:
            self._closed = True
            self._frame_came.notify_all()
            self._slot_emptied.notify_all()

    @property
    def drained(self) -> bool:
        """Closed, and nothing is left inside."""
        with self._lock:
            return self._ended()

    def counts(self) -> FrameCounts:
        """Totals over all cameras."""
        with self._lock:
            slots = self._slots.values()
            return FrameCounts(
                sum(slot.offered for slot in slots),
                sum(slot.dropped for slot in slots),
                sum(slot.taken for slot in slots),
            )

    def camera_counts(self) -> dict[str, FrameCounts]:
        """Totals of each camera."""
        with self._lock:
            return {
                name: FrameCounts(slot.offered, slot.dropped, slot.taken)
                for name, slot in self._slots.items()
            }

    def _ended(self) -> bool:
        return self._closed and all(slot.frame is None for slot in self._turn)

    def _has_room(self, slot: _Slot) -> bool:
        return slot.taken - slot.finished < self._most_unfinished

    def _ready(self) -> _Slot | None:
        return next(
            (
                slot
                for slot in self._turn
                if slot.frame is not None and (self._closed or self._has_room(slot))
            ),
            None,
        )
