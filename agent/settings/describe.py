"""What a setting's declaration says in words: its default, what it allows, what is wrong."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import BeforeValidator, ByteSize, SecretStr
from pydantic.fields import FieldInfo

from agent.settings.documentation import SettingDoc
from agent.settings.units import closest, parse_duration, show_duration, show_size

OWN_WORDS = "own_words"
"""Type of a validation error whose text says all, the value included."""

_KINDS: Mapping[object, str] = {int: "a whole number", float: "a number", ByteSize: "a size"}
_SHORT_KINDS: Mapping[object, str] = {
    int: "whole number",
    float: "number",
    ByteSize: "size",
    Path: "path",
    SecretStr: "secret",
}


def shown_default(field: FieldInfo) -> str:
    """A field's default as an operator would write it."""
    in_words = doc_of(field).default
    if in_words is not None:
        return in_words
    value = field.default
    if isinstance(value, ByteSize):
        return show_size(value) if value else "0"
    if isinstance(value, tuple):
        return " ".join(value)
    if _is_duration(field):
        return show_duration(value)
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def allowed(field: FieldInfo) -> str:
    """What values a field takes, in words; empty where the description says all."""
    in_words = doc_of(field).allowed
    if in_words is not None:
        return in_words
    if _is_literal(field):
        return "one of " + ", ".join(_choices(field))
    kind = _KINDS.get(field.annotation, "")
    show: Callable[[Any], str] = _plain
    if _is_duration(field):
        kind, show = "a duration", show_duration
    elif field.annotation is ByteSize:
        show = show_size
    low: Any = next((item.ge for item in field.metadata if isinstance(item, Ge)), None)
    high: Any = next((item.le for item in field.metadata if isinstance(item, Le)), None)
    if low is None:
        return kind
    if high is None:
        return f"{kind} of at least {show(low)}"
    return f"{kind} between {show(low)} and {show(high)}"


def kind(field: FieldInfo) -> str:
    """Return what sort of value a field takes, in a word or two."""
    if doc_of(field).kind:
        return doc_of(field).kind
    if _is_literal(field):
        return "choice"
    if _is_duration(field):
        return "duration"
    parts = get_args(field.annotation) or (field.annotation,)
    named = [_SHORT_KINDS[part] for part in parts if part in _SHORT_KINDS]
    return named[0] if named else "text"


def explain(item: Mapping[str, Any], field: FieldInfo, raw: str, shown: str) -> str:
    """One validation error of a field, in words: what is allowed, and the value.

    `raw` is the value as the operator wrote it, `shown` the same without its secrets.
    """
    if item["type"] == OWN_WORDS:
        return str(item["msg"])
    text = f"must be {allowed(field) or 'text in UTF-8'}, not {shown or 'blank'}"
    choices = _choices(field)
    wrong = [word for word in raw.lower().split() if word not in choices]
    near = next(filter(None, (closest(word, choices) for word in wrong)), None)
    return f"{text}; did you mean {near}?" if near else text


def doc_of(field: FieldInfo) -> SettingDoc:
    """Return the texts of a setting's declaration."""
    return next(item for item in field.metadata if isinstance(item, SettingDoc))


def is_secret(field: FieldInfo) -> bool:
    """Return whether the declared type is a secret, whose value is never shown."""
    return SecretStr in (field.annotation, *get_args(field.annotation))


def _choices(field: FieldInfo) -> list[str]:
    return list(get_args(field.annotation) if _is_literal(field) else doc_of(field).choices)


def _is_literal(field: FieldInfo) -> bool:
    return get_origin(field.annotation) is Literal


def _is_duration(field: FieldInfo) -> bool:
    return BeforeValidator(parse_duration) in field.metadata


def _plain(value: Any) -> str:
    return f"{value:.10g}"
