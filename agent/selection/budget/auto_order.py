"""The send order with auto labels: captures of the lane `auto`, beside an order of all others."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sortedcontainers import SortedKeyList

from agent.domain import Lane, SpoolEntry
from agent.ports import SendDecision, SendOrder
from agent.selection.budget.hint import SendHint
from agent.selection.budget.ledger import AUTO_LEDGER_NOTE, ClockReading, Ledger
from agent.selection.budget.send_order import farthest
from agent.selection.camera_cover import MOST_SHOWN
from agent.selection.cover import Cover
from agent.selection.view import View

OFF = "AGENT_AUTO_PER_DAY is 0, so that captures of the lane auto wait"

_SENT = "sent_auto/"
"""Prefix of the notes with what was sent in the lane `auto`; the name on disk."""


@dataclass(slots=True)
class AutoOrder:
    """Captures of the lane `auto` are sent when no other may be, each for a credit of their own.

    Implements `ports.SendOrder`. All others are in `others`, whose credits these never touch. What
    is sent, or waits, is added to `cover` at a start, so that the selection knows it.
    """

    others: SendOrder
    ledger: Ledger  # its `for_auto` is True
    now: Callable[[], ClockReading]
    cover: Cover = field(default_factory=Cover)
    unreadable: Callable[[str], None] = lambda _note: None
    """Called with the name of a note that is damaged and ignored."""
    _waiting: SortedKeyList = field(default_factory=lambda: SortedKeyList(key=_highest))
    _hints: dict[str, str] = field(default_factory=dict)  # of captures of the lane
    _other_ids: set[str] = field(default_factory=set)  # of captures that wait in `others`
    _notes: dict[str, float] = field(default_factory=dict)  # `elapsed` when sent, by note

    def restore(self, notes: Mapping[str, str], waiting: Iterable[tuple[SpoolEntry, str]]) -> None:
        """Restore both orders, and what was sent in the lane `auto`."""
        own: list[tuple[SpoolEntry, str]] = []
        others: list[tuple[SpoolEntry, str]] = []
        for entry, hint in waiting:
            (own if entry.lane is Lane.AUTO else others).append((entry, hint))
        self.others.restore(notes, others)
        self._other_ids = {entry.id for entry, _ in others}
        if AUTO_LEDGER_NOTE in notes:
            try:
                self.ledger = Ledger.from_text(
                    notes[AUTO_LEDGER_NOTE],
                    per_day=self.ledger.per_day,
                    random_share=0.0,
                    period_s=self.ledger.period_s,
                    for_auto=True,
                )
            except ValueError:  # a new one has no credit yet, so that it cannot overspend
                self.unreadable(AUTO_LEDGER_NOTE)
        shown = []
        for name, text in notes.items():
            if name.startswith(_SENT):
                elapsed, _, hint = text.partition("\n")
                try:
                    at = max(0.0, float(elapsed))
                except ValueError:
                    self.unreadable(name)
                    continue
                self._notes[name] = at
                shown.append((at, name, hint))
        now = self.now().monotonic
        for at, _, hint in sorted(shown):
            self.cover.add(_view(hint), now - max(0.0, self.ledger.elapsed - at))
        for entry, hint in own:
            self.arrive(entry, hint)
            self.cover.add(_view(hint), now)
        for gone in self.ledger.paid - self._hints.keys():  # finished before the start
            self.ledger.finished(gone)

    def arrive(self, entry: SpoolEntry, hint: str) -> None:
        """Add a capture that waits."""
        if entry.lane is Lane.AUTO:
            self._hints[entry.id] = hint
            self._waiting.add(entry)
        else:
            self._other_ids.add(entry.id)
            self.others.arrive(entry, hint)

    def leave(self, entry: SpoolEntry) -> None:
        """Remove a capture that will not be sent any more."""
        if entry.lane is Lane.AUTO:
            self._waiting.discard(entry)
            self._hints.pop(entry.id, None)
            self.ledger.finished(entry.id)
        else:
            self._other_ids.discard(entry.id)
            self.others.leave(entry)

    def give_back(self, entry: SpoolEntry) -> None:
        """Let a capture wait again."""
        if entry.lane is Lane.AUTO:
            self._waiting.add(entry)
        else:
            self.others.give_back(entry)

    def choose(self) -> SendDecision | None:
        """Return what the other order chooses; only if that is nothing, an auto label."""
        choice = self.others.choose()
        if choice is not None:
            return choice
        self._bring_up()
        paid = self._paid()
        if paid:
            return SendDecision(paid[0])
        if self._waiting and self.ledger.may_buy(Lane.AUTO):
            return self._buy(self._waiting[0])
        return None

    def choose_unlike(
        self, refused: Sequence[SpoolEntry], last: Collection[str]
    ) -> SendDecision | None:
        """Return what the other order chooses; only if that is nothing, a paid auto label."""
        choice = self.others.choose_unlike(refused, last)
        if choice is not None or self.others.choose() is not None:
            return choice
        return farthest((entry for entry in self._paid() if entry.id not in last), refused)

    def take(self, choice: SendDecision) -> None:
        """Record that the choice is durable; it does not wait until it is given back."""
        entry = choice.entry
        if entry.lane is not Lane.AUTO:
            self.others.take(choice)
            return
        if AUTO_LEDGER_NOTE in choice.notes:
            self.ledger.buy(entry.id, Lane.AUTO)
            for name, text in choice.notes.items():
                if text is None:
                    self._notes.pop(name, None)
            self._notes[_SENT + entry.id] = self.ledger.elapsed
        self._waiting.discard(entry)

    def reason(self) -> str:
        """Why nothing may be sent though something waits."""
        if self._other_ids or not self._hints:
            return self.others.reason()
        if not self.ledger.per_day:
            return OFF
        hours = self.ledger.seconds_until_credit() / 3600
        return (
            f"what waits is of the lane auto: AGENT_AUTO_PER_DAY={self.ledger.per_day:g}, "
            f"{self.ledger.spent_today} sent today, the next in about {hours:.1f} h"
        )

    def account(self) -> Mapping[str, str]:
        """Return the ledgers, to be stored with each change."""
        self._bring_up()
        own = {} if not self.ledger.per_day else {AUTO_LEDGER_NOTE: self.ledger.text}
        return {**self.others.account(), **own}

    def report(self) -> Mapping[str, float]:
        """Figures of the other order, and of auto labels where there are any."""
        self._bring_up()
        figures = dict(self.others.report())
        if self.ledger.per_day or self._hints:
            figures |= {
                "auto_waiting": len(self._hints),
                "auto_sent_today": self.ledger.spent_today,
                "auto_credits_left": round(self.ledger.left, 1),
            }
        return figures

    def _paid(self) -> list[SpoolEntry]:
        """Return the captures that wait for another attempt: they need no credit."""
        paid = self.ledger.paid
        return [entry for entry in self._waiting if entry.id in paid] if paid else []

    def _buy(self, entry: SpoolEntry) -> SendDecision:
        ledger = self.ledger.copy()
        ledger.buy(entry.id, Lane.AUTO)
        notes: dict[str, str | None] = {AUTO_LEDGER_NOTE: ledger.text}
        notes |= dict.fromkeys(list(self._notes)[: max(0, len(self._notes) + 1 - MOST_SHOWN)], None)
        notes[_SENT + entry.id] = f"{ledger.elapsed:.0f}\n{self._hints[entry.id]}"
        return SendDecision(entry, notes)

    def _bring_up(self) -> None:
        self.ledger.accrue(self.now())


def _highest(entry: SpoolEntry) -> tuple[float, int]:
    """The highest value first; of equals the newer one, so that what is sent shows today."""
    return -entry.value, -entry.sequence


def _view(hint: str) -> View:
    return SendHint.from_text(hint).of_earlier_process().view
