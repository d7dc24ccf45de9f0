"""Reads former choices: what `--after` names.

The images of a former choice, or of any dataset folder, are analysed as those of the pool are, so
that what they show can be compared, whichever model chose them. A choice of ids alone has no
images: what it chose is known by the ids in its report.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.errors import ConfigurationError
from agent.files import read_regular_file
from agent.printable import printable
from agent.record.verdicts import is_capture_id

_LARGEST = 2_000_000_000  # bytes of a report


@dataclass(frozen=True, slots=True)
class FormerChoice:
    """What a former choice without images is known by."""

    ids: frozenset[str]
    digests: frozenset[str]
    model: str  # sha256


def former_choice(folder: Path) -> FormerChoice | None:
    """Return what a former choice of ids names; None where there is none, or it has images.

    Raises `ConfigurationError` for a report that cannot be read.
    """
    path = folder / "report.json"
    try:
        report = json.loads(read_regular_file(path, _LARGEST))
        images = report["images_chosen"] if isinstance(report, dict) else None
        if images is None or not report["settings"]["ids"]:
            return None
        return FormerChoice(
            frozenset(_id(each) for each in images),
            frozenset(str(each["digest"]) for each in images if each["digest"]),
            str(report["model"]["sha256"]),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no report of a pool"
        raise ConfigurationError(
            f"cannot use --after {printable(folder)}: {printable(path.name)} cannot be read: "
            f"{printable(why)}; name the folder of a former choice, or a dataset folder"
        ) from error


def has_images(folder: Path) -> bool:
    """Whether a folder has images, as a dataset folder does."""
    images = folder / "images"
    return images.is_dir() and any(images.iterdir())


def _id(image: Mapping[str, Any]) -> str:
    name = image["id"]
    if not is_capture_id(name):
        raise ValueError("no id of a capture")
    return str(name)
