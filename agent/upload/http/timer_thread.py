"""One thread that calls when a time is over; a timer for each request would cost one for each."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition, Thread

_NEVER = float("inf")


@dataclass(eq=False, slots=True)
class Timer:
    """A call that is due, unless it is called off before."""

    ends: float  # seconds of the monotonic clock of the machine
    call: Callable[[], None]


class TimerThread:
    """Alarms of many threads. Its own thread begins with the first and ends with `close`."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._alarms: set[Timer] = set()
        self._wakes_at = _NEVER
        self._thread: Thread | None = None

    def set(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Let `call` be called in `seconds`, by another thread; it must not block."""
        alarm = Timer(time.monotonic() + seconds, call)
        with self._changed:
            self._alarms.add(alarm)
            if self._thread is None:
                self._thread = Thread(target=self._watch, name="deadlines", daemon=True)
                self._thread.start()
            elif alarm.ends < self._wakes_at:
                self._changed.notify()
        return alarm

    def delay(self, alarm: Timer, seconds: float) -> None:
        """Call so much later."""
        with self._changed:
            alarm.ends += seconds

    def call_off(self, alarm: Timer) -> None:
        """Do not call any more; a call that has begun goes on."""
        with self._changed:
            self._alarms.discard(alarm)

    def close(self) -> None:
        """Call off everything and end the thread; a later `set` begins another."""
        with self._changed:
            self._alarms.clear()
            self._thread = None
            self._changed.notify_all()

    def _watch(self) -> None:
        me = None
        while True:
            with self._changed:
                me = me or self._thread
                if self._thread is not me:
                    return
                now = time.monotonic()
                due = [alarm for alarm in self._alarms if alarm.ends <= now]
                self._alarms.difference_update(due)
                if not due:
                    # It sleeps on when an alarm is called off: most are, and waking costs.
                    self._wakes_at = min((alarm.ends for alarm in self._alarms), default=_NEVER)
                    self._changed.wait(None if self._wakes_at == _NEVER else self._wakes_at - now)
            for alarm in due:
                alarm.call()
