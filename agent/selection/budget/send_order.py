"""The send order where there is no labelling budget."""

from collections.abc import Iterable, Mapping

from sortedcontainers import SortedKeyList

from agent.domain import LANES, SpoolEntry
from agent.ports import SendDecision


class ValueOrder:
    """Sends everything: requested captures first, then by value, then the oldest."""

    def __init__(self) -> None:
        self._waiting = SortedKeyList(key=_urgency)

    def restore(self, notes: Mapping[str, str], waiting: Iterable[tuple[SpoolEntry, str]]) -> None:
        """Add the captures that wait; this order has no notes."""
        del notes
        self._waiting.update(entry for entry, _ in waiting)  # all at once, because many may wait

    def arrive(self, entry: SpoolEntry, hint: str) -> None:
        """Add a capture that waits."""
        del hint
        self._waiting.add(entry)

    def leave(self, entry: SpoolEntry) -> None:
        """Remove a capture that will not be sent any more."""
        self._waiting.discard(entry)

    def choose(self) -> SendDecision | None:
        """Return the first capture, if any."""
        return SendDecision(self._waiting[0]) if self._waiting else None

    def take(self, choice: SendDecision) -> None:
        """Remove the capture: it is being sent."""
        self._waiting.remove(choice.entry)

    def give_back(self, entry: SpoolEntry) -> None:
        """Let a capture wait again."""
        self._waiting.add(entry)

    def reason(self) -> str:
        """Return why captures wait although this order holds none: they wait for a retry."""
        return "they wait for their next attempt"

    def account(self) -> Mapping[str, str]:
        """Return nothing: this order keeps no state."""
        return {}

    def report(self) -> Mapping[str, float]:
        """Return the value of the capture that is sent next; there are no credits."""
        return {"best_value": round(self._waiting[0].value, 2)} if self._waiting else {}


def _urgency(entry: SpoolEntry) -> tuple[bool, float, int]:
    return LANES[entry.lane].send_order > 0, -entry.value, entry.sequence
