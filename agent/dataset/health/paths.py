"""Follows paths that files of a dataset state, and never out of its folder."""

from collections.abc import Iterable
from pathlib import Path


def paths_inside(top: Path, choices: Iterable[Path]) -> list[Path]:
    """Return those of `choices` that are below `top` after links are followed, and are valid names.

    They need not exist.
    """
    return [path for path in choices if _is_inside(top, path)]


def _is_inside(top: Path, path: Path) -> bool:
    try:
        path.exists()  # raises for a name that is too long
        return path.resolve().is_relative_to(top.resolve())
    except (OSError, ValueError, RuntimeError):  # also a name with NUL, and a loop of links
        return False
