"""Where the store lies: a folder or a bucket."""

from collections.abc import Iterator
from typing import IO, Protocol


class RowLog(Protocol):
    """The rows of a part in progress. One process writes it."""

    def append(self, data: bytes) -> None:
        """Add bytes."""

    def content(self) -> bytes:
        """Return all that there is, from the head on."""

    def discard(self) -> None:
        """Delete it, after its rows were sealed."""


class Place(Protocol):
    """Holds the files of a store, without folders. Can be pickled.

    Every method raises `ConfigurationError` where a person must change something, and
    `TemporaryError` where trying again may help.
    """

    @property
    def name(self) -> str:
        """Where it is, for messages."""

    def prepare(self) -> None:
        """Make what it needs to be written to."""

    def names(self) -> Iterator[str]:
        """Yield the names of all files, in no order; none if there is no store."""

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a file; None without it."""

    def open(self, name: str) -> IO[bytes]:
        """Open a file to read parts of it."""

    def write(self, name: str, data: bytes) -> None:
        """Put a whole file under a name, durably."""

    def remove(self, name: str) -> None:
        """Delete a file, if it is there."""

    def rename(self, name: str, new: str) -> None:
        """Give a file another name, durably."""

    def log_names(self) -> Iterator[str]:
        """Yield the names of the parts in progress."""

    def read_log(self, part: str) -> bytes:
        """Return what was kept of a part in progress; nothing without one."""

    def open_log(self, part: str, head: bytes, former: bytes = b"") -> RowLog:
        """Go on with a part in progress after its bytes `former`; else begin with `head`."""

    def remove_log(self, part: str) -> None:
        """Delete a part in progress, after its rows were sealed."""
