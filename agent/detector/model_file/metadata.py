"""Reads the metadata that an exporter wrote into an ONNX file.

Ultralytics writes Python literals: `names` is `{0: 'person', 1: 'car'}`, `imgsz` is `[height,
width]`, `stride` a number, `task` a word. The file is untrusted: only literals of limited length
are parsed, and entries that cannot be understood are ignored.
"""

import ast
from collections.abc import Mapping

from agent.detector.formats.contract import Metadata
from agent.detector.letterbox import Size

LONGEST_LITERAL = 500_000  # characters; 20,000 labels
SIDES = range(32, 8193)  # pixels of an input
STRIDES = range(1, 257)


def read_metadata(entries: Mapping[str, str]) -> Metadata:
    """Parse the metadata entries of an ONNX file."""
    return Metadata(
        labels=_labels(_literal(entries.get("names"))),
        size=_size(_literal(entries.get("imgsz"))),
        stride=_number(_literal(entries.get("stride")), STRIDES),
        task=entries.get("task") or None,
        entries=dict(entries),
    )


def _literal(text: str | None) -> object:
    """Parse a Python literal; None if it is not one."""
    if text is None or len(text) > LONGEST_LITERAL:
        return None
    try:
        value: object = ast.literal_eval(text.strip())
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    return value


def _labels(value: object) -> tuple[str, ...] | None:
    """Accept `{0: 'a', 1: 'b'}` in any order without gaps, or `['a', 'b']`."""
    if isinstance(value, list | tuple):
        value = dict(enumerate(value))
    if not isinstance(value, dict) or set(value) != set(range(len(value))) or not value:
        return None
    return tuple(str(value[class_id]) for class_id in range(len(value)))


def _size(value: object) -> Size | None:
    """Accept `[height, width]`, or one number for a square."""
    sides = value if isinstance(value, list | tuple) else [value, value]
    if len(sides) != 2:  # noqa: PLR2004  # height and width
        return None
    height, width = (_number(side, SIDES) for side in sides)
    return Size(width, height) if width and height else None


def _number(value: object, allowed: range) -> int | None:
    """Accept an integer, also one written as `32.0`, but not True or False."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if value in allowed else None
