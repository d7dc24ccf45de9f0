"""Reads the bytes of items, from disk or from a bucket, in any process."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.camera.images.file import FILE_MAX
from agent.dataset.records import RECORD_MAX
from agent.errors import TemporaryError, UnusableImage
from agent.files import open_regular, read_regular_file
from agent.pool.items import PoolItem
from agent.printable import printable

_NO_FAULT_OF_FILE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})


class ItemReader:
    """Reads items. Can be pickled: each process opens connections of its own."""

    def read(self, item: PoolItem) -> bytes:
        """Return the bytes of the image of an item, see `ReadsItems`."""
        return self._bytes(item.key, FILE_MAX, "image")

    def read_record(self, item: PoolItem) -> bytes:
        """Return the record of a capture, as it is stored."""
        return self._bytes(item.record, RECORD_MAX, "record")

    @contextmanager
    def local(self, item: PoolItem) -> Iterator[Path]:
        """Give a file with the bytes of a recording, while the context is open."""
        path = Path(item.key)
        with _explained("recording"):
            os.close(open_regular(path))
        yield path

    def _bytes(self, key: str, most: int, what: str) -> bytes:
        with _explained(what):
            return read_regular_file(Path(key), most)


@contextmanager
def _explained(what: str) -> Iterator[None]:
    cannot = f"cannot read the {what}"
    try:
        yield
    except FileNotFoundError:
        raise UnusableImage(f"{cannot}: it vanished since it was listed") from None
    except ValueError as error:
        raise UnusableImage(f"{cannot}: {printable(error)}") from error
    except OSError as error:
        if error.errno in _NO_FAULT_OF_FILE:
            raise TemporaryError(f"{cannot}: {error.strerror}") from error
        raise UnusableImage(f"{cannot}: {printable(error.strerror or error)}") from error
