"""The status of a device, as a heartbeat carries it and the folder `devices/` keeps it.

One JSON object: what `status --json` prints, without secrets, and

    schema              1
    at                  when it was made, RFC 3339 with milliseconds, by the device's clock
    boot, since_boot_s  the boot of the device, and the seconds since it: they order two statuses
                        also when the clock stepped
    clock_synchronized  whether the device's clock can be believed
    heartbeat_s         seconds until the next one is due
    shortened           names of the fields that were shortened, so that all of it fits

What takes it in adds `received_at`, by its own clock, and `received_from`, the sender's address.
The place that keeps it adds who else sends as this device: see `agent.record.other_boots`.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agent.printable import printable
from agent.record.device_fields import FIELDS, RECEIPT, checked_fields
from agent.record.timestamp import seconds_of
from agent.redaction import redact

SCHEMA = 1

STATUS_MAX = 64_000
"""Bytes of a status that a device sends."""

READ_MAX = 65_536
"""Bytes of a status that is read or stored: `STATUS_MAX` and the receipt."""

DEVICE_MAX = 200
"""Characters of a device's name."""

_TEXTS = (600, 200, 80, 40)  # characters of a text; the next fewer where it does not fit
_DEPTH_MAX = 8
_DIGITS_MAX = 40  # of a whole number
_CAMERA_CORE = ("name", "state", "error", "quality", "fps", "last_frame_age_s", "last_capture")
_LEAST_NEEDED = ("auto", "feedback", "evicted_by_reason", "needs", "stalled")
# What the agent makes itself: names, states, times and hashes, which a reader compares. A secret
# that is such a word is none, and masking it would make the status useless.
_OWN_WORDS = frozenset({
    "at", "boot", "daemon", "device", "disk", "last", "last_capture", "last_capture_id",
    "last_delivered", "made_at", "model_sha256", "mqtt", "name", "oldest_waiting", "quality",
    "sha256", "state", "stopped", "upload", "version",
})  # fmt: skip


def encoded_status(facts: Mapping[str, Any], about: Mapping[str, Any]) -> bytes:
    """Return a status as JSON of at most `STATUS_MAX` bytes, whatever the device has.

    Args:
        facts: What `status --json` prints.
        about: `at`, `boot`, `since_boot_s`, `clock_synchronized` and `heartbeat_s`.
    """
    whole = {"schema": SCHEMA, **about, **facts, "device": shown_device(facts["device"])}
    whole = {name: _masked(name, value) for name, value in whole.items()}
    for shortened in _shorter(whole):
        data = dumped(shortened)
        if len(data) <= STATUS_MAX:
            return data
    raise AssertionError("the last attempt has a bounded size")


