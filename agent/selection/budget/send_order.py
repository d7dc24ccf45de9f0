"""In which order captures are sent: a port of the spool, and the order where there is no budget."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from sortedcontainers import SortedKeyList

from agent.domain import Lane
from agent.record.file_format import Entry


@dataclass(frozen=True, slots=True)
class Choice:
    """The capture to send next, and what must be durable before it is sent."""

    entry: Entry
    notes: Mapping[str, str | None] = field(default_factory=dict)


class SendingOrder(Protocol):
    """Chooses what is sent next. Called under the spool's lock; owns no files."""

    def restore(self, notes: Mapping[str, str], waiting: Iterable[tuple[Entry, str]]) -> None:
        """Continue from the notes that earlier choices made durable, with all that waits.

        Of each that waits the entry and its hint, as `arrive` gets them.
        """

    def arrive(self, entry: Entry, hint: str) -> None:
        """A capture waits; `hint` is what its maker wanted the order to know of it."""

    def leave(self, entry: Entry) -> None:
        """It will not be sent any more: delivered, rejected, evicted or lost."""

    def choose(self) -> Choice | None:
        """What to send now, or None when nothing may be sent. Changes nothing."""

    def take(self, choice: Choice) -> None:
        """The choice is durable and being sent: it is no candidate until it is given back."""

    def give_back(self, entry: Entry) -> None:
        """It was not delivered and waits again."""

    def reason(self) -> str:
        """Why nothing may be sent though something waits."""

    def account(self) -> Mapping[str, str]:
        """Notes that go with whatever is made durable next, so that a power cut costs little."""

    def report(self) -> Mapping[str, float]:
        """Figures for the minute summary."""


class ByValue:
    """Everything is sent: requested captures first, then the most valuable, then the oldest."""

    def __init__(self) -> None:
        self._waiting = SortedKeyList(key=_urgency)

    def restore(self, notes: Mapping[str, str], waiting: Iterable[tuple[Entry, str]]) -> None:
        """Nothing is remembered but what waits."""
        del notes
        self._waiting.update(entry for entry, _ in waiting)  # all at once: many may wait

    def arrive(self, entry: Entry, hint: str) -> None:
        """A capture waits."""
        del hint
        self._waiting.add(entry)

    def leave(self, entry: Entry) -> None:
        """It will not be sent any more."""
        self._waiting.discard(entry)

    def choose(self) -> Choice | None:
        """The first in line."""
        return Choice(self._waiting[0]) if self._waiting else None

    def take(self, choice: Choice) -> None:
        """It is being sent."""
        self._waiting.remove(choice.entry)

    def give_back(self, entry: Entry) -> None:
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


def _urgency(entry: Entry) -> tuple[bool, float, int]:
    return entry.lane is not Lane.REQUESTED, -entry.value, entry.sequence
