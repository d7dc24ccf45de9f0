"""Times as applications write them: RFC 3339, or seconds before now. Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from agent.errors import RefusalKind, RequestRefused
from agent.printable import printable

_FORMS = "write RFC 3339, such as 2026-05-28T20:26:40.123Z, or seconds before now, such as -3s"
_SHOWN = 60  # characters of a refused text that the message repeats
_MOST_DIGITS = 6  # of a fraction: what `datetime` holds

_MOST_AGO = 1e6
"""Seconds; a larger number is a time since 1970 by mistake."""

_RFC_3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d):(\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)?", re.ASCII
)
_AGO = re.compile(r"-?(\d{1,9}(?:\.\d{1,9})?)(ms|s)?", re.ASCII)
_PER_UNIT = {"ms": 1e-3, "s": 1.0, None: 1.0}


@dataclass(frozen=True, slots=True)
class Ago:
    """So many seconds before now, by a clock that never steps."""

    seconds: float  # 0 and up


@dataclass(frozen=True, slots=True)
class WallTime:
    """A time by the clock on the wall."""

    seconds: float  # since 1970 UTC


def parse_moment(at: str | float) -> Ago | WallTime:
    """Read `at` of a request.

    A number is seconds before now, with or without a minus: nobody asks for the future. Raises
    `RequestRefused`, `INVALID`, for anything else.
    """
    if isinstance(at, bool):
        raise _refused(at)
    if isinstance(at, str):
        return _parse_text(at)
    if not abs(at) <= _MOST_AGO:  # also NaN; an integer may be too large for a float
        raise _refused(at)
    return Ago(abs(float(at)))


def _parse_text(at: str) -> Ago | WallTime:
    ago = _AGO.fullmatch(at)
    if ago is not None:
        return _parse_ago(ago)
    found = _RFC_3339.fullmatch(at)
    if found is None:
        raise _refused(at)
    date, minutes, seconds, fraction, offset = found.groups()
    if offset is None:
        raise RequestRefused(
            RefusalKind.INVALID,
            f"cannot read the time {_shown(at)}: it has no offset from UTC; append Z, or an offset "
            "such as +02:00",
        )
    is_leap = seconds == "60"
    text = f"{date}T{minutes}:{'59' if is_leap else seconds}{offset.upper()}"
    try:
        moment = datetime.fromisoformat(text)
        passed = (moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(seconds=1)
    except (ValueError, OverflowError):
        raise _refused(at) from None
    part = float(f"0.{(fraction or '0')[:_MOST_DIGITS]}")
    return WallTime(passed + is_leap + part)


def _parse_ago(found: re.Match[str]) -> Ago:
    """Return what the groups of a match say: a number and its unit."""
    number, unit = found.groups()
    seconds = float(number) * _PER_UNIT[unit]
    if seconds > _MOST_AGO:
        raise _refused(found.string)
    return Ago(seconds)


def _refused(at: object) -> RequestRefused:
    return RequestRefused(RefusalKind.INVALID, f"cannot read the time {_shown(at)}: {_FORMS}")


def _shown(at: object) -> str:
    shown = printable(at, _SHOWN)
    return f"'{shown}'" if isinstance(at, str) else shown
