"""One thread for all timers; `threading.Timer` would start a thread for each request."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition, Thread

_NEVER = float("inf")


@dataclass(eq=False, slots=True)
class Timer:
    """A call at a time, unless it is cancelled before."""

    ends: float  # seconds of the monotonic clock of the machine
    call: Callable[[], None]


class TimerThread:
    """Timers of many threads. Its thread starts with the first timer and ends with `close`."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._timers: set[Timer] = set()
        self._wakes_at = _NEVER
        self._thread: Thread | None = None

    def set(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Call `call` after `seconds`, in the timer thread; it must not block."""
        timer = Timer(time.monotonic() + seconds, call)
        with self._changed:
            self._timers.add(timer)
            if self._thread is None:
                self._thread = Thread(target=self._watch, name="deadlines", daemon=True)
                self._thread.start()
            elif timer.ends < self._wakes_at:
                self._changed.notify()
        return timer

    def delay(self, timer: Timer, seconds: float) -> None:
        """Move the timer by `seconds`."""
        with self._changed:
            timer.ends += seconds

    def cancel(self, timer: Timer) -> None:
        """Cancel the timer; a call that has started continues."""
        with self._changed:
            self._timers.discard(timer)

    def close(self) -> None:
        """Cancel all timers and end the thread; a later `set` starts another."""
        with self._changed:
            self._timers.clear()
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
                due = [timer for timer in self._timers if timer.ends <= now]
                self._timers.difference_update(due)
                if not due:
                    # `cancel` does not wake the thread: most timers are cancelled.
                    self._wakes_at = min((timer.ends for timer in self._timers), default=_NEVER)
                    self._changed.wait(None if self._wakes_at == _NEVER else self._wakes_at - now)
            for timer in due:
                timer.call()
