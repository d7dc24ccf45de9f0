"""The ledgers of the labelling budget and of auto labels in files of their own.

So they survive a lost index.

The ledger is also a note in the index, stored with each change. The files are written only when a
credit is spent, before the index and before the request, so at each moment one of them knows of
every credit that was spent. There are two, because one may be damaged:

    offset  bytes  content
    0       64     SHA-256 of the rest, in hex
    64      1      a line end
    65             the ledger as text

The ledger of auto labels has two such files too.
"""

import contextlib
import hashlib
from collections.abc import Mapping, Sequence

from agent.files import Disk, is_disk_full
from agent.selection.budget.ledger import AUTO_LEDGER_NOTE, LEDGER_NOTE, latest
from agent.spool.layout import SpoolPaths

_DIGEST = 64  # characters
_LONGEST = 10_000_000  # bytes; a ledger has a few thousand


class LedgerFile:
    """The two copies of one ledger. Call it with the spool's lock held."""

    def __init__(self, disk: Disk, paths: SpoolPaths, note: str = LEDGER_NOTE) -> None:
        """`note`: the name of the ledger in the index, `LEDGER_NOTE` or `AUTO_LEDGER_NOTE`."""
        self._disk = disk
        self._paths = paths
        self._copies = paths.auto_ledgers if note == AUTO_LEDGER_NOTE else paths.ledgers
        self.note = note

    def write(self, text: str) -> None:
        """Replace both copies, durably; one of them is whole at every moment. Raises `OSError`."""
        data = text.encode()
        digest = hashlib.sha256(data).hexdigest().encode()
        for path in self._copies:
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
        if text and len(self.read()) < len(self._copies):
            self.write(text)

    def read(self) -> list[str]:
        """Return the texts of the copies that are there and whole."""
        texts = []
        for path in self._copies:
            with contextlib.suppress(OSError, UnicodeDecodeError):
                data, _ = self._disk.beginning(path, _LONGEST)
                text = data[_DIGEST + 1 :]
                if data[:_DIGEST] == hashlib.sha256(text).hexdigest().encode():
                    texts.append(text.decode())
        return texts


def latest_ledgers(notes: Mapping[str, str], files: Sequence[LedgerFile]) -> dict[str, str]:
    """Return the note of each ledger: the latest text of the index and of its copies, if any."""
    found = {}
    for copies in files:
        in_index = [notes[copies.note]] if copies.note in notes else []
        text = latest([*in_index, *copies.read()])
        if text is not None:
            found[copies.note] = text
    return found
