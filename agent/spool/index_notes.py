"""What the index holds besides the record files: counters and notes, as they are durable."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from agent.domain import SpoolEntry
from agent.spool.disk_budget import DiskBudget
from agent.spool.index import Index, IndexChange
from agent.spool.types import RecoveredState

_HINT, _KEPT_WITH = "hint/", "kept_with/"


class IndexNotes:
    """Commits changes, and knows what became durable. Under the spool's lock."""

    def __init__(self, index: Index, room: DiskBudget, state: RecoveredState) -> None:
        self._index = index
        self._room = room
        self._notes = state.notes
        self._due: dict[str, str] = {}  # notes that go with the next commit
        self.counts = state.counts

    def commit(self, change: IndexChange, also: Mapping[str, str | None]) -> None:
        """Commit, with the notes that are due; on a full disk once more with the reserve freed.

        Notes in `also` go with it, where the change has no others of the same name. Raises
        `OSError`.
        """
        change = replace(change, notes={**also, **self._due, **change.notes})
        try:
            self._index.commit(change)
        except OSError as error:
            if not self._room.is_full(error):
                raise
            self._room.free_reserve()
            self._index.commit(change)
        self._due.clear()
        self.counts += Counter(change.counts)  # which leaves out what is still 0
        for name, text in change.notes.items():
            if text is None:
                self._notes.pop(name, None)
            else:
                self._notes[name] = text

    def settle(self) -> None:
        """Make sure that a commit that raised never was. Raises `OSError`."""
        self._index.settle()

    def note(self, name: str) -> str | None:
        """A note that is durable."""
        return self._notes.get(name)

    def hint(self, entry: SpoolEntry) -> str:
        """What its maker wanted the order of sending to know of a capture."""
        return self._notes.get(_HINT + entry.id, "")

    def hint_to_note(self, entry: SpoolEntry, hint: str) -> dict[str, str]:
        """The note of a hint, if there is one to remember."""
        return {_HINT + entry.id: hint} if hint else {}

    def tried(self) -> set[str]:
        """Ids of random captures that were sent before and not delivered."""
        return {n.removeprefix(_KEPT_WITH) for n in self._notes if n.startswith(_KEPT_WITH)}

    def freeze(self, entry: SpoolEntry, kept_with: float) -> float:
        """With which probability a capture was kept until it was first sent: `kept_with` now.

        Each attempt sends the same record, so evictions after the first do not count, and those
        that were tried leave last. Where all were kept, the note of it waits for the next commit:
        attempts are not written to flash, and the first eviction is a commit.
        """
        name = _KEPT_WITH + entry.id
        if name not in self._notes:
            return float(self._due.setdefault(name, str(kept_with)))
        return float(self._notes[name])

    def must_commit(self, entry: SpoolEntry) -> bool:
        """Whether an attempt to send needs a commit first: others were evicted beside it."""
        return float(self._due.get(_KEPT_WITH + entry.id, 1)) < 1

    def thaw(self, entry: SpoolEntry) -> None:
        """It was not sent: nothing is due for it."""
        self._due.pop(_KEPT_WITH + entry.id, None)

    def forgotten(self, entry: SpoolEntry) -> dict[str, None]:
        """The notes to delete with a capture, if it has some."""
        names = (_HINT + entry.id, _KEPT_WITH + entry.id)
        return {name: None for name in names if name in self._notes or name in self._due}
