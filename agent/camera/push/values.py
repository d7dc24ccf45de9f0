"""Values of a JSON document from another program; each function names the field that is wrong."""

import json
import math
from collections.abc import Collection
from typing import Any, NoReturn

from agent.printable import printable

LONGEST_TEXT = 200
"""Characters of a label or a name."""

_LARGEST = 1e9  # of a number; a float holds the pixels of larger positions no more
_SHOWN = 60  # characters of a value that a message repeats


class InvalidValue(ValueError):
    """A document cannot be used; the message names the field, the value and the fix."""


def parse_json(text: bytes, *, longest: int) -> dict[str, Any]:
    """Return the object that a JSON text is. Raises `InvalidValue`."""
    if len(text) > longest:
        raise InvalidValue(f"they have {len(text)} bytes; at most {longest} are accepted")
    try:
        found = json.loads(text.decode(), parse_constant=_refuse)
    except RecursionError:
        raise InvalidValue("they are nested too deeply") from None
    except InvalidValue:
        raise
    except ValueError as error:  # also of text that is not UTF-8, and of a number of many digits
        raise InvalidValue(f"they are not valid JSON: {printable(error)}") from None
    return mapping(found, "they")


def mapping(value: object, where: str) -> dict[str, Any]:
    """Return a JSON object."""
    if not isinstance(value, dict):
        raise InvalidValue(f"{where} must be a JSON object, not {_shown(value)}")
    return value


def sequence(value: object, where: str, *, most: int, least: int = 0) -> list[Any]:
    """Return a JSON list of `least` to `most` items."""
    if not isinstance(value, list):
        raise InvalidValue(f"{where} must be a list, not {_shown(value)}")
    if not least <= len(value) <= most:
        allowed = str(least) if least == most else f"{least} to {most}"
        raise InvalidValue(f"{where} has {len(value)} items; allowed are {allowed}")
    return value


def known_fields(value: dict[str, Any], where: str, allowed: Collection[str]) -> None:
    """Refuse fields that nothing reads: they may be misspelt."""
    unknown = [printable(name, _SHOWN) for name in value if name not in allowed]
    if unknown:
        place = f" of {where}" if where else ""
        raise InvalidValue(
            f"the field {', '.join(unknown[:3])}{place} is unknown; allowed are "
            f"{', '.join(allowed)}"
        )


def text(value: object, where: str) -> str:
    """Return a text of 1 to `LONGEST_TEXT` printable characters."""
    if not isinstance(value, str) or not value.isprintable():
        raise InvalidValue(f"{where} must be a printable text, not {_shown(value)}")
    if not 1 <= len(value) <= LONGEST_TEXT:
        raise InvalidValue(f"{where} has {len(value)} characters; allowed are 1 to {LONGEST_TEXT}")
    return value


def number(value: object, where: str) -> float:
    """Return a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidValue(f"{where} must be a number, not {_shown(value)}")
    if not -_LARGEST <= value <= _LARGEST or not math.isfinite(value):
        raise InvalidValue(f"{where} is {_shown(value)}, which is no finite number of pixels")
    return float(value)


def confidence(value: object, where: str) -> float:
    """Return a number between 0 and 1."""
    found = number(value, where)
    if not 0 <= found <= 1:
        raise InvalidValue(f"{where} must be between 0 and 1, not {found:g}")
    return found


def natural(value: object, where: str, *, most: int) -> int:
    """Return a whole number from 0 to `most`."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise InvalidValue(f"{where} must be a whole number from 0 to {most}, not {_shown(value)}")
    return value


def _shown(value: object) -> str:
    try:
        return printable(json.dumps(value), _SHOWN)
    except ValueError:  # an integer of more digits than Python writes
        return "a number of thousands of digits"


def _refuse(name: str) -> NoReturn:
    raise InvalidValue(f"they contain {name}, which is no number in JSON")
