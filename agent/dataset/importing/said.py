"""What a tool says of captures, whichever it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.dataset.annotations.boxes import AnnotatedBox
from agent.dataset.classes import labels_of_model
from agent.domain import VerdictKind

_WORDS = {
    **dict.fromkeys(("ok", "pass", "good", "right", "correct"), VerdictKind.RIGHT),
    **dict.fromkeys(("fail", "bad", "wrong", "incorrect"), VerdictKind.WRONG),
    "missing": VerdictKind.MISSING,
    **dict.fromkeys(("unusable", "not usable"), VerdictKind.UNUSABLE),
}


@dataclass(frozen=True, slots=True)
class Said:
    """What a tool says of one capture."""

    boxes: Sequence[AnnotatedBox] | None = None  # all objects; None = it says nothing of objects
    labels: tuple[str, ...] | None = None  # the classes of the image; None = it says nothing
    verdict: VerdictKind | None = None
    is_looked_at: bool = False  # the tool says that a person did
    by: str = ""  # the tool's user; empty = it does not say
    at: float | None = None  # seconds since 1970 UTC
    note: str = ""


@dataclass(frozen=True, slots=True)
class Export:
    """All that a tool says of the captures of a dataset."""

    tool: str  # as `by`, where no user is named
    said: Mapping[str, Said] = field(default_factory=dict)
    unannotated: frozenset[str] = frozenset()  # captures that are in it, without an annotation
    skipped: frozenset[str] = frozenset()  # captures that a person skipped
    foreign: int = 0  # images that are of no capture of the dataset
    labels: frozenset[str] | None = None  # all that the tool can show; None = it does not say
    sizes: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Width and height of the tool's image of a capture, where it states them."""


def classes_of(record: Mapping[str, Any]) -> set[str]:
    """Return the classes of a classifier's image that are known; none of any other model."""
    reported = {str(each.get("label")) for each in record.get("classes", ())}
    return {*labels_of_model(record), *reported} if reported else set()


def verdict_on(word: str, record: Mapping[str, Any]) -> VerdictKind | None:
    """Return the verdict that a word of a person is; None for any other word.

    A classifier may have a class `good` or `ok`: then the word names the class.
    """
    return None if word in classes_of(record) else verdict_of(word)


def verdict_of(word: str) -> VerdictKind | None:
    """Return the verdict that a word of a person is; None for any other word."""
    return _WORDS.get(" ".join(word.casefold().replace("_", " ").split()))
