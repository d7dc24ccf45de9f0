"""The send order where there is no labelling budget."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sortedcontainers import SortedKeyList

from agent.domain import LANES, Lane, SpoolEntry
from agent.ports import SendDecision

_SAMPLED = 64  # captures that are compared with the refused ones


class ValueOrder:
    """Sends everything: failures that people saw, what they asked for, and then by value.

    What the model labelled itself comes last.

    Of equals the oldest first.
    """

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

    def choose_unlike(
        self, refused: Sequence[SpoolEntry], last: Collection[str]
    ) -> SendDecision | None:
        """Return the capture that is farthest from the refused ones, of a sample of all."""
        sample: list[SpoolEntry] = sampled(self._waiting, len(refused))
        return farthest((entry for entry in sample if entry.id not in last), refused)

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


def sampled(line: Sequence[Any], number: int) -> list[Any]:
    """Return a sample from all parts of a line; another one for another `number`."""
    step = max(len(line) // _SAMPLED, 1)
    return [line[at] for at in range(number % step, len(line), step)]


def farthest(
    candidates: Iterable[SpoolEntry], refused: Sequence[SpoolEntry]
) -> SendDecision | None:
    """Return the candidate that differs most from the `refused` capture nearest to it.

    Of equals the last: the order is by value, and those of high value may share what is refused.
    """
    best, most = None, -1.0
    for entry in candidates:
        distance = min(_distance(entry, other) for other in refused)
        if distance >= most:
            best, most = entry, distance
    return None if best is None else SendDecision(best)


def _distance(one: SpoolEntry, other: SpoolEntry) -> float:
    """Return how much two captures differ: in lane, size and value, each from 0 to 1."""
    size = min(abs(math.log2(max(one.size, 1) / max(other.size, 1))), 1.0)
    value = abs(one.value - other.value) / max(one.value, other.value, 0.001)
    return (one.lane is not other.lane) + size + min(value, 1.0)


def is_unobjected(entry: SpoolEntry) -> bool:
    """Whether a capture affirms the model: a verdict about a failure has a value of at least 1."""
    return entry.lane is Lane.VERDICT and entry.value == 0


def _urgency(entry: SpoolEntry) -> tuple[int, float, int]:
    if entry.lane is Lane.VERDICT:
        return (2 if is_unobjected(entry) else 0), 0.0, entry.sequence
    if entry.lane is Lane.AUTO:
        return 4, -entry.value, entry.sequence
    return (1 if LANES[entry.lane].budget_limit is not None else 3), -entry.value, entry.sequence
