"""The fields of a device's status: what may stand in each, and what stands for a missing one."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from agent.printable import printable
from agent.record.timestamp import seconds_of

_NUMBER_MAX = 2.0**63
_TEXT_MAX = 1000  # characters
_ITEMS_MAX = 2000  # of a list or mapping
_BOOTS_READ = 16

Check = Callable[[Any], Any]
"""Returns a value as it may be used, or raises `ValueError` with what it must be."""


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a text")  # noqa: TRY004 (one error for all)
    return printable(value, _TEXT_MAX)


def _number(value: Any) -> float:
    # Not by comparing alone: a whole number may be too large for a float.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a number")  # noqa: TRY004
    if not -_NUMBER_MAX <= value <= _NUMBER_MAX or not math.isfinite(value):
        raise ValueError("a number below 2^63")
    return value


def _seconds(value: Any) -> float:
    if _number(value) < 0:
        raise ValueError("seconds, 0 or more")
    return float(value)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _NUMBER_MAX:
        raise ValueError("a whole number from 0 to 2^63")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")  # noqa: TRY004
    return value


def _time(value: Any) -> str:
    if isinstance(value, str) and value.isascii():
        try:
            seconds = seconds_of(value)
        except (ValueError, OverflowError, OSError):
            seconds = math.nan
        if math.isfinite(seconds) and ("+" in value or "Z" in value or value.count("-") > 2):  # noqa: PLR2004
            return value
    raise ValueError("a time as RFC 3339, such as 2026-05-28T09:14:07.123Z")


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list) or len(value) > _ITEMS_MAX:
        raise ValueError(f"a list of at most {_ITEMS_MAX} texts")
    return [_text(each) for each in value]


def _counts(value: Any) -> dict[str, int]:
    if not isinstance(value, dict) or len(value) > _ITEMS_MAX:
        raise ValueError("an object of whole numbers")
    return {printable(name): _count(each) for name, each in value.items()}


def _some_object(value: Any) -> dict[str, Any]:
    """Take an object of texts, numbers, flags and nulls; what else is in it is left out."""
    if not isinstance(value, dict) or len(value) > _ITEMS_MAX:
        raise ValueError("an object")
    kept: dict[str, Any] = {}
    for name, each in value.items():
        if each is None or isinstance(each, bool):
            kept[printable(name)] = each
        elif isinstance(each, str):
            kept[printable(name)] = _text(each)
        elif isinstance(each, int | float):
            kept[printable(name)] = _number(each)
    return kept


def _cameras(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or len(value) > _ITEMS_MAX:
        raise ValueError(f"a list of at most {_ITEMS_MAX} cameras")
    return [_camera(each) for each in value]


def _other_boots(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise ValueError("a list of objects")
    found = [_checked(each, _OTHER_BOOT, within="other_boots") for each in value[:_BOOTS_READ]]
    return [{**each, "boot": each["boot"] or ""} for each in found]


def _camera(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("a list of objects")  # noqa: TRY004
    camera = _checked(value, _CAMERA, within="cameras")
    return {**camera, "name": camera["name"] or "", "state": camera["state"] or ""}


_CAMERA: Mapping[str, Check] = {
    "name": _text,
    "state": _text,
    "error": _text,
    "since_s": _seconds,
    "fps": _number,
    "analysed_fps": _number,
    "still_fps": _number,
    "last_frame_age_s": _seconds,
    "width": _count,
    "height": _count,
    "quality": _text,
    "last_capture": _time,
    "last_capture_id": _text,
}

_OTHER_BOOT: Mapping[str, Check] = {
    "boot": _text,
    "since_boot_s": _seconds,
    "last": _time,
    "received_from": _text,
    "is_other_device": _flag,
}

RECEIPT: Mapping[str, Check] = {
    "received_at": _time,
    "received_from": _text,
    "other_boots": _other_boots,
}
"""What the place that keeps a status adds."""

_REQUIRED = ("schema", "at", "device")

FIELDS: Mapping[str, Check] = {
    "schema": _count,
    "at": _time,
    "device": _text,
    "boot": _text,
    "since_boot_s": _seconds,
    "clock_synchronized": _flag,
    "heartbeat_s": _seconds,
    "shortened": _texts,
    "daemon": _text,
    "version": _text,
    "uptime_s": _seconds,
    "state_age_s": _seconds,
    "stopped": _time,
    "exit_code": _number,
    "stalled": _texts,
    "needs": _texts,
    "cameras": _cameras,
    "waiting": _count,
    "waiting_bytes": _count,
    "facts_waiting": _count,
    "in_flight": _count,
    "oldest_waiting": _time,
    "stored": _count,
    "delivered": _count,
    "rejected": _count,
    "in_rejected": _count,
    "damaged": _count,
    "evicted": _count,
    "evicted_by_reason": _counts,
    "last_delivered": _time,
    "last_error": _text,
    "target": _text,
    "upload": _text,
    "best_value": _number,
    "clip_bytes": _count,
    "clip_max_bytes": _count,
    "mqtt": _text,
    "mqtt_error": _text,
    "model": _text,
    "model_sha256": _text,
    "model_provider": _text,
    "model_error": _text,
    "feedback": _some_object,
    "auto": _some_object,
    "heartbeat": _some_object,
    "budget_per_day": _number,
    "credits_left": _number,
    "next_credit_s": _number,
    "spool_dir": _text,
    "disk": _text,
    "disk_error": _text,
    "disk_free_bytes": _count,
    "disk_total_bytes": _count,
    "disk_free_files": _count,
    "min_free_bytes": _count,
    "occupied_bytes": _count,
    "max_bytes": _count,
    "hours_until_full": _number,
    **RECEIPT,
}
"""Every field of a status by name, with the check of a value that is there and not null."""

_EMPTY: Mapping[str, Any] = {
    "boot": "",
    "since_boot_s": 0.0,
    "shortened": [],
    "stalled": [],
    "needs": [],
    "cameras": [],
    "other_boots": [],
    "evicted_by_reason": {},
}


def checked_fields(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return every field of `FIELDS`; raise `ValueError` that names the one that is wrong."""
    for name in _REQUIRED:
        if raw.get(name) is None:
            raise ValueError(f"`{name}` is missing")
    found = _checked(raw, FIELDS)
    if found["schema"] < 1:
        raise ValueError("`schema` must be 1 or more")
    for name, empty in _EMPTY.items():
        if found[name] is None:
            found[name] = empty.copy() if isinstance(empty, list | dict) else empty
    return found


def _checked(
    raw: Mapping[str, Any], fields: Mapping[str, Check], *, within: str = ""
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, check in fields.items():
        value = raw.get(name)
        try:
            found[name] = None if value is None else check(value)
        except ValueError as error:
            where = f"{within}.{name}" if within else name
            raise ValueError(f"`{where}` must be {error}, not {printable(value, 40)!r}") from None
    return found
