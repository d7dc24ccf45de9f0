"""Finds two devices with one id, such as two with copies of one memory card.

Their statuses replace each other where they are kept. So each status is stored with the boots that
sent as this device before, as `other_boots`, the latest first:

    boot, since_boot_s   as their last status had them
    last                 when that was stored, by the clock of the place
    received_from        its sender's address, where the place knows it
    is_other_device      whether the boot that replaced it sent before it and after it

A computer that boots again never comes back to a former boot. So a boot that sends before another
one and again after it is of another computer. When a status was made is told by the seconds since
the boot: one of the former boot that was late on its way is no sign of another device.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from agent.record.device_status import checked_status, dumped
from agent.record.timestamp import seconds_of, timestamp

BOOTS_MAX = 4
"""Boots that are remembered."""

_BOOT_MAX = 64  # characters; the kernel's have 36
_UNKNOWN = frozenset({"", "unknown"})

Status = Mapping[str, Any]
"""As `checked_status` returns it."""


def other_boots(status: Status, stored: Status, stored_at: float) -> list[dict[str, Any]]:
    """Return the `other_boots` of a status that replaces the `stored` one of the same device.

    `stored_at`: when that was stored, in seconds since 1970 UTC by the clock of the place.
    """
    boot, former = _boot(status), _boot(stored)
    known: Sequence[dict[str, Any]] = stored["other_boots"]
    if former == boot or not _is_of_daemon(stored):
        return list(known)
    entries = {each["boot"]: each for each in known if each["last"] is not None}
    made_at = min(stored_at, _made_at(stored, entries.get(former)))
    earlier = entries.get(boot)
    is_between = earlier is not None and seconds_of(earlier["last"]) <= made_at
    replaced = {
        "boot": former,
        "since_boot_s": stored["since_boot_s"],
        "last": timestamp(stored_at),
        "received_from": stored["received_from"],
        "is_other_device": (
            is_between and _is_of_daemon(status) and _made_at(status, earlier) > made_at
        ),
    }
    others = [each for each in known if each["boot"] != former]
    return [replaced, *others][:BOOTS_MAX]


def with_other_boots(data: bytes, stored: bytes | None, stored_at: float) -> bytes:
    """Return a status as a device sends it, with the `other_boots` of the one that it replaces.

    For places where the device itself stores it. What is there and cannot be read tells nothing.
    """
    if stored is None:
        return data
    try:
        before, status = checked_status(stored), checked_status(data)
    except ValueError:
        return data
    found = other_boots(status, before, stored_at)
    return dumped({**json.loads(data), "other_boots": found}) if found else data


def _made_at(status: Status, earlier: Status | None) -> float:
    """Return when a status was made, by an earlier one of its boot; without one, no limit."""
    if earlier is None:
        return math.inf
    lived: float = status["since_boot_s"] - (earlier["since_boot_s"] or 0.0)
    return seconds_of(earlier["last"]) + lived


def _boot(status: Status) -> str:
    return str(status["boot"])[:_BOOT_MAX]


def _is_of_daemon(status: Status) -> bool:
    """Whether a running daemon made it: `check --upload-test` sends one also from a desk."""
    return status["uptime_s"] is not None and status["boot"] not in _UNKNOWN
