"""The hours of the day in which captures may be sent, by the device's own clock.

Computed at each call, so steps of the clock and of summer time need no special handling.
"""

import re
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

ALWAYS = "always"
ALLOWED = "must be always, or local time from-to such as 01:00-05:00"

PLAUSIBLE_SINCE = 1_704_067_200.0
"""2024-01-01 UTC, in seconds since 1970; a clock before this has not been set."""

_SPAN = re.compile(r"\s*([0-9]{1,2}):([0-9]{2})\s*-\s*([0-9]{1,2}):([0-9]{2})\s*")
_DAY = 24 * 60  # minutes


@dataclass(frozen=True, slots=True)
class UploadWindow:
    """A span of each day in local time; it goes over midnight when it ends before it starts.

    A clock that was never set says nothing about the hour: the window stays closed until then.
    """

    start: int  # minutes after midnight, 0 to 1439
    end: int  # the first minute that is outside

    def __str__(self) -> str:
        return f"{_hour(self.start)}-{_hour(self.end)}"

    def opens_in(self, wall: float) -> float:
        """Return the seconds until captures may be sent: 0 = now, infinite = not known.

        `wall` is in seconds since 1970.
        """
        if wall < PLAUSIBLE_SINCE:
            return float("inf")
        now = _local(wall)
        minute = now.hour * 60 + now.minute
        inside = self.start <= minute < self.end
        if self.end <= self.start:
            inside = minute >= self.start or minute < self.end
        return 0.0 if inside else max(self._next_start(now).timestamp() - wall, 1.0)

    def opening(self, wall: float) -> str:
        """Return when a closed window opens, for people: `at 2026-05-28 01:00`."""
        if wall < PLAUSIBLE_SINCE:
            return f"when the clock is set (NTP): it says {_local(wall):%Y-%m-%d}"
        return f"at {self._next_start(_local(wall)):%Y-%m-%d %H:%M}"

    def _next_start(self, now: datetime) -> datetime:
        start = now.replace(hour=self.start // 60, minute=self.start % 60, second=0, microsecond=0)
        return start if start > now else start + timedelta(days=1)


def parse_upload_window(value: object) -> object:
    """The window of a text such as `22:00-06:00`, None for `always`; other types are passed on.

    Raises `ValueError` for any other text.
    """
    if not isinstance(value, str):
        return value
    if value.strip() == ALWAYS:
        return None
    match = _SPAN.fullmatch(value)
    if match is None:
        raise ValueError(ALLOWED)
    hour, minute, end_hour, end_minute = map(int, match.groups())
    start, end = hour * 60 + minute, end_hour * 60 + end_minute
    if max(minute, end_minute) > 59 or start >= _DAY or end > _DAY or start == end % _DAY:  # noqa: PLR2004
        raise ValueError(ALLOWED)
    return UploadWindow(start, end % _DAY)


def _local(wall: float) -> datetime:
    """Return the local time: naive, because each further day may have another offset.

    The C library reads the time zone once, and again only when it is told to: a person may set it
    long after the daemon has started.
    """
    time.tzset()
    return datetime.fromtimestamp(wall)  # noqa: DTZ006


def _hour(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
