"""The cache of engines that a GPU's provider builds from models."""

import contextlib
import os
import stat
from pathlib import Path

ENGINES_MAX = 2_000_000_000
"""Bytes of engines that stay; one of a large detector has some 100 MB."""


def prune_engines(folder: Path, limit: int = ENGINES_MAX) -> list[str]:
    """Delete the engines that were built first until the rest has at most `limit` bytes.

    Each model, each driver and each version of a provider leaves engines, and no provider deletes
    any. A deleted one that is still needed is built again, which takes minutes.

    Returns:
        The names of the deleted files; empty too if the folder cannot be read.
    """
    files: list[tuple[float, str, int]] = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            facts = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(facts.st_mode):
                files.append((facts.st_mtime, entry.name, facts.st_size))
    excess = sum(size for _, _, size in files) - limit
    deleted: list[str] = []
    for _, name, size in sorted(files):
        if excess <= 0:
            break
        with contextlib.suppress(OSError):
            (folder / name).unlink()
            deleted.append(name)
            excess -= size
    return deleted
