"""What a pool consists of, before anything of it is read."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class ItemKind(StrEnum):
    """What an item is, which decides how it is analysed."""

    IMAGE = "image"  # one image, alone
    CAPTURE = "capture"  # an image with the record that a device made
    RECORDING = "recording"  # a video: its frames are analysed in order


@dataclass(frozen=True, slots=True)
class PoolItem:
    """One thing to analyse. Any process on any machine of the engine can read it by this alone."""

    key: str
    """Names it: its absolute path or its `s3://` address. Unique in a pool."""
    kind: ItemKind
    camera: str
    """Images of one camera show one scene: `DEVICE/CAMERA` of a capture, else the folder of an
    image or the name of a recording, relative to its source; with several sources the name of its
    source comes first. A record that is read replaces it."""
    record: str = ""
    """Key of the record of a capture; empty without one."""
    size: int = 0
    """Bytes, as far as listing told; 0 where it did not."""
    version: int = 0
    """Another one where other bytes were put in its place: 64 bits of size and time of the file, or
    of the ETag of the object; of a capture also of its record. 0 where listing did not tell."""

    @property
    def identity(self) -> str:
        """Return what names it with its version: what is kept of another version is not of it."""
        return identity(self.key, self.version)


def identity(key: str, version: int) -> str:
    """Return the `PoolItem.identity` of an item."""
    return f"{version:016x} {key}" if version else key


def never() -> bool:
    """Return False: what is read is wanted to its end."""
    return False


class ReadsItems(Protocol):
    """Reads what items consist of, from disk or from a bucket. Made once in each process.

    Every method raises `UnusableImage`, a sentence for people, for what is wrong with this item
    alone: it is missing, too large, no regular file, or may not be read. It raises
    `ConfigurationError` and `TemporaryError` for what is no fault of the item.
    """

    def expect(self, items: Sequence[PoolItem]) -> None:
        """Take note of the items that are read next, see `Analyser.expect`."""

    def read(self, item: PoolItem) -> bytes:
        """Return the bytes of the image of an item."""

    def read_record(self, item: PoolItem) -> bytes:
        """Return the record of a capture, as it is stored."""

    def local(
        self, item: PoolItem, is_stopped: Callable[[], bool] = never
    ) -> AbstractContextManager[Path]:
        """Give a file with the bytes of a recording, while the context is open.

        It is the recording itself where that is on this machine's disk, else a copy. Raises
        `TemporaryError` if it is stopped while it copies.
        """
