"""The one door for records that were read from a file: every later user may rely on their form.

A record file is made by this program, and its checksum shows that no byte has changed. That says
nothing about a file that a person restored, or that another program planted: it may hold numbers
that no float holds, text that is no UTF-8, a million empty lists, or other fields. What comes out
here is a JSON object in which

- each number is finite, and each integer fits 64 bits;
- each text can be encoded as UTF-8;
- lists and objects are nested at most `DEEPEST` levels;
- the fields that others read have the type that they expect; fields of newer versions stay.
"""

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeGuard

from agent.record.synthetic import is_synthetic_field
from agent.record.verdicts import are_verdicts, is_capture_id, is_note

LONGEST = 2_000_000
"""Bytes of a record. 300 detections with their suspects have about 100,000. Parsing takes at most
40 times as much memory, for lists that are empty."""

DEEPEST = 20

MOST_CLIP_FRAMES = 5000
"""Frames of a clip; the agent makes clips of some hundred."""

_LARGEST_INTEGER = 2**63
_YEAR_S = 366 * 86400
_MOST_PIXELS = 1_000_000  # of one side of an image

_Check = Callable[[object], bool]


def parse_record(text: bytes, image: bytes, clip: bytes | None = b"") -> dict[str, Any]:
    """Parse the JSON text of a record, and check it against its image and its clip.

    Without a `clip` (None) that of the record is not checked, because nobody reads it.

    Raises `ValueError`, with the reason, for everything that is not a valid record.
    """
    if len(text) > LONGEST:
        raise ValueError(f"the record has more than {LONGEST} bytes")
    try:
        record = json.loads(text.decode(), parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("the record is nested too deeply") from None
    except ValueError:  # also of text that is not UTF-8, and of a number with too many digits
        raise ValueError("the record is not valid JSON") from None
    if not isinstance(record, dict):
        raise ValueError("the record is not a JSON object")  # noqa: TRY004
    _check_values(record)
    for name, is_valid in _FIELDS.items():
        if not is_valid(record.get(name)):
            raise ValueError(f"its field `{name}` is missing or invalid")
    about = record["image"]
    if about["sha256"] != hashlib.sha256(image).hexdigest():
        raise ValueError("its `image.sha256` is not that of the image")
    if about.get("bytes", len(image)) != len(image):
        raise ValueError("its `image.bytes` is not the length of the image")
    if clip is not None:
        check_clip(record, clip)
    return record


def check_clip(record: Mapping[str, Any], clip: bytes) -> None:
    """Check the form of a record's clip, and the bytes against it; empty bytes are no clip.

    Raises `ValueError`, with the reason.
    """
    about = record.get("clip")
    if about is None:
        if clip:
            raise ValueError("its `clip` is missing, and there is a clip")
        return
    if not _is_clip(about):
        raise ValueError("its field `clip` is missing or invalid")
    frames = about["frames"]
    if not clip:
        raise ValueError("its `clip` is there, and the clip is missing")
    if not 1 <= len(frames) <= MOST_CLIP_FRAMES:
        raise ValueError(f"its `clip.frames` are not 1 to {MOST_CLIP_FRAMES}")
    if sum(frame["bytes"] for frame in frames) != len(clip) or about["bytes"] != len(clip):
        raise ValueError("the `bytes` of its `clip` are not the length of the clip")
    if about["sha256"] != hashlib.sha256(clip).hexdigest():
        raise ValueError("its `clip.sha256` is not that of the clip")
    times = [frame["at"] for frame in frames]
    if times != sorted(times):
        raise ValueError("its `clip.frames` are not in order")


def split_clip(record: Mapping[str, Any], clip: bytes) -> list[tuple[float, bytes]]:
    """Return the frames of a checked clip: seconds from the capture, and a JPEG."""
    frames, begin = [], 0
    for frame in record["clip"]["frames"] if clip else ():
        frames.append((float(frame["at"]), clip[begin : begin + frame["bytes"]]))
        begin += frame["bytes"]
    return frames


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN, Infinity and -Infinity are not JSON


def _check_values(record: Mapping[str, Any]) -> None:
    """Raise `ValueError` for a number, a text or a depth that others cannot work with."""
    level: list[object] = [record]
    for _ in range(DEEPEST):
        inner: list[object] = []
        for value in level:
            if isinstance(value, dict):
                inner.extend(value.keys())
                inner.extend(value.values())
            elif isinstance(value, list):
                inner.extend(value)
            elif isinstance(value, str):
                _check_text(value)
            elif isinstance(value, float) and not math.isfinite(value):
                raise ValueError("the record has a number that is too large")
            elif isinstance(value, int) and abs(value) >= _LARGEST_INTEGER:
                raise ValueError("the record has an integer of more than 64 bits")
        if not inner:
            return
        level = inner
    raise ValueError(f"the record is nested more than {DEEPEST} levels deep")


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("the record has a text with a lone surrogate") from None


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_seconds(value: object) -> bool:
    """Whether it is a number of seconds within a year; false for NaN, as a sender may write it."""
    return _is_number(value) and abs(value) <= _YEAR_S


def _is_natural(value: object) -> TypeGuard[int]:
    return _is_integer(value) and value >= 0


def _is_side(value: object) -> bool:
    return _is_natural(value) and 1 <= value <= _MOST_PIXELS


def _is_box(value: object) -> bool:
    return isinstance(value, list) and len(value) == 4 and all(map(_is_number, value))  # noqa: PLR2004


def _is_points(value: object) -> bool:
    """Whether it is a list of `[x, y]`."""
    return isinstance(value, list) and all(
        isinstance(point, list) and len(point) == 2 and all(map(_is_number, point))  # noqa: PLR2004
        for point in value
    )


def _is_keypoints(value: object) -> bool:
    """Whether it is a list of `[x, y, confidence]`."""
    return isinstance(value, list) and all(
        isinstance(point, list) and len(point) == 3 and all(map(_is_number, point))  # noqa: PLR2004
        for point in value
    )


def _optional(check: _Check) -> _Check:
    return lambda value: value is None or check(value)


def _list_of(check: _Check) -> _Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


def _values(check: _Check) -> _Check:
    return lambda value: isinstance(value, dict) and all(map(check, value.values()))


def _object(**fields: _Check) -> _Check:
    return lambda value: (
        isinstance(value, dict) and all(check(value.get(name)) for name, check in fields.items())
    )


_is_clip: _Check = _object(
    sha256=_is_text,
    bytes=_is_natural,
    width=_is_side,
    height=_is_side,
    media_type=_optional(_is_text),
    lead=_optional(_is_number),
    tail=_optional(_is_number),
    dropped=_optional(_is_natural),
    frames=_list_of(_object(at=_is_seconds, bytes=_is_natural)),
)

_FIELDS: Mapping[str, _Check] = {
    "id": is_capture_id,
    "image": _object(
        sha256=_is_text,
        width=_optional(_is_side),
        height=_optional(_is_side),
        bytes=_optional(_is_natural),
        media_type=_optional(_is_text),
        encoded_by=_optional(_is_text),
    ),
    "schema": _optional(_is_natural),
    "sequence": _optional(_is_natural),
    "device": _is_text,
    "camera": _is_text,
    "captured_at": _is_text,
    "boot_id": _optional(_is_text),
    "monotonic_ns": _optional(_is_number),
    "source_frame": _optional(_is_natural),
    "lane": _is_text,
    "value": _optional(_is_number),
    "feedback": _optional(_is_text),
    "model": _optional(
        _object(
            name=_optional(_is_text),
            sha256=_optional(_is_text),
            task=_optional(_is_text),
            provider=_optional(_is_text),
            labels=_optional(_list_of(_is_text)),
            keypoints=_optional(_is_natural),
        )
    ),
    "agent": _optional(_object(name=_optional(_is_text), version=_optional(_is_text))),
    "thresholds": _optional(
        _object(default=_optional(_is_number), labels=_optional(_values(_is_number)))
    ),
    "detections": _optional(
        _list_of(
            _object(
                label=_is_text,
                confidence=_is_number,
                box=_is_box,
                class_id=_optional(_is_integer),
                polygon=_optional(_is_points),
                keypoints=_optional(_is_keypoints),
                corners=_optional(_is_points),
            )
        )
    ),
    "classes": _optional(
        _list_of(_object(label=_is_text, confidence=_is_number, class_id=_optional(_is_integer)))
    ),
    "rules": _optional(_list_of(_object(name=_is_text, score=_optional(_is_number)))),
    "suspects": _optional(
        _list_of(
            _object(
                rule=_is_text,
                label=_optional(_is_text),
                p=_is_number,
                prior=_optional(_is_number),
                box=_optional(_is_box),
                track=_optional(_is_natural),
            )
        )
    ),
    "masks": _optional(
        _list_of(
            _object(
                polygon=_optional(_is_points), box=_optional(_is_box), label=_optional(_is_text)
            )
        )
    ),
    "note": _optional(is_note),
    "verdicts": are_verdicts,
    "synthetic": is_synthetic_field,
    "sampling": _optional(_object(weight=_is_number, slot_seconds=_optional(_is_number))),
}
