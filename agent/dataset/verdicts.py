"""`verdicts.jsonl` of a dataset folder: what people said about the model's output, one JSON a line.

A line is a fact, and facts are never changed: lines are only added. `agent.record.verdicts` has the
form of those that arrive in records; a review writes others with the same `id`, `at`, `by` and
`verdict`, and perhaps `boxes`, `labels` or `undo`.

Several processes may add lines, under one lock. A line is written with its end in one go and synced
before the capture that brought it is acknowledged. So a line without an end was torn by a power
cut, and is sent again: the next writer removes it, unless it is whole but for its end.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from agent.dataset.reviews import NO_TIME, check_review, is_review
from agent.domain import VerdictKind
from agent.errors import ConfigurationError
from agent.files import Disk, open_regular
from agent.printable import printable
from agent.record.verdicts import is_capture_id, is_time, line_text, verdicts_of

FILE = "verdicts.jsonl"
LONGEST_LINE = 1_000_000
"""Bytes of a line; those with the corrected boxes of 300 objects have some 30,000."""

_LOCK = ".verdicts.lock"
_LOCK_WAIT_S = 10.0  # seconds that another process may need to write its lines
_DIGEST_BYTES = 16
_KINDS = frozenset(kind.value for kind in VerdictKind)


class VerdictLog:
    """Adds the verdicts of records to the file, each line once. Thread-safe."""

    def __init__(self, directory: Path, disk: Disk) -> None:
        """`directory` is that of the dataset; absolute."""
        self._directory = directory
        self._path = directory / FILE
        self._disk = disk
        self._lock = Lock()
        self._known: set[bytes] = set()  # digests of the lines up to `_end`
        self._end = 0  # bytes of the file that were read

    def add(self, record: Mapping[str, Any]) -> int:
        """Add the verdicts of a checked record that are not there yet; return how many.

        They survive a power cut once this returns. Raises `OSError`.
        """
        lines = [line_text(line).encode() for line in verdicts_of(record)]
        return self.add_lines(lines) if lines else 0

    def add_lines(self, lines: Sequence[bytes]) -> int:
        """Add lines without their ends, as `add` does."""
        self._disk.make_directory(self._directory)
        with self._lock, self._disk.locked(self._directory / _LOCK, seconds=_LOCK_WAIT_S):
            self._follow()
            new = [line for line in dict.fromkeys(lines) if _digest(line) not in self._known]
            if new:
                data = b"".join(line + b"\n" for line in new)
                self._disk.append(self._path, data)
                self._end += len(data)
                self._known |= set(map(_digest, new))
            elif lines:  # the process that wrote them may have ended before it synced them
                self._disk.sync_name(self._path)
            return len(new)

    def _follow(self) -> None:
        """Read what was added since the last time, and repair the end of the file."""
        size = self._disk.size(self._path)
        if size < self._end:  # a person replaced it
            self._known.clear()
            self._end = 0
        if size == self._end:
            return
        data = self._disk.read_from(self._path, self._end)
        whole, end, torn = data.rpartition(b"\n")
        self._known |= set(map(_digest, whole.split(b"\n")))
        self._end += len(whole) + len(end)
        if not torn:
            return
        if _is_object(torn):
            self._disk.append(self._path, b"\n")
            self._known.add(_digest(torn))
            self._end += len(torn) + 1
        else:
            self._disk.truncate(self._path, self._end)


@dataclass(slots=True)
class Verdicts:
    """What the file of a dataset says."""

    lines: list[Mapping[str, Any]] = field(default_factory=list)
    """In order; each has an `id` or null, `at`, and one of the kinds of verdict or `undo`."""

    problems: list[str] = field(default_factory=list)
    """Lines that are left out, each with its number and the reason."""


def read_verdicts(directory: Path) -> Verdicts:
    """Return the verdicts of a dataset folder, each line once; none if it has no file.

    Bad lines are named and left out. Raises `ConfigurationError` if the file cannot be read.
    """
    return VerdictReader(directory).more()


def problems_note(problems: Sequence[str]) -> list[str]:
    """Return a warning for people about lines that are left out; none if there are none."""
    if not problems:
        return []
    told = (
        f"lines of verdicts that do not count: {len(problems)}, such as {problems[0]}. Correct "
        "them, or remove them"
    )
    return [told]


def verdict_texts(directory: Path) -> tuple[list[bytes], list[str]]:
    """Return the valid lines of a dataset folder as they stand in the file, and the problems.

    Raises `ConfigurationError` if the file cannot be read.
    """
    texts: list[bytes] = []
    found = VerdictReader(directory, texts).more()
    return texts, found.problems


class VerdictReader:
    """Reads the verdicts of a dataset folder, and later those that were added."""

    def __init__(self, directory: Path, texts: list[bytes] | None = None) -> None:
        """`texts` gets the valid lines as they stand in the file."""
        self._texts = texts
        self._path = directory / FILE
        self._begin = 0  # bytes of the lines that were read, with their ends
        self._number = 0  # of those lines
        self._seen: set[bytes] = set()

    def more(self) -> Verdicts:
        """Return the lines that were added since the last call, as `read_verdicts` does."""
        found = Verdicts()
        try:
            for number, line, end in _lines(self._path, self._begin, self._number):
                if line.strip() and _digest(line) not in self._seen:
                    self._seen.add(_digest(line))
                    try:
                        found.lines.append(_parsed(line))
                        if self._texts is not None:
                            self._texts.append(line)
                    except ValueError as error:
                        where = f"line {number} of {printable(self._path)}"
                        found.problems.append(f"{where}: {error}")
                if end is not None:
                    self._begin, self._number = end, number
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise ConfigurationError(
                f"cannot read the verdicts in {printable(self._path)}: {printable(why)}; move it "
                "away, or change its rights"
            ) from error
        return found


def _lines(path: Path, begin: int, number: int) -> Iterator[tuple[int, bytes, int | None]]:
    """Yield number, text and end of each line after the first `begin` bytes and `number` lines.

    A longer line than is read is cut. The end is None where the line has none yet.
    """
    try:
        descriptor = open_regular(path)
    except FileNotFoundError:
        return
    with os.fdopen(descriptor, "rb") as file:
        file.seek(begin)
        while line := file.readline(LONGEST_LINE + 1):
            number += 1
            last = line
            while len(last) > LONGEST_LINE and not last.endswith(b"\n"):
                last = file.readline(LONGEST_LINE + 1)
            yield number, line.removesuffix(b"\n"), file.tell() if last.endswith(b"\n") else None


def _parsed(line: bytes) -> Mapping[str, Any]:
    """Return a line. Raises `ValueError` with what is wrong."""
    if len(line) > LONGEST_LINE:
        raise ValueError(f"it has more than {LONGEST_LINE} bytes")
    try:
        verdict = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("it is not valid JSON") from None
    if not isinstance(verdict, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004
    if verdict.get("id") is not None and not is_capture_id(verdict["id"]):
        raise ValueError("its `id` is no id of a capture")
    if not is_time(verdict.get("at")):
        raise ValueError(NO_TIME)
    if "undo" not in verdict:
        kind = verdict.get("verdict")
        if not isinstance(kind, str) or kind not in _KINDS:
            raise ValueError(f"its `verdict` is none of {', '.join(VerdictKind)}")
    if is_review(verdict):
        check_review(verdict)
    return verdict


def _is_object(text: bytes) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _digest(line: bytes) -> bytes:
    return hashlib.blake2b(line, digest_size=_DIGEST_BYTES).digest()
