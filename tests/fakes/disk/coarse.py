"""A disk with a coarse clock."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from agent.files import Disk, FileEntry
from tests.fakes.clock import WALL


class CoarseDisk(Disk):
    """A file system whose clock ticks once in 2 s, as that of FAT does."""

    def files(self, path: Path) -> Iterator[FileEntry]:
        for entry in super().files(path):
            yield replace(entry, changed=WALL)
