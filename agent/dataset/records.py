"""Reads the records of a dataset folder; the one place that checks them after they arrived."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

from agent.dataset.yolo import LabelForm
from agent.errors import ConfigurationError
from agent.files import read_regular_file
from agent.printable import printable
from agent.record.summary import Annotate, class_of, confident, positive_number, sides
from agent.record.verdicts import are_verdicts

RECORD_MAX = 4_000_000
"""Bytes of a record; those of the agent have some thousands."""

_NAMED = 20  # records that a message names

SIDE_MAX = 1_000_000
"""Pixels of a side of an image."""

Records = Mapping[str, Mapping[str, Any]]
"""Records by id."""


def read_records(
    directory: Path, known: Records = MappingProxyType({}), *, skipped: list[str] | None = None
) -> dict[str, Mapping[str, Any]]:
    """Return the records of the dataset in `directory`, by id; those of `known` are not read.

    Each has an `id`, the name of its file; a `lane`; positive `image.width` and `image.height`;
    a `sampling.weight` above 0 if it was drawn at random; valid `detections` or `classes`;
    valid `verdicts` if it has any.

    `skipped` gets what is wrong with each record that does not, and the rest is returned; without
    it such a record raises `ConfigurationError`, which names the file.
    """
    records: dict[str, Mapping[str, Any]] = {}
    for path in sorted((directory / "records").glob("*.json")):
        if path.stem in known:
            records[path.stem] = known[path.stem]
            continue
        try:
            records[path.stem] = read_record(path)
        except ConfigurationError as error:
            if skipped is None:
                raise
            skipped.append(str(error))
    return records


def skipped_note(skipped: Sequence[str]) -> list[str]:
    """Return a warning for people about records that are left out; none if there are none."""
    if not skipped:
        return []
    return [f"captures that are left out: {len(skipped)}, such as: {skipped[0]}"]


def require_none_skipped(skipped: Sequence[str]) -> None:
    """Raise `ConfigurationError`, which names records that were left out, when the rest is done."""
    if skipped:
        named = [f"  {each}" for each in skipped[:_NAMED]]
        more = len(skipped) - len(named)
        rest = [f"  and {more} more"] if more else []
        raise ConfigurationError(
            "\n".join([f"captures that were left out: {len(skipped)}", *named, *rest])
        )


def read_record(path: Path) -> Mapping[str, Any]:
    """Return one record, see `read_records`."""
    try:
        return checked_record(read_regular_file(path, RECORD_MAX), path.stem)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigurationError(
            f"cannot use the record {printable(path)}: {printable(why)}; "
            "deliver the capture again, or move the file away"
        ) from error


def checked_record(data: bytes, name: str) -> Mapping[str, Any]:
    """Return the record of the capture `name`, as `read_records` does; raises `ValueError`."""
    record = _parsed(data)
    _check(record, name)
    return record


def part_folders(directory: Path) -> list[Path]:
    """Return the folders inside of a dataset that hold the captures of other tasks."""
    found = directory.iterdir() if directory.is_dir() else ()
    return sorted(path for path in found if LabelForm.of_folder(path.name) and path.is_dir())


def _parsed(data: bytes) -> Mapping[str, Any]:
    try:
        record = json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(record, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004
    return record


def _check(record: Mapping[str, Any], name: str) -> None:
    """Raise `ValueError` for a violation of the schema that a reader would notice too late."""
    if str(UUID(name)) != name or record.get("id") != name:
        raise ValueError("its `id` is not the name of the file")
    if not isinstance(record.get("lane"), str):
        raise ValueError("its `lane` is no text")  # noqa: TRY004
    image = record.get("image")
    for side in ("width", "height"):
        value = image.get(side) if isinstance(image, dict) else None
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= SIDE_MAX:
            raise ValueError(f"its `image.{side}` is not a number of pixels from 1 to {SIDE_MAX}")
    if not are_verdicts(record.get("verdicts")):
        raise ValueError("its `verdicts` are not a list of valid verdicts")
    if record["lane"] == "random":
        sampling = record.get("sampling")
        positive_number(sampling.get("weight") if isinstance(sampling, dict) else None, "weight")
    confident(record)
    for detection in record.get("detections", ()):
        sides(detection)
        if not 0 <= detection["confidence"] <= 1:
            raise ValueError("each `confidence` must be from 0 to 1")
    class_of(record, Annotate.THRESHOLD)
