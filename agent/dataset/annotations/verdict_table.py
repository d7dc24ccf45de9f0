"""Reads verdicts that people gave in a table: CSV or JSON."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from agent.dataset.annotations.source import ReviewError, capture_in
from agent.dataset.records import Records
from agent.printable import printable

_GOOD, _BAD = frozenset({"ok", "pass", "good", "right"}), frozenset({"fail", "bad", "wrong"})


def verdicts(file: Path, text: str, records: Records) -> Mapping[str, bool]:
    """Return by id whether the frame is right: CSV with `id,verdict`, or JSON with the same.

    JSON is a list or an object, or, in a file `.jsonl`, an object a line. Columns may be separated
    by commas, semicolons or tabs; the id may be the image's file name.
    """
    try:
        pairs = list(_READERS.get(file.suffix.lower(), _csv_pairs)(text))
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError, csv.Error) as error:
        raise ReviewError(
            f"cannot read {printable(file)}: it must hold an `id` and a `verdict` for each capture"
        ) from error
    said: dict[str, bool] = {}
    for name, word in pairs:
        verdict = word.strip().lower()
        if verdict not in _GOOD | _BAD:
            raise ReviewError(
                f"cannot read {printable(file)}: the verdict '{printable(word)}' is neither ok "
                "nor fail"
            )
        capture = capture_in(name, records) or name.strip()
        if said.setdefault(capture, verdict in _GOOD) is not (verdict in _GOOD):
            raise ReviewError(
                f"cannot read {printable(file)}: it says both ok and fail of {printable(capture)}"
            )
    return said


def _json_pairs(text: str) -> Iterator[tuple[str, str]]:
    content = json.loads(text)
    if isinstance(content, dict):
        yield from ((str(key), str(value)) for key, value in content.items())
    else:
        yield from ((str(each["id"]), str(each["verdict"])) for each in content)


def _line_pairs(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if line.strip():
            each = json.loads(line)
            if not each.keys().isdisjoint({"boxes", "labels", "undo"}):
                raise ReviewError(
                    "cannot use lines of verdicts.jsonl as a table of verdicts: boxes and undone "
                    "lines would be lost; put the file into the dataset folder, under that name"
                )
            yield str(each["id"]), str(each["verdict"])


def _csv_pairs(text: str) -> Iterator[tuple[str, str]]:
    for cells in csv_rows(text):
        yield cells["id"], cells["verdict"]


_READERS = {".json": _json_pairs, ".jsonl": _line_pairs}


def csv_rows(text: str) -> Iterator[Mapping[str, str]]:
    """Yield the rows of a table that are not empty, by the names of its columns in small letters.

    Columns may be separated by commas, semicolons or tabs. Raises `csv.Error`.
    """
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    table = csv.DictReader(io.StringIO(text), skipinitialspace=True, delimiter=delimiter)
    for row in table:
        cells = {
            str(key).strip().lower(): "" if value is None else str(value)
            for key, value in row.items()
        }
        if any(cell.strip() for cell in cells.values()):
            yield cells
