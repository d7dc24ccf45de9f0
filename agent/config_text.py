"""How values of settings are written by people: durations, sizes, near misses."""

import difflib
import re
from collections.abc import Iterable

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d)?\s*")
_SIZES = ((1000**4, "TB"), (1000**3, "GB"), (1000**2, "MB"), (1000, "kB"))


def parse_duration(value: object) -> object:
    """Seconds of a text such as `90s`, `15m`, `2h`, `1h30m`; a bare number is seconds.

    Raises `ValueError` for any other text. A value that is no text is passed on.
    """
    if not isinstance(value, str):
        return value
    total, position = 0.0, 0
    while position < len(value):
        match = _DURATION.match(value, position)
        if match is None:
            break
        number, unit = match.groups()
        if unit is None and match.span() != (0, len(value)):
            break
        total += float(number) * _UNITS[unit or "s"]
        position = match.end()
    if position == 0 or position < len(value):
        raise ValueError("must be a duration such as 90s, 15m, 2h")
    return total


def show_duration(seconds: float) -> str:
    """The shortest text that `parse_duration` reads as `seconds`."""
    for unit in ("d", "h", "m"):
        if seconds >= _UNITS[unit] and seconds % _UNITS[unit] == 0:
            return f"{seconds / _UNITS[unit]:g}{unit}"
    return f"{seconds:g}s"


def show_size(size: int) -> str:
    """A number of bytes for people: `2GB`, `512MB`, `1.5kB`."""
    for factor, unit in _SIZES:
        if size >= factor:
            return f"{size / factor:.3g}{unit}"
    return f"{size}B"


def closest(name: str, names: Iterable[str]) -> str | None:
    """The real name that a mistyped one most resembles, or None if none does."""
    near = difflib.get_close_matches(name, list(names), n=1, cutoff=0.75)
    return near[0] if near else None
