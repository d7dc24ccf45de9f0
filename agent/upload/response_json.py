"""The JSON of endpoints, checked before anything else sees it.

A body is accepted as one object of RFC 8259, without NaN, infinite numbers, or nesting that no
parser can follow. Its fields are read by type: a field of any other type reads as a missing one.
"""

import json
import math
from collections.abc import Iterator, Mapping
from typing import NoReturn

COUNT_MAX = 2**63 - 1
"""The largest whole number that is accepted: database ids go up to it."""


class Fields:
    """The fields of a JSON object. No method raises, whatever the endpoint sent."""

    def __init__(self, content: Mapping[str, object] | None = None) -> None:
        self._content = content or {}

    def text(self, name: str) -> str | None:
        """Return a field that is a string; show it by `printable` alone."""
        value = self._content.get(name)
        return value if isinstance(value, str) else None

    def count(self, name: str) -> int | None:
        """Return a field that is a whole number, from 0 to `COUNT_MAX`."""
        return _count(self._content.get(name))

    def is_true(self, name: str) -> bool:
        """Whether a field is `true`."""
        return self._content.get(name) is True

    def fields(self, name: str) -> "Fields":
        """Return a field that is an object; one without fields for anything else."""
        value = self._content.get(name)
        return Fields(value if isinstance(value, dict) else None)

    def objects(self, name: str) -> "tuple[Fields, ...] | None":
        """Return a field that is a list of objects; None for anything else."""
        value = self._content.get(name)
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            return None
        return tuple(map(Fields, value))

    def counts(self, name: str) -> tuple[int, ...]:
        """Return a field that is a list of whole numbers; an empty one for anything else."""
        value = self._content.get(name)
        found = tuple(map(_count, value)) if isinstance(value, list) else ()
        return tuple(each for each in found if each is not None) if None not in found else ()

    def texts(self, name: str) -> tuple[str, ...]:
        """Return the strings in a field that is a list; none for anything else."""
        value = self._content.get(name)
        if not isinstance(value, list):
            return ()
        return tuple(each for each in value if isinstance(each, str))

    def __iter__(self) -> Iterator[str]:
        return iter(self._content)

    def has_value(self, name: str) -> bool:
        """Whether a field is there and neither empty, 0, false nor null."""
        return bool(self._content.get(name))


def json_object(body: bytes) -> Fields | None:
    """Return the object that a body is; None for anything else, and for a body that was cut."""
    try:
        parsed = json.loads(body, parse_constant=_no_number, parse_float=_finite)
    except (ValueError, RecursionError):  # RecursionError: a body of nothing but brackets
        return None
    return Fields(parsed) if isinstance(parsed, dict) else None


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= COUNT_MAX else None


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):  # such as 1e999, which JSON allows and no float can hold
        raise ValueError(text)
    return number


def _no_number(text: str) -> NoReturn:
    raise ValueError(text)
