"""What a table of verdicts says of captures: CSV or JSON with `id` and `verdict`."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.dataset.annotations.source import ReviewError, capture_in
from agent.dataset.importing.said import Export, Said, verdict_of
from agent.dataset.records import Records
from agent.printable import printable

TOOL = "import"


def read_verdict_rows(file: Path, rows: Iterable[Mapping[str, Any]], records: Records) -> Export:
    """Return what rows with `id`, `verdict` and perhaps `by`, `at` and `note` say.

    The id may be the name of the image. Raises `ReviewError` for a row that is not understood, and
    for two rows that contradict each other.
    """
    said: dict[str, Said] = {}
    foreign = set()
    for number, row in enumerate(rows, 1):
        cells = {str(key).strip().lower(): _text(value) for key, value in row.items()}
        if not any(cells.values()):
            continue
        try:
            name = capture_in(cells["id"], records)
            verdict = verdict_of(cells["verdict"])
        except KeyError as error:
            raise ReviewError(
                f"cannot read {printable(file)}: row {number} has no {error}; each must have an "
                "`id` and a `verdict`"
            ) from error
        if verdict is None:
            raise ReviewError(
                f"cannot read {printable(file)}: the verdict '{printable(cells['verdict'], 40)}' "
                "is none of right (ok), wrong (fail), missing and unusable"
            )
        if name is None:
            foreign.add(cells["id"])
            continue
        made = Said(
            verdict=verdict,
            is_looked_at=True,
            by=cells.get("by", ""),
            at=_seconds(file, cells.get("at", "")),
            note=cells.get("note", ""),
        )
        before = said.setdefault(name, made)
        if before.verdict is not verdict and (before.at == made.at or None in {before.at, made.at}):
            raise ReviewError(
                f"cannot read {printable(file)}: it says both {before.verdict} and {verdict} of "
                f"{printable(name)}"
            )
        if before.at is not None and made.at is not None and made.at > before.at:
            said[name] = made
    return Export(TOOL, said, foreign=len(foreign))


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


def _seconds(file: Path, text: str) -> float | None:
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise ReviewError(
            f"cannot read {printable(file)}: the time '{printable(text, 40)}' must be as in "
            "2026-05-28T20:26:40Z"
        )
    return at.timestamp()
