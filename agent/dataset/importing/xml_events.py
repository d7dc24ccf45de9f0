"""Reads XML of strangers piece by piece: no declared entities, no deep nesting.

A document type can declare entities that grow to gigabytes, or name files of this computer, so a
file that has one is refused.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from xml.parsers import expat

from agent.dataset.annotations.source import FILE_MAX, ReviewError
from agent.files import open_regular
from agent.printable import printable

_DEPTH = 20
_CHUNK = 1 << 20
_TEXT_MAX = 20_000_000  # characters of one element; an outline or a mask has some thousands

Start = Callable[[str, Mapping[str, str]], None]
End = Callable[[str, str], None]


def read_xml(file: Path, *, start: Start, end: End) -> None:
    """Call `start` with each element and its attributes, `end` with its name and its text.

    Raises `ReviewError` for a file that is no such XML; so may both functions.
    """
    reader = _Reader(start, end)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_document_type
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    size = 0
    try:
        with os.fdopen(open_regular(file), "rb") as stream:
            while data := stream.read(_CHUNK):
                size += len(data)
                _require(size <= FILE_MAX, f"it has more than {FILE_MAX} bytes")
                parser.Parse(data, False)  # noqa: FBT003 (it takes no keyword)
        parser.Parse(b"", True)  # noqa: FBT003
    except (expat.ExpatError, ValueError, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ReviewError(f"cannot read {printable(file)}: {printable(why)}") from error


class _Reader:
    """Counts the depth, and collects the text of the element that is open."""

    def __init__(self, start: Start, end: End) -> None:
        self._start, self._end = start, end
        self._depth = 0
        self._text: list[str] = []
        self._length = 0

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        _require(self._depth <= _DEPTH, "it is nested too deeply")
        self._text.clear()
        self._length = 0
        self._start(name, attributes)

    def end(self, name: str) -> None:
        self._depth -= 1
        self._end(name, "".join(self._text).strip())
        self._text.clear()
        self._length = 0

    def text(self, text: str) -> None:
        self._length += len(text)
        _require(self._length <= _TEXT_MAX, "an element of it is too long")
        self._text.append(text)


def _refuse_document_type(*_: object) -> None:
    raise ValueError("it has a document type (DTD), which may hide anything; remove it")


def _require(holds: bool, why: str) -> None:  # noqa: FBT001
    if not holds:
        raise ValueError(why)
