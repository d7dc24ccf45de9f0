"""Reads the bytes of items, from disk or from a bucket, in any process."""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import MappingProxyType

from agent.camera.images.file import FILE_MAX
from agent.dataset.bucket import Bucket, ObjectDenied, ObjectMissing
from agent.dataset.bucket_address import SCHEME, is_bucket
from agent.dataset.records import RECORD_MAX
from agent.errors import ConfigurationError, TemporaryError, UnusableImage
from agent.files import open_regular, read_regular_file, temporary_file
from agent.pool.items import ItemKind, PoolItem, never
from agent.pool.rows import NOT_READ
from agent.pool.sources.ahead import Ahead
from agent.pool.sources.checked import opened_bucket
from agent.pool.sources.faults import NO_ROOM, OF_THE_MACHINE
from agent.printable import printable

RECORDING_MAX = 50_000_000_000
"""Bytes of a recording in a bucket: it is copied to this machine."""

_DENIALS = 3  # objects that must not be read, before one that may: none may
_CHECK = 100  # denials in a row after which it is asked again whether anything may be read

_AHEAD_MAX = 50_000_000  # bytes of an image that is fetched ahead: a few are in memory
_LONGEST = 500  # characters of a reason


class ItemReader:
    """Reads items, see `ReadsItems`. Can be pickled: each process opens its own connections.

    Several threads may read; one of them may `expect`.

    An object that may not be read is one unusable image. If none may, that is
    `ConfigurationError`: at the first denial, and then now and then, an object is asked for that
    could be read before.
    """

    def __init__(self, readable: Mapping[str, str] = MappingProxyType({})) -> None:
        """Make a reader; `readable` is by bucket the key of an object that may be read."""
        self._readable = dict(readable)
        self._buckets: dict[str, Bucket] = {}
        self._denials: dict[str, int] = {}  # in a row, by bucket
        self._ahead = Ahead(self._fetch)

    def __reduce__(self) -> tuple[type["ItemReader"], tuple[dict[str, str]]]:
        return ItemReader, (self._readable,)

    def expect(self, items: Sequence[PoolItem]) -> None:
        """Fetch what these items consist of from their buckets, while others are analysed."""
        wanted: dict[str, int] = {}
        for item in items:
            if item.kind is not ItemKind.RECORDING and item.size <= _AHEAD_MAX:
                wanted |= {item.record: RECORD_MAX} if item.record else {}
                wanted[item.key] = FILE_MAX
        wanted = {key: most for key, most in wanted.items() if is_bucket(key)}
        for key in wanted:
            self._bucket_of(key)
        self._ahead.expect(wanted)

    def read(self, item: PoolItem) -> bytes:
        """Return the bytes of the image of an item."""
        return self._bytes(item.key, FILE_MAX, "image")

    def read_record(self, item: PoolItem) -> bytes:
        """Return the record of a capture, as it is stored."""
        return self._bytes(item.record, RECORD_MAX, "record")

    @contextmanager
    def local(self, item: PoolItem, is_stopped: Callable[[], bool] = never) -> Iterator[Path]:
        """Give a file with the bytes of a recording, while the context is open."""
        if not is_bucket(item.key):
            with _explained("recording", item.key):
                os.close(open_regular(Path(item.key)))
            yield Path(item.key)
            return
        with ExitStack() as stack:
            with _explained("recording", item.key), self._asked(item.key) as (bucket, key):
                pieces = _until(is_stopped, bucket.pieces(key, RECORDING_MAX))
                copy = stack.enter_context(temporary_file(pieces, Path(key).suffix))
            yield copy

    def _bytes(self, key: str, most: int, what: str) -> bytes:
        with _explained(what, key):
            if not is_bucket(key):
                return read_regular_file(Path(key), most)
            with self._asked(key) as (bucket, name):
                fetched = self._ahead.take(key)
                return bucket.read(name, most) if fetched is None else fetched.result()

    def _fetch(self, key: str, most: int) -> bytes:
        bucket, name = self._bucket_of(key)
        return bucket.read(name, most)

    def _bucket_of(self, address: str) -> tuple[Bucket, str]:
        name, _, key = address[len(SCHEME) :].partition("/")
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = opened_bucket(name)
        return bucket, key

    @contextmanager
    def _asked(self, address: str) -> Iterator[tuple[Bucket, str]]:
        """Give the bucket and the key of an object; count what is denied."""
        bucket, key = self._bucket_of(address)
        name = address[len(SCHEME) :].partition("/")[0]
        try:
            yield bucket, key
        except ObjectDenied as error:
            self._denied(bucket, name, error)
            raise
        self._readable[name] = key
        self._denials[name] = 0

    def _denied(self, bucket: Bucket, name: str, error: ObjectDenied) -> None:
        """Raise `ConfigurationError` if nothing of the bucket may be read any more."""
        count = self._denials[name] = self._denials.get(name, 0) + 1
        known = self._readable.get(name)
        if known is None:
            if count >= _DENIALS:
                raise ConfigurationError(str(error)) from error
        elif count % _CHECK == 1:
            try:
                bucket.check_readable(known)
            except ObjectDenied:
                raise ConfigurationError(str(error)) from error
            except ObjectMissing:
                self._readable.pop(name, None)


def _until(is_stopped: Callable[[], bool], pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        if is_stopped():
            raise TemporaryError("stopped while a recording was copied; call it again")
        yield piece


@contextmanager
def _explained(what: str, key: str) -> Iterator[None]:
    cannot = f"{NOT_READ}{what}"
    try:
        yield
    except FileNotFoundError as error:
        if not Path(key).parent.is_dir():
            raise TemporaryError(
                f"{cannot} {printable(key)}: its folder is gone; if it is on a disk or share that "
                "was taken away, connect it and call the command again"
            ) from error
        raise UnusableImage(f"{cannot}: it was removed after it was listed") from error
    except ObjectDenied as error:
        raise UnusableImage(f"{cannot}: {error.why}") from error
    except (ObjectMissing, ValueError) as error:
        raise UnusableImage(f"{cannot}: {printable(error, _LONGEST)}") from error
    except OSError as error:
        why = printable(error.strerror or error)
        if error.errno in NO_ROOM:
            raise TemporaryError(
                f"{cannot} {printable(key)}: {why} for its copy in {tempfile.gettempdir()}; make "
                "room, or name another folder in TMPDIR"
            ) from error
        if error.errno in OF_THE_MACHINE:
            raise TemporaryError(f"{cannot} {printable(key)}: {why}; call it again") from error
        raise UnusableImage(f"{cannot}: {why}") from error
