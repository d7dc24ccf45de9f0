"""The counters and notes of the index, as they are durable."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from agent.domain import SpoolEntry
from agent.spool.disk_budget import DiskBudget
from agent.spool.facts import Facts, Notes
from agent.spool.index import Index, IndexChange
from agent.spool.types import RecoveredState

_HINT = "hint/"
_INCLUSION = "kept_with/"  # the name on disk


class IndexNotes:
    """Commits changes and remembers what is durable. Call it with the spool's lock held."""

    def __init__(self, index: Index, room: DiskBudget, state: RecoveredState) -> None:
        self._index = index
        self._disk_budget = room
        self._notes = state.notes
        self._pending: dict[str, str] = {}  # notes to write with the next commit
        self.counts = state.counts
        self.facts = Facts(state.notes)

    def commit(self, change: IndexChange, also: Mapping[str, str | None]) -> None:
        """Commit a change and the pending notes; on a full disk retry once with the reserve freed.

        Notes in `also` are written too, unless the change has a note of the same name. Raises
        `OSError`.
        """
        change = replace(change, notes={**also, **self._pending, **change.notes})
        try:
            self._index.commit(change)
        except OSError as error:
            if not self._disk_budget.is_full(error):
                raise
            self._disk_budget.free_reserve()
            self._index.commit(change)
        self._pending.clear()
        self.counts += Counter(change.counts)  # `+=` drops counters that are 0
        for name, text in change.notes.items():
            if text is None:
                self._notes.pop(name, None)
            else:
                self._notes[name] = text
        self.facts.committed(change.notes)

    def discard_failed(self) -> None:
        """Ensure that no later start finds a commit that raised. Raises `OSError`."""
        self._index.discard_failed()

    def note(self, name: str) -> str | None:
        """Return a durable note, None when there is none."""
        return self._notes.get(name)

    def hint(self, entry: SpoolEntry) -> str:
        """Return the hint for the send order that was stored with a capture."""
        return self._notes.get(_HINT + entry.id, "")

    def hint_to_note(self, entry: SpoolEntry, hint: str) -> dict[str, str]:
        """Return the note that stores a hint; nothing for an empty hint."""
        return {_HINT + entry.id: hint} if hint else {}

    def attempted(self) -> set[str]:
        """Return the ids of random captures that were sent before and not confirmed."""
        return {n.removeprefix(_INCLUSION) for n in self._notes if n.startswith(_INCLUSION)}

    def fix_inclusion(self, entry: SpoolEntry, inclusion_probability: float) -> float:
        """Fix a capture's inclusion probability at its first send attempt, and return it.

        `inclusion_probability` is the value now. Each attempt sends the same record, so evictions
        after the first attempt do not change it, and attempted captures are evicted last. A
        probability of 1 is written with the next commit, not at once: attempts then cost no flash
        writes, and any eviction that could change it is itself a commit.
        """
        name = _INCLUSION + entry.id
        if name not in self._notes:
            return float(self._pending.setdefault(name, str(inclusion_probability)))
        return float(self._notes[name])

    def must_commit(self, entry: SpoolEntry) -> bool:
        """Return whether a send attempt needs a commit first: the probability is below 1."""
        return float(self._pending.get(_INCLUSION + entry.id, 1)) < 1

    def release_inclusion(self, entry: SpoolEntry) -> None:
        """Forget a probability that is not durable yet: the capture was not sent."""
        self._pending.pop(_INCLUSION + entry.id, None)

    def deletions(self, entry: SpoolEntry, *, is_delivered: bool = False) -> Notes:
        """Return the changes that delete all notes of a capture; what it carried waits again.

        What a delivered capture carried is delivered too.
        """
        names = (_HINT + entry.id, _INCLUSION + entry.id)
        facts = self.facts.delivered if is_delivered else self.facts.returned
        return facts(entry.id) | {
            name: None for name in names if name in self._notes or name in self._pending
        }
