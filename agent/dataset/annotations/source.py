"""What all readers of annotations share: the text of a file, and the capture that a name speaks of.

Annotation tools put text of their own around a file's name, so an id is found anywhere in it. What
is not understood is refused: a wrong guess would be a wrong figure.
"""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from agent.dataset.annotations.boxes import AnnotatedBox
from agent.dataset.records import Records
from agent.errors import ConfigurationError
from agent.files import read_regular_file
from agent.printable import printable

Truth = Mapping[str, Sequence[AnnotatedBox]]
"""The boxes of each capture that has an annotation; none where nothing is in the image."""

FILE_MAX = 500_000_000
"""Bytes of one file of annotations."""

_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-f])")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class ReviewError(ConfigurationError):
    """The annotations cannot be used as they are."""


def text_of(file: Path) -> str:
    """Return the text of a file; UTF-8, or UTF-16 with its mark, as spreadsheets write it.

    Raises `ReviewError`, as all functions of this module do.
    """
    try:
        data = read_regular_file(file, FILE_MAX)
        return data.decode("utf-16" if data.startswith(_UTF_16) else "utf-8-sig")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ReviewError(f"cannot read {printable(file)}: {printable(why)}") from error


def capture_in(name: str, records: Records) -> str | None:
    """Return the id that stands in a file's name, or None if none of `records` has it."""
    return next((found for found in _ID.findall(name.lower()) if found in records), None)


def finite(value: object) -> float:
    """Return a number of a file; raise `ValueError` if it is not a finite one."""
    number = float(value)  # type: ignore[arg-type]
    if not math.isfinite(number):
        raise ValueError(f"{number} is not a finite number")
    return number


def require_first(name: str, truth: Mapping[str, object], file: Path) -> None:
    """Raise `ReviewError` for a second image of a capture."""
    if name in truth:
        raise ReviewError(
            f"cannot use {printable(file)}: it has several images of the capture {name}; export "
            "without augmentation"
        )
