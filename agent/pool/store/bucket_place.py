"""A store in a bucket: objects are whole or not there, and cannot grow.

    PREFIX/.pool/NAME.rows/000001    rows in progress: a few hundred, or those of some seconds
    PREFIX/.pool/NAME-NUMBER.CRC.parquet    sealed, then the rows in progress are deleted

So a kill costs what a worker found in the last seconds. No lock keeps two runs apart: they analyse
some images twice, and the choice takes one row of each key.
"""

import contextlib
import io
from collections.abc import Iterator
from typing import IO

from agent.dataset.bucket import Bucket, ObjectDenied, ObjectMissing
from agent.pool.store.place import RowLog
from agent.pool.store.sealed import DamagedPart
from agent.ports import Clock
from agent.printable import printable
from agent.system import SystemClock

PUT_FRAMES = 256
"""Rows, and notes of finished items, in an object of rows in progress."""

PUT_S = 10.0
"""Seconds after which rows become such an object, however few they are."""

_PUT_BYTES = 8_000_000
_LARGEST = 1_000_000_000  # bytes of an object
_FOLDER = ".pool"
_SUFFIX = ".rows"
_AHEAD = 1_000_000  # bytes of a request: less costs as much


class BucketPlace:
    """The objects below `.pool/` of an output prefix. Each process has its own connections."""

    def __init__(self, url: str, *, clock: Clock | None = None) -> None:
        """Open `s3://BUCKET/PREFIX`; raises `ConfigurationError`."""
        self._url = url
        self._clock = clock or SystemClock()
        self._bucket = Bucket(url)

    def __reduce__(self) -> tuple[type["BucketPlace"], tuple[str]]:
        """Let a process that gets it open the bucket for itself."""
        return BucketPlace, (self._url,)

    @property
    def name(self) -> str:
        """Where it is, for messages."""
        return f"{printable(self._bucket.name)}/{_FOLDER}"

    def prepare(self) -> None:
        """Do nothing: a bucket has no folders."""

    def names(self) -> Iterator[str]:
        """Yield the names of all objects that are no rows in progress."""
        for key, _ in self._bucket.level(_FOLDER)[1]:
            yield key.removeprefix(f"{_FOLDER}/")

    def read(self, name: str) -> bytes | None:
        """Return the bytes of an object; None without it."""
        try:
            return self._bucket.read(f"{_FOLDER}/{name}", _LARGEST)
        except ObjectMissing:
            return None

    def open(self, name: str) -> IO[bytes]:
        """Open an object to read parts of it; raises `DamagedPart` if it is not there."""
        size = self._bucket.size(f"{_FOLDER}/{name}")
        if size is None:
            raise DamagedPart(name, "it is not there any more")
        return io.BufferedReader(_ObjectFile(self._bucket, f"{_FOLDER}/{name}", size), _AHEAD)

    def write(self, name: str, data: bytes) -> None:
        """Put an object under a name."""
        self._bucket.put(f"{_FOLDER}/{name}", data)

    def remove(self, name: str) -> None:
        """Delete an object, if it is there and these credentials may; if not, it is in no way."""
        with contextlib.suppress(ObjectDenied):
            self._bucket.remove(f"{_FOLDER}/{name}")

    def rename(self, name: str, new: str) -> None:
        """Copy an object under another name, and delete it; raises `ObjectDenied`."""
        self._bucket.put(f"{_FOLDER}/{new}", self.read(name) or b"")
        self._bucket.remove(f"{_FOLDER}/{name}")

    def log_names(self) -> Iterator[str]:
        """Yield the names of the parts in progress."""
        for folder in self._bucket.level(_FOLDER)[0]:
            name = folder.removeprefix(f"{_FOLDER}/").rstrip("/")
            if name.endswith(_SUFFIX):
                yield name.removesuffix(_SUFFIX)

    def read_log(self, part: str) -> bytes:
        """Return what was kept of a part in progress; nothing without one."""
        names = sorted(self._log_objects(part))
        return b"".join(self.read(name) or b"" for name in names)

    def open_log(self, part: str, head: bytes, former: bytes = b"") -> RowLog:
        """Go on with a part in progress after its bytes `former`; else begin with `head`."""
        names = sorted(self._log_objects(part))
        last = int(names[-1].rpartition("/")[2]) if names and former else 0
        return _BucketLog(self, part, former or head, last + 1, is_new=not former)

    def remove_log(self, part: str) -> None:
        """Delete a part in progress; the head goes last, without which the rest is nothing."""
        for name in sorted(self._log_objects(part), reverse=True):
            self.remove(name)

    def now(self) -> float:
        """Seconds of a clock that never steps."""
        return self._clock.monotonic()

    def _log_objects(self, part: str) -> Iterator[str]:
        for key, _ in self._bucket.level(f"{_FOLDER}/{part}{_SUFFIX}")[1]:
            if key.rpartition("/")[2].isdigit():
                yield key.removeprefix(f"{_FOLDER}/")


class _BucketLog:
    """Rows that become objects a few hundred at a time. All of them stay in memory until sealed."""

    def __init__(
        self, place: BucketPlace, part: str, begin: bytes, number: int, *, is_new: bool
    ) -> None:
        self._place = place
        self._part = part
        self._content = bytearray(begin)
        self._number = number
        self._put = 0 if is_new else len(begin)  # bytes that are in objects
        self._frames = 0  # that are not
        self._since = place.now()

    def append(self, data: bytes) -> None:
        if not self._frames:
            self._since = self._place.now()
        self._content += data
        self._frames += 1
        waits = self._place.now() - self._since
        if (
            self._frames >= PUT_FRAMES
            or waits >= PUT_S
            or len(self._content) - self._put >= _PUT_BYTES
        ):
            self._flush()

    def content(self) -> bytes:
        return bytes(self._content)

    def discard(self) -> None:
        if self._number > 1:
            self._place.remove_log(self._part)

    def _flush(self) -> None:
        name = f"{self._part}{_SUFFIX}/{self._number:06d}"
        self._place.write(name, bytes(self._content[self._put :]))
        self._put = len(self._content)
        self._number += 1
        self._frames = 0


class _ObjectFile(io.RawIOBase):
    """An object of which parts are read by requests of their own."""

    def __init__(self, bucket: Bucket, key: str, size: int) -> None:
        self._bucket = bucket
        self._key = key
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        begin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, begin + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        end = min(self._at + len(buffer), self._size)
        if end <= self._at:
            return 0
        data = self._bucket.read_range(self._key, self._at, end)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