def checked_status(data: bytes) -> Mapping[str, Any]:
    """Return a status with every field of `FIELDS`; those that it lacks are None or empty.

    Texts have no control characters, so that they may be shown. Fields that a later version added
    are left out.

    Raises `ValueError`, with the reason, for what is not a status or has a value out of bounds.
    """
    if len(data) > READ_MAX:
        raise ValueError(f"it has {len(data)} bytes, at most {READ_MAX} are read")
    try:
        raw = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_refuse_number,
            parse_int=_integer,
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no JSON: {error}") from None
    if not isinstance(raw, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004 (one error for all)
    if _is_too_deep(raw):
        raise ValueError("it is nested too deeply")
    device_name(raw.get("device"))
    return checked_fields(raw)


def shown_device(device: str) -> str:
    """Return the name of a device as a status and its address have it: printable, bounded."""
    return printable(device)[:DEVICE_MAX]


def device_name(device: object) -> str:
    """Return the name of a device; raise `ValueError` unless it is a text that can be one."""
    if not isinstance(device, str) or not 0 < len(device) <= DEVICE_MAX:
        raise ValueError(f"`device` must be a text of 1 to {DEVICE_MAX} characters")
    if not device.isprintable() or device.isspace():
        raise ValueError(
            f"`device` must have characters that can be seen, not {printable(device)!r}"
        )
    return device


def with_receipt(
    status: Mapping[str, Any],
    *,
    received_at: str,
    received_from: str,
    other_boots: Sequence[Mapping[str, Any]] = (),
) -> bytes:
    """Return a checked status with when and from where it came, as it is stored.

    Where there is no room for `other_boots`, it goes without them.
    Raises `ValueError` if that has more than `READ_MAX` bytes.
    """
    receipt = {"received_at": received_at, "received_from": received_from}
    data = dumped({**status, **receipt, "other_boots": list(other_boots)})
    if len(data) > READ_MAX:
        data = dumped({**status, **receipt})
    if len(data) > READ_MAX:
        raise ValueError(f"it has more than {READ_MAX} bytes with its texts escaped")
    return data


def without_receipt(status: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a status without what only its receiver may say."""
    return {name: value for name, value in status.items() if name not in RECEIPT}


def is_older(status: Mapping[str, Any], stored: Mapping[str, Any]) -> bool:
    """Whether a checked status was made before the stored one, in the same boot of the device.

    Of two boots nothing tells which was first but the order of arrival: clocks may be wrong.
    """
    if status["boot"] != stored["boot"] or status["boot"] in {"", "unknown"}:
        return False
    return _moment(status) < _moment(stored)


def dumped(status: Mapping[str, Any]) -> bytes:
    """Return a status as one line of JSON."""
    return json.dumps(status, ensure_ascii=False, separators=(",", ":")).encode()


def _moment(status: Mapping[str, Any]) -> tuple[float, float]:
    return status["since_boot_s"], seconds_of(status["at"])


def _shorter(whole: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield what to send, each time with less; the last one has a bounded size."""
    for length in _TEXTS:
        cut = [name for name, value in whole.items() if _is_cut(name, value, length)]
        shown = {name: _shown(name, value, length) for name, value in whole.items()}
        yield {**shown, "shortened": cut}
        core = [{name: each.get(name) for name in _CAMERA_CORE} for each in shown["cameras"]]
        yield {**shown, "cameras": core, "shortened": sorted({*cut, "cameras"})}
    core.sort(key=lambda each: each["state"] == "live")  # those with a problem first
    known = {name: value for name, value in shown.items() if name in FIELDS}
    least = {name: _few(shown[name]) for name in _LEAST_NEEDED if name in shown}
    names = sorted({*cut, "cameras", *least})
    for most in (100, 30, 10):
        yield {**known, **least, "cameras": core[:most], "shortened": names}


def _masked(name: str, value: Any) -> Any:
    """Return a value without secrets, and without numbers that JSON lacks."""
    if isinstance(value, str):
        return value if name in _OWN_WORDS else redact(value)
    if isinstance(value, Mapping):
        return {key: _masked(key, each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(name, each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _shown(name: str, value: Any, length: int) -> Any:
    """Return a value with every text on one line, of at most so many characters."""
    if isinstance(value, str):
        return printable(value, _most(name, length))
    if isinstance(value, Mapping):
        return {printable(key, length): _shown(key, each, length) for key, each in value.items()}
    return [_shown(name, each, length) for each in value] if isinstance(value, list) else value


def _is_cut(name: str, value: Any, length: int) -> bool:
    if isinstance(value, str):
        return len(value) > _most(name, length)
    if isinstance(value, Mapping):
        return any(len(key) > length or _is_cut(key, each, length) for key, each in value.items())
    return isinstance(value, list) and any(_is_cut(name, each, length) for each in value)


def _most(name: str, length: int) -> int:
    """Return how many characters a text may have: a name or a hash means nothing if it is cut."""
    return max(length, DEVICE_MAX) if name in _OWN_WORDS else length


def _few(value: Any, most: int = 20) -> Any:
    """Return the first of a list or mapping."""
    if isinstance(value, Mapping):
        return dict(list(value.items())[:most])
    return value[:most] if isinstance(value, list) else value


def _is_too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_DEPTH_MAX):
        nested = [each for each in level if isinstance(each, dict | list)]
        level = [one for each in nested for one in _within(each)]
    return bool(level)


def _within(value: dict[str, Any] | list[Any]) -> Sequence[Any]:
    return list(value.values()) if isinstance(value, dict) else value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a field is there twice")
    return found


def _integer(text: str) -> int:
    if len(text) > _DIGITS_MAX:
        raise ValueError(f"a number has {len(text)} digits")
    return int(text)


def _refuse_number(name: str) -> float:
    raise ValueError(f"a number is {name}, which JSON lacks")
