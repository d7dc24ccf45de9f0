"""Reads the JSON body of a call; all that is wrong with it is said at once."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from starlette.requests import Request

from agent.errors import RefusalKind, RequestRefused
from agent.printable import printable

_UNKNOWN_NAMED = 10
"""Unknown fields that a refusal names; a body may have a hundred thousand."""

_NAME_LENGTH = 60
"""Characters of a name that a refusal shows."""

_KINDS: Mapping[type, str] = {
    dict: "an object",
    list: "a list",
    str: "a text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}

_MOST_DIGITS = 400
"""Digits of a whole number: more than the greatest float has, fewer than Python refuses."""


@dataclass(frozen=True, slots=True)
class JsonField:
    """One field of a body, and which kinds of value may stand there."""

    name: str
    required: bool = False
    text: bool = True
    number: bool = False
    flag: bool = False
    items: bool = False


async def json_fields(request: Request, *fields: JsonField) -> dict[str, Any]:
    """Return the fields of a body that is one JSON object; null is as if it were not there.

    Raises `RequestRefused` with all that is wrong.
    """
    return fields_of(await request.body(), fields)


def fields_of(body: bytes, fields: Sequence[JsonField]) -> dict[str, Any]:
    """Return the fields of a body; see `json_fields`."""
    found = _object_in(body, fields)
    known = {field.name: field for field in fields}
    unknown = [name for name in found if name not in known]
    wrong = [_unknown(name, list(known)) for name in unknown[:_UNKNOWN_NAMED]]
    if len(unknown) > _UNKNOWN_NAMED:  # to look for what each might mean takes its time
        wrong.append(f"{len(unknown) - _UNKNOWN_NAMED} more fields are unknown")
    given = {name: value for name, value in found.items() if value is not None and name in known}
    for name, field in known.items():
        if name in given:
            wrong += _wrong_kind(field, given[name])
        elif field.required:
            wrong.append(f"{name}: is missing")
    if wrong:
        raise RequestRefused(RefusalKind.INVALID, "; ".join(wrong))
    return given


def _object_in(body: bytes, fields: Sequence[JsonField]) -> dict[str, Any]:
    if not body.strip():
        raise _refused("it is empty", fields)
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refused(f"it is not UTF-8: byte {error.start + 1} is no text", fields) from None
    try:
        found = json.loads(
            text, object_pairs_hook=_object, parse_constant=_no_number, parse_int=_integer
        )
    except RecursionError:
        raise _refused("it is nested too deeply", fields) from None
    except ValueError as error:
        raise _refused(f"it is not JSON: {printable(error)}", fields) from None
    if not isinstance(found, dict):
        raise _refused(f"it is {_KINDS[type(found)]}", fields)
    return found


def _wrong_kind(field: JsonField, value: object) -> list[str]:
    kinds = {
        "a text": field.text,
        "a number": field.number,
        "true or false": field.flag,
        "a list": field.items,
    }
    wanted = [kind for kind, may in kinds.items() if may]
    if _KINDS[type(value)] in wanted:
        return []
    return [f"{field.name}: must be {' or '.join(wanted)}, not {_KINDS[type(value)]}"]


def _unknown(name: str, names: list[str]) -> str:
    near = get_close_matches(name, names, 1)
    hint = f"did you mean {near[0]}?" if near else f"the fields are {', '.join(names)}"
    return f"{printable(name, _NAME_LENGTH)}: unknown; {hint}"


def _refused(why: str, fields: Sequence[JsonField]) -> RequestRefused:
    names = ", ".join(field.name if field.required else f"{field.name}?" for field in fields)
    return RequestRefused(
        RefusalKind.INVALID, f"cannot read the body: {why}. Send a JSON object with {names}"
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"the field '{printable(twice, _NAME_LENGTH)}' is there twice")
    return found


def _integer(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"a number has {len(text)} digits, at most {_MOST_DIGITS} are read")
    return int(text)


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")
