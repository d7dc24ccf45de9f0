"""What `receive` prints: a line for each capture and new device, and each kind of refusal."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from agent.printable import printable
from agent.receiver.receiver import NewDevice, ReceivedCapture, Refusal
from agent.record.verdicts import counted

REPEAT_S = 10.0
"""Seconds within which the same refusal of the same sender is counted instead of printed again."""

_TOO_MANY = 429
_TOO_MANY_REPEAT_S = 86_400.0  # devices that are not admitted send all the time

_KINDS_MAX = 64  # refusals that are told apart; an attacker must not make the list grow
_NAME_MAX = 64  # characters of a name that a sender chose


@dataclass(slots=True)
class _Repeated:
    printed_at: float  # seconds of the monotonic clock
    more: int = 0  # times since then


class ArrivalReport:
    """Writes lines with `write`. Used by one thread at a time, as `Receiver` calls it."""

    def __init__(
        self, write: Callable[[str], object], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._write = write
        self._now = now
        self._refusals: dict[tuple[str, int], _Repeated] = {}

    def arrived(self, capture: ReceivedCapture) -> None:
        """Print that a capture was stored, or had been stored before."""
        what = "stored" if capture.is_new else "repeat"
        device, camera, lane = (
            printable(name or "-", _NAME_MAX)
            for name in (capture.device, capture.camera, capture.lane)
        )
        size = f"{capture.size / 1000:.0f} kB"
        said = f"  verdicts: {counted(capture.verdicts)}" if capture.verdicts else ""
        identity = printable(capture.id)
        self._write(f"{what}  {device}  {camera}  {lane}  {size}  {identity}{said}\n")

    def new_device(self, new: NewDevice) -> None:
        """Print that the first heartbeat of a device arrived; the later ones are not printed."""
        device, version = (printable(text, _NAME_MAX) for text in (new.device, new.version))
        self._write(f"device  {device}  first heartbeat  {version}  {new.address}\n")

    def refused(self, refusal: Refusal) -> None:
        """Print that a request was refused, and why; repeats are counted."""
        now = self._now()
        is_of_all = refusal.status == _TOO_MANY
        kind = "" if is_of_all else refusal.address, refusal.status
        quiet = _TOO_MANY_REPEAT_S if is_of_all else REPEAT_S
        earlier = self._refusals.pop(kind, None)
        if earlier is not None and now - earlier.printed_at < quiet:
            earlier.more += 1
            self._refusals[kind] = earlier
            return
        while len(self._refusals) >= _KINDS_MAX:
            del self._refusals[next(iter(self._refusals))]
        self._refusals[kind] = _Repeated(now)
        more = f" ({earlier.more} more like the one before)" if earlier and earlier.more else ""
        address = printable(refusal.address, _NAME_MAX)
        self._write(f"refused  {address}  {refusal.status}  {printable(refusal.reason)}{more}\n")
