"""One chosen image, with all that the output says of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.domain import RuleHit
from agent.pool.items import ItemKind, PoolItem
from agent.pool.rows import PoolRow, RowSuspect


@dataclass(frozen=True, slots=True)
class ChosenSuspect:
    """A place in a chosen image where the model is probably wrong, and what it adds."""

    suspect: RowSuspect
    p: float  # after feedback, 0 to 1
    added: float | None
    """Expected new failures beside what was chosen before; None where another suspect of the same
    place has a higher `p` and counts instead."""


@dataclass(frozen=True, slots=True)
class ChosenImage:
    """One chosen image."""

    order: int  # 1 is the first
    row: PoolRow
    item: PoolItem
    value: float  # what its suspects add to those chosen before, and `unseen`
    label: str  # whose suspects add most of it; empty where there is none
    named: tuple[ChosenSuspect, ...]  # all that the rules name, the highest `p` first

    @property
    def suspects(self) -> list[tuple[ChosenSuspect, float]]:
        """One suspect of each place with what it adds, that which adds most first."""
        found = [(each, each.added) for each in self.named if each.added is not None]
        return sorted(found, key=lambda each: -each[1])

    @property
    def unseen(self) -> float:
        """The small part of the value for looking unlike the images chosen before."""
        return max(0.0, self.value - sum(added for _, added in self.suspects))

    @property
    def is_capture(self) -> bool:
        """Whether a device made it: it keeps its record."""
        return self.item.kind is ItemKind.CAPTURE

    @property
    def frame(self) -> int | None:
        """The index of a frame in its recording; None of an image."""
        return self.row.frame

    @property
    def rules(self) -> list[RuleHit]:
        """The rules that name its suspects, that with the highest `p` first."""
        best: dict[str, float] = {}
        for each in self.named:
            best[each.suspect.rule] = max(each.p, best.get(each.suspect.rule, 0.0))
        return [RuleHit(name, p) for name, p in sorted(best.items(), key=lambda one: -one[1])]


def rule_facts(hits: Sequence[RuleHit]) -> list[Mapping[str, str | float]]:
    """Return rules in the form of a record."""
    return [{"name": hit.name, "score": round(hit.score, 4)} for hit in hits]
