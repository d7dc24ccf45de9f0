"""The send order where there is no labelling budget."""

from collections.abc import Iterable, Mapping

from sortedcontainers import SortedKeyList

from agent.domain import LANES, SpoolEntry
from agent.ports import SendDecision


class ValueOrder:
    """Everything is sent: requested captures first, then the most valuable, then the oldest."""

    def __init__(self) -> None:
        self._waiting = SortedKeyList(key=_urgency)

    def restore(self, notes: Mapping[str, str], waiting: Iterable[tuple[SpoolEntry, str]]) -> None:
        """Nothing is remembered but what waits."""
        del notes
        self._waiting.update(entry for entry, _ in waiting)  # all at once: many may wait

    def arrive(self, entry: SpoolEntry, hint: str) -> None:
        """A capture waits."""
        del hint
        self._waiting.add(entry)

    def leave(self, entry: SpoolEntry) -> None:
        """It will not be sent any more."""
        self._waiting.discard(entry)

    def choose(self) -> SendDecision | None:
        """The first in line."""
        return SendDecision(self._waiting[0]) if self._waiting else None

    def take(self, choice: SendDecision) -> None:
        """It is being sent."""
        self._waiting.remove(choice.entry)

    def give_back(self, entry: SpoolEntry) -> None:
        """It waits again."""
        self._waiting.add(entry)

    def reason(self) -> str:
        """Only captures that rest or are being sent wait here."""
        return "they were refused a moment ago"

    def account(self) -> Mapping[str, str]:
        """There is nothing to remember."""
        return {}

    def report(self) -> Mapping[str, float]:
        """There is nothing to tell."""
        return {}


def _urgency(entry: SpoolEntry) -> tuple[bool, float, int]:
    return LANES[entry.lane].send_order > 0, -entry.value, entry.sequence
