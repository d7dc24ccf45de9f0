"""Reads the items of a JSON array one by one, so that a file may be larger than the memory.

Label Studio's export carries the images of tasks that hold them as text: of 10,000 captures it has
some gigabytes, of which a few thousandths are annotations.
"""

import codecs
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from agent.dataset.annotations.source import ReviewError
from agent.files import open_regular
from agent.printable import printable

FILE_MAX = 100_000_000_000
"""Bytes of a file."""

ITEM_MAX = 100_000_000
"""Characters of one item; a task with an image of 8K has some 20 million."""

_CHUNK = 1 << 20
_TEXT_MAX = 2000  # characters of a text in an item that are kept; a longer one is an image
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_NO_BLANK = re.compile(r"[^ \t\r\n]")
_DECODER = json.JSONDecoder()


def first_character(file: Path) -> str:
    """Return the first character of a text that is not blank; empty if there is none near.

    Raises `ReviewError` for a file that is no text.
    """
    try:
        with _opened(file) as text:
            return text.read(_TEXT_MAX).lstrip()[:1]
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is neither text nor zip"
        raise ReviewError(f"cannot read {printable(file)}: {printable(why)}") from error


def json_items(file: Path) -> Iterator[Any]:
    """Yield the items of the array in a file, long texts in them cut.

    Raises `ReviewError` for a file that holds no array, or is damaged.
    """
    try:
        with _opened(file) as text:
            yield from _items(text)
    except (ValueError, RecursionError, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ReviewError(
            f"cannot read {printable(file)}: it is no valid JSON: {printable(why)}"
        ) from error


def _opened(file: Path) -> TextIO:
    try:
        descriptor = open_regular(file)
        start = os.pread(descriptor, 2, 0)
        size = os.fstat(descriptor).st_size
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ReviewError(f"cannot read {printable(file)}: {printable(why)}") from error
    encoding = "utf-16" if start in _UTF_16 else "utf-8-sig"
    stream = os.fdopen(descriptor, encoding=encoding, newline="")
    if size > FILE_MAX:
        stream.close()
        raise ReviewError(f"cannot read {printable(file)}: it has more than {FILE_MAX} bytes")
    return stream


class _Window:
    """The part of a text that is read, from the place that is reached on."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self.buffer = ""
        self.place = 0

    def next(self) -> str:
        """Skip blanks; return the next character, empty at the end."""
        while True:
            found = _NO_BLANK.search(self.buffer, self.place)
            if found is not None:
                self.place = found.start()
                return found[0]
            self.place = len(self.buffer)
            if not self.grow(_CHUNK):
                return ""

    def grow(self, wanted: int) -> bool:
        """Read more; return whether there was more."""
        data = self._text.read(wanted)
        self.buffer = self.buffer[self.place :] + data
        self.place = 0
        return bool(data)


def _items(text: TextIO) -> Iterator[Any]:
    window = _Window(text)
    if window.next() != "[":
        raise ValueError("it must hold an array")
    window.place += 1
    is_first = True
    while window.next() != "]":
        if not is_first:
            if window.next() != ",":
                raise ValueError("a comma is missing between two items, or it ends too early")
            window.place += 1
            window.next()
        yield _cut(_item(window))
        is_first = False
    window.place += 1
    if window.next():
        raise ValueError("something follows the array")


def _item(window: _Window) -> Any:
    """Return the item at the place that is reached, and go behind it."""
    wanted = _CHUNK
    while True:
        try:
            item, end = _DECODER.raw_decode(window.buffer, window.place)
            if end < len(window.buffer):  # else a number may go on in what was not read yet
                window.place = end
                return item
        except ValueError:
            pass
        # As much again each time, so that each character is decoded three times at most.
        if len(window.buffer) - window.place > ITEM_MAX or not window.grow(wanted):
            raise ValueError("an item of it is damaged, cut off or too long")
        wanted *= 2


def _cut(value: Any) -> Any:
    """Return a value without its long texts; what is nested too deeply raises `RecursionError`."""
    if isinstance(value, str):
        return value if len(value) <= _TEXT_MAX else ""
    if isinstance(value, list):
        return [_cut(each) for each in value]
    if isinstance(value, dict):
        return {key: _cut(each) for key, each in value.items() if len(key) <= _TEXT_MAX}
    return value
