"""Checks the health of a dataset: reads, measures, and writes the report."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any

from agent.dataset.health.examine import Advance, examine
from agent.dataset.health.objects import Targets
from agent.dataset.health.page import folder_page, single_page
from agent.dataset.health.report import Health, health_of
from agent.dataset.health.source import read_subject
from agent.files import Disk
from agent.record.timestamp import timestamp

REPORT = "health.json"
PAGE = "index.html"


@dataclass(frozen=True, slots=True)
class HealthTerms:
    """How to check."""

    targets: Targets = field(default_factory=Targets)
    zone: tzinfo | None = UTC  # in which hours and days are counted; None = local time


def _ignore(_done: int, _total: int) -> None:
    """Show no progress."""


def measured_health(
    directory: Path,
    *,
    now: float,
    agent: str,
    terms: HealthTerms = HealthTerms(),
    out: Path | None = None,
    disk: Disk | None = None,
    advance: Advance = _ignore,
) -> Health:
    """Return the health of the dataset in `directory`.

    Thumbnails and a cache are written below `out`; nothing is without it. `now`: seconds since
    1970 UTC; `agent`: the version that the report names.

    Raises `ConfigurationError` if `directory` is no dataset, `OSError` if the disk refuses.
    """
    subject = read_subject(directory)
    disk = disk or Disk()
    if out is not None:
        disk.make_directory(out)  # to fail before the images are measured, not after
    examined = examine(subject.images, out, disk, advance)
    return health_of(
        subject,
        examined,
        targets=terms.targets,
        zone=terms.zone,
        made_at=timestamp(now),
        agent=agent,
    )


def write_folder(health: Health, out: Path, disk: Disk) -> Path:
    """Write `index.html` and `health.json` into `out`; return the page. Raises `OSError`."""
    disk.make_directory(out)
    disk.write_durably(out / REPORT, report_bytes(health.report))
    disk.write_durably(out / PAGE, _bytes(folder_page(health, out)))
    return out / PAGE


def write_page(health: Health, thumbnails: Path, file: Path, disk: Disk) -> None:
    """Write a page of one file; `thumbnails` was `out` of the check. Raises `OSError`."""
    disk.make_directory(file.parent)
    disk.write_durably(file, _bytes(single_page(health, thumbnails, disk)))


def _bytes(page: str) -> bytes:
    """Return a page as UTF-8; names of files and labels may hold what is no text."""
    return page.encode(errors="replace")


def report_bytes(report: Mapping[str, Any]) -> bytes:
    """Return a report as JSON."""
    return json.dumps(report, ensure_ascii=True, indent=1, allow_nan=False).encode() + b"\n"


def temporary_folder() -> "tempfile.TemporaryDirectory[str]":
    """Return a folder for thumbnails that nobody wants to keep."""
    return tempfile.TemporaryDirectory(prefix="capture-agent-health-")
