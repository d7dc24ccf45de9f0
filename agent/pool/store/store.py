"""The rows of a pool, in parts."""

import re

from agent.pool.engine import Kept
from agent.pool.store.index import read_indexes
from agent.pool.store.journal import read_journal
from agent.pool.store.part import Part, is_sealed, seal, sealed_parts, take_index, take_journal
from agent.pool.store.place import Place
from agent.pool.store.sealed import DAMAGED_SUFFIX, DamagedPart
from agent.pool.store.spans import Spans

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


class PartStore:
    """Keeps rows in a folder or a bucket. Every process of an engine opens it for itself."""

    def __init__(self, place: Place) -> None:
        self.place = place

    def kept(self) -> Kept:
        """Return what is kept. Renames damaged parts, so that they are told once."""
        spans, damaged = Spans(), []
        for index in read_indexes(self.place, sealed_parts(self.place)):
            if isinstance(index, DamagedPart):
                damaged.append(self.give_up(index))
            else:
                take_index(index, spans)
        for name in sorted(self.place.log_names()):
            journal = read_journal(self.place.read_log(name))
            if journal.number is None or is_sealed(self.place, name, journal):
                continue
            take_journal(journal, spans)
            if journal.damaged:
                damaged.append(
                    f"kept rows of {name} in {self.place.name} are damaged: their images are "
                    "analysed again"
                )
        return Kept(
            spans.finished(),
            spans.begun(),
            spans.rows,
            spans.unreadable,
            damaged,
            unread=spans.unread(),
        )

    def finished(self) -> frozenset[str]:
        """Return the identities of the items whose rows are all kept, or that are tried again."""
        kept = self.kept()
        return kept.finished | kept.unread if kept.unread else kept.finished

    def part(self, name: str) -> Part:
        """Open a part to write; one that an earlier process left open goes on where it was.

        `name`: small letters, digits and hyphens.
        """
        if not _NAME.fullmatch(name):
            raise ValueError(f"no name of a part: {name!r}")
        return Part(self.place, name)

    def seal(self) -> None:
        """Seal what killed processes left open. No process may write now."""
        for name in sorted(self.place.log_names()):
            seal(self.place, name, self.place.read_log(name))
            self.place.remove_log(name)

    def give_up(self, error: DamagedPart) -> str:
        """Rename a damaged part, so that its images are analysed again; return what to tell."""
        self.place.rename(error.part, error.part + DAMAGED_SUFFIX)
        return f"{error}, in {self.place.name}; its images are analysed again"
