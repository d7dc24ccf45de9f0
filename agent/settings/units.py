"""How values of settings are written by people: durations, sizes, near misses."""

import difflib
import math
import re
from collections.abc import Collection, Iterable
from decimal import Decimal

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_TENTHS_BELOW = 10.0  # seconds
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d)?\s*", re.ASCII)
_SIZES = {
    "EB": 1000**6,
    "PB": 1000**5,
    "TB": 1000**4,
    "GB": 1000**3,
    "MB": 1000**2,
    "kB": 1000,
    "B": 1,
}
_BINARY_SIZES = {"TiB": 1024**4, "GiB": 1024**3, "MiB": 1024**2, "KiB": 1024}
_SIZE_UNITS = {unit.lower(): size for unit, size in (_SIZES | _BINARY_SIZES).items()}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", re.ASCII | re.IGNORECASE)


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
    if position == 0 or position < len(value) or not math.isfinite(total):
        raise ValueError("must be a duration such as 90s, 15m, 2h")
    return total


def show_duration(seconds: float) -> str:
    """A text that `parse_duration` reads as exactly `seconds`, which are not negative."""
    for unit in ("d", "h", "m"):
        if seconds >= _UNITS[unit] and seconds % _UNITS[unit] == 0:
            return f"{int(seconds) // int(_UNITS[unit])}{unit}"
    number = f"{Decimal(repr(seconds)):f}"
    return f"{number.rstrip('0').rstrip('.') if '.' in number else number}s"


def show_span(seconds: float) -> str:
    """A rounded time for people, in two or three digits: `0.4s`, `40s`, `1.5 m`, `3.2 h`."""
    for unit in ("d", "h", "m"):
        if seconds >= _UNITS[unit]:
            return f"{seconds / _UNITS[unit]:.1f} {unit}"
    return f"{seconds:.0f}s" if seconds >= _TENTHS_BELOW else f"{seconds:.1f}s".replace(".0s", "s")


def parse_size(value: object) -> object:
    """Bytes of a text such as `500MB`, `2GB`, `1.5GiB`; a bare number is bytes.

    Raises `ValueError` for any other text. A value that is no text is passed on.
    """
    if not isinstance(value, str):
        return value
    match = _SIZE.fullmatch(value)
    factor = _SIZE_UNITS.get((match[2] or "B").lower()) if match else None
    if match is None or factor is None:
        raise ValueError("must be a size such as 500MB or 2GB")
    return int(Decimal(match[1]) * factor)


def show_size(size: int) -> str:
    """A number of bytes for people, in three digits: `2GB`, `512MB`, `1.5kB`."""
    for unit, factor in _SIZES.items():
        if size >= 0.9995 * factor:  # what three digits would round up to the next unit
            return f"{size / factor:.3g}{unit}"
    return f"{size}B"


def closest(name: str, names: Iterable[str]) -> str | None:
    """The real name that a mistyped one most resembles, or None if none does."""
    near = difflib.get_close_matches(name, list(names), n=1, cutoff=0.7)
    return near[0] if near else None


def closest_name(name: str, names: Collection[str]) -> str | None:
    """The real name that `name` may stand for: a near spelling, or one that shares a word with it.

    Names are compared without a common prefix: it would make any two of them alike.
    """
    words = name.split("_")
    related = [each for each in names if {words[0], words[-1]} & {*each.split("_")}]
    near = difflib.get_close_matches(name, list(names), n=1, cutoff=0.65)  # "FSP" is near "FPS"
    alike = difflib.get_close_matches(name, related, n=len(names), cutoff=0.4)
    # Of several, the one that is declared first is used most.
    found = near or [each for each in related if each in alike]
    return found[0] if found else None


def one_line(text: str) -> str:
    """The text as it may stand in a message: nothing in it moves the cursor of a terminal."""
    return text if text.isprintable() else ascii(text)
