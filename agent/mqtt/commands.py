"""What a message on a command topic asks for: pure."""

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeGuard

from agent.errors import RefusalKind, RequestRefused
from agent.printable import printable

COMMAND_BYTES = 4096
"""Largest payload of a command that is read."""

NOTE_MAX = 500  # characters

BURST = 10
"""Commands for one camera that are taken at once; after them one each `REFILL_S`."""

REFILL_S = 6.0
"""A person does not press more often, and each capture takes room on the disk."""

_PRESS = "PRESS"
_FIELDS = frozenset({"camera", "at", "note"})
_ALLOWED = 'nothing, PRESS, the name of a camera, or JSON such as {"camera": "gate", "at": "-3s"}'
_SHOWN_MAX = 60
_SECONDS_MAX = 1e9  # of a time before now


@dataclass(frozen=True, slots=True)
class Command:
    """A capture that somebody asks for."""

    camera: str
    at: str | float | None = None
    note: str = ""


def commands_of(data: bytes, named: str, cameras: tuple[str, ...]) -> list[Command]:
    """Parse the payload of a command.

    Args:
        data: The payload.
        named: The camera that the topic names; "" if it names none.
        cameras: All there are.

    Raises `RequestRefused`, which says what is wrong.
    """
    if len(data) > COMMAND_BYTES:
        raise _invalid(f"its payload has {len(data)} bytes, more than {COMMAND_BYTES}")
    try:
        text = data.decode().strip()
    except UnicodeDecodeError:
        raise _invalid(f"its payload is not UTF-8; allowed are {_ALLOWED}") from None
    if text in {"", _PRESS}:
        return [Command(camera) for camera in ([named] if named else cameras)]
    if text.startswith("{"):
        return _from_json(text, named, cameras)
    return [Command(_known(text, named, cameras))]


class RateLimit:
    """Limits how often each camera is asked. All times are seconds of one monotonic clock."""

    def __init__(self, cameras: Iterable[str]) -> None:
        self._left = dict.fromkeys(cameras, (float(BURST), -math.inf))

    def take(self, camera: str, now: float) -> None:
        """Count one command; raises `RequestRefused` if there are too many."""
        left, at = self._left[camera]
        left = min(float(BURST), left + (now - at) / REFILL_S)
        if left < 1.0:
            self._left[camera] = left, now
            raise RequestRefused(
                RefusalKind.NOT_NOW,
                f"cannot capture {camera} now: more than {BURST} commands at once; one more is "
                f"taken each {REFILL_S:g} s",
            )
        self._left[camera] = left - 1.0, now


def _from_json(text: str, named: str, cameras: tuple[str, ...]) -> list[Command]:
    try:
        value = json.loads(text, parse_constant=_refuse_number)
    except (ValueError, RecursionError):
        raise _invalid(f"its payload is no JSON; allowed are {_ALLOWED}") from None
    unknown = sorted(set(value) - _FIELDS)
    if unknown:
        shown = printable(unknown[0], _SHOWN_MAX)
        raise _invalid(f'it has the field "{shown}"; allowed are {", ".join(sorted(_FIELDS))}')
    camera, at, note = value.get("camera"), value.get("at"), value.get("note", "")
    if not isinstance(camera, str | None):
        raise _invalid("camera must be a name")
    if not _may_be_time(at):
        raise _invalid('at must be a time such as "2026-05-28T20:26:40Z" or "-3s"')
    if not isinstance(note, str) or len(note) > NOTE_MAX:
        raise _invalid(f"note must be a text of at most {NOTE_MAX} characters")
    asked = cameras if camera is None and not named else (_known(camera or named, named, cameras),)
    return [Command(each, at, note) for each in asked]


def _may_be_time(at: object) -> TypeGuard[str | float | None]:
    if isinstance(at, int | float) and not isinstance(at, bool):
        return abs(at) <= _SECONDS_MAX  # neither NaN nor Inf
    return isinstance(at, str | None)


def _known(camera: str, named: str, cameras: tuple[str, ...]) -> str:
    shown = printable(camera, _SHOWN_MAX)
    if camera not in cameras:
        raise RequestRefused(
            RefusalKind.UNKNOWN,
            f"cannot capture: there is no camera {shown}; the cameras are {', '.join(cameras)}"
            + ("" if re.fullmatch(r"[\w-]+", camera) else f". Allowed are {_ALLOWED}"),
        )
    if named and camera != named:
        raise _invalid(f"the topic names camera {named}, the payload {shown}")
    return camera


def _invalid(why: str) -> RequestRefused:
    return RequestRefused(RefusalKind.INVALID, f"cannot take the command: {why}")


def _refuse_number(name: str) -> float:
    raise ValueError(name)
