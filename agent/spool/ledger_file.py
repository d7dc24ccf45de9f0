"""The labelling budget's ledger in files of its own, so that it survives a lost index.

The ledger is also a note in the index, stored with each change. The files are written only when a
credit is spent, before the index and before the request, so at each moment one of them knows of
every credit that was spent. There are two, because one may be damaged:

    offset  bytes  content
    0       64     SHA-256 of the rest, in hex
    64      1      a line end
    65             the ledger as text
"""

import contextlib
import hashlib
from collections.abc import Mapping

from agent.files import Disk, is_disk_full
from agent.selection.budget.ledger import LEDGER_NOTE, latest
from agent.spool.layout import SpoolPaths

_DIGEST = 64  # characters
_LONGEST = 10_000_000  # bytes; a ledger has a few thousand


class LedgerFile:
    """The two copies. Call it with the spool's lock held."""

    def __init__(self, disk: Disk, paths: SpoolPaths) -> None:
        self._disk = disk
        self._paths = paths

    def write(self, text: str) -> None:
        """Replace both copies, durably; one of them is whole at every moment. Raises `OSError`."""
        data = text.encode()
        digest = hashlib.sha256(data).hexdigest().encode()
        for path in self._paths.ledgers:
            try:
                self._disk.write(path, digest + b"\n" + data)
            except OSError as error:
                if not is_disk_full(error):
                    raise
                self._disk.overwrite(path, digest + b"\n" + data)
        self._disk.sync_directory(self._paths.root)

    def repair(self, text: str) -> None:
        """Write both copies if one of them is missing or damaged, and there is a ledger.

        Raises `OSError`.
        """
        if text and len(self.read()) < len(self._paths.ledgers):
            self.write(text)

    def read(self) -> list[str]:
        """Return the texts of the copies that are there and whole."""
        texts = []
        for path in self._paths.ledgers:
            with contextlib.suppress(OSError, UnicodeDecodeError):
                data, _ = self._disk.beginning(path, _LONGEST)
                text = data[_DIGEST + 1 :]
                if data[:_DIGEST] == hashlib.sha256(text).hexdigest().encode():
                    texts.append(text.decode())
        return texts


def latest_ledger(notes: Mapping[str, str], copies: LedgerFile) -> dict[str, str]:
    """Return the note with the latest ledger of the index and of the copies, if there is any."""
    in_index = [notes[LEDGER_NOTE]] if LEDGER_NOTE in notes else []
    text = latest([*in_index, *copies.read()])
    return {} if text is None else {LEDGER_NOTE: text}
