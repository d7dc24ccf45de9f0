"""All captures of a dataset folder, of whichever task: records with the places of their files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from agent.dataset.records import part_folders, read_records


@dataclass(frozen=True, slots=True)
class DatasetCapture:
    """One capture of a dataset folder."""

    id: str
    record: Mapping[str, Any]
    folder: Path  # that has its images/, labels/ and data.yaml: the dataset, or a part of it

    @property
    def image_path(self) -> Path:
        """Where its image is, unless somebody removed it."""
        return self.folder / "images" / f"{self.id}.jpg"

    @property
    def label_path(self) -> Path:
        """Where its YOLO rows are; a classifier's capture has none."""
        return self.folder / "labels" / f"{self.id}.txt"

    @property
    def record_path(self) -> Path:
        """Where its record is."""
        return self.folder / "records" / f"{self.id}.json"


def read_captures(
    directory: Path,
    known: Mapping[str, DatasetCapture] = MappingProxyType({}),
    *,
    skipped: list[str] | None = None,
) -> dict[str, DatasetCapture]:
    """Return the captures of the dataset in `directory` and of its parts of other tasks, by id.

    Records never change: those of `known` are not read again. `skipped` gets what is wrong with
    each record that is not valid; without it, such a record raises `ConfigurationError`.
    """
    found: dict[str, DatasetCapture] = {}
    for folder in (directory, *part_folders(directory)):
        here = {name: each.record for name, each in known.items() if each.folder == folder}
        for name, record in read_records(folder, here, skipped=skipped).items():
            found[name] = DatasetCapture(name, record, folder)
    return found
