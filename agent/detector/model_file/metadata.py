"""Reads the metadata that an exporter wrote into an ONNX file.

Ultralytics writes Python literals: `names` is `{0: 'person', 1: 'car'}`, `imgsz` is `[height,
width]`, `stride` a number, `task` a word. Exports of PaddlePaddle have `character`, one label on
each line. The file is untrusted: entries that are too long, or not understood, are ignored.
"""

from collections.abc import Mapping

from agent.detector.formats.contract import Metadata
from agent.detector.letterbox import Size
from agent.detector.model_file.label_text import labels_in_text
from agent.detector.model_file.words import LONGEST_TEXT, labels_of, literal, number_of
from agent.printable import printable

LONGEST_NAME = 200  # characters of an entry's name
MOST_ENTRIES = 1000
LABEL_ENTRIES = ("names", "character", "class_names", "classes", "labels", "id2label")
"""Entries with labels; the first is that of Ultralytics, the second that of PaddlePaddle."""

SIDES = range(32, 8193)  # pixels of an input
STRIDES = range(1, 257)


def read_metadata(entries: Mapping[str, str]) -> Metadata:
    """Parse the metadata entries of an ONNX file."""
    kept = _kept(entries)
    labels, problem = _labels(kept)
    return Metadata(
        labels=labels,
        label_problem=problem,
        size=_size(_literal(kept.get("imgsz"))),
        stride=_number(_literal(kept.get("stride")), STRIDES),
        task=printable(kept.get("task", "").strip()) or None,
        entries=kept,
    )


def _kept(entries: Mapping[str, str]) -> dict[str, str]:
    """Return the entries without those that are too long; all together have a limited length."""
    kept: dict[str, str] = {}
    room = LONGEST_TEXT
    by_length = sorted(
        entries.items(), key=lambda each: (each[0] not in LABEL_ENTRIES, len(each[1]))
    )
    for name, text in by_length[:MOST_ENTRIES]:
        if len(name) <= LONGEST_NAME and len(text) <= room:
            kept[name] = text
            room -= len(text)
    return kept


def _labels(entries: Mapping[str, str]) -> tuple[tuple[str, ...] | None, str]:
    """Return the labels, or None and what is wrong with those that are there."""
    problem = ""
    for name in LABEL_ENTRIES:
        text = entries.get(name, "")
        if not text.strip():
            continue
        try:
            if name == "names":
                return _names(literal(text)), ""
            if name == "character":  # each line is a label, whatever it contains
                return labels_of(line for line in text.splitlines() if line.strip()), ""
            found = labels_in_text(text)
            if not found.first:
                return found.labels, ""
        except ValueError as error:
            problem = problem or f"`{name}` in its metadata: {error}"
    return None, problem


def _names(value: object) -> tuple[str, ...]:
    """Accept `{0: 'a', 1: 'b'}` in any order without gaps, or `['a', 'b']`; raises `ValueError`."""
    if isinstance(value, list):
        value = dict(enumerate(value))
    if not isinstance(value, dict) or not value or set(value) != set(range(len(value))):
        raise ValueError("it is not a list, and has not the class numbers from 0 on")
    return labels_of(value[class_id] for class_id in range(len(value)))


def _literal(text: str | None) -> object:
    """Parse a Python literal; None if it is not one."""
    try:
        return None if text is None else literal(text)
    except ValueError:
        return None


def _size(value: object) -> Size | None:
    """Accept `[height, width]`, or one number for a square."""
    sides = value if isinstance(value, list) else [value, value]
    if len(sides) != 2:  # noqa: PLR2004  # height and width
        return None
    height, width = (_number(side, SIDES) for side in sides)
    return Size(width, height) if width and height else None


def _number(value: object, allowed: range) -> int | None:
    """Accept an integer, also one written as `32.0`, but not True or False."""
    number = number_of(value)
    return int(number) if number is not None and number in allowed else None
