"""Each credit buys the waiting capture with the highest value, beside what was purchased before."""

import hashlib
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sortedcontainers import SortedKeyList

from agent.domain import Lane, SpoolEntry
from agent.ports import SendDecision
from agent.selection.budget.hint import SendHint
from agent.selection.budget.ledger import LEDGER_NOTE, ClockReading, Ledger
from agent.selection.budget.send_order import farthest, is_unobjected, sampled
from agent.selection.camera_cover import HALF_LIFE_S, MOST_SHOWN
from agent.selection.cover import Cover

REMEMBERED_S = 3 * HALF_LIFE_S
"""Purchases are remembered over restarts for so long: an eighth of what they showed counts then."""

_REVALUED_S = 3600.0  # what was purchased fades, so that values rise again, slowly
_SENT = "sent/"


@dataclass(slots=True, eq=False)
class _Held:
    entry: SpoolEntry
    hint: SendHint
    value: float  # an upper bound, unless `version` is the current one
    version: tuple[int, int] = (-1, -1)


@dataclass(slots=True)
class BudgetedOrder:
    """The order of sending within a labelling budget: lanes, credits, value.

    Implements `ports.SendOrder`. A purchase is durable before the capture is sent, and the capture
    stays paid however often it must be sent again. What is purchased is added to `cover`.
    """

    ledger: Ledger
    now: Callable[[], ClockReading]
    cover: Cover = field(default_factory=Cover)
    min_value: float = 0.0  # expected new failures; less is not worth a credit
    unreadable: Callable[[str], None] = lambda _note: None
    """Called with the name of a note that is damaged and ignored."""
    _held: dict[str, _Held] = field(default_factory=dict)  # by id; those that are not being sent
    _by_value: dict[bool, SortedKeyList] = field(default_factory=dict)  # score lane, by "degraded"
    _lanes: dict[Lane, SortedKeyList] = field(default_factory=dict)  # entries, in sending order
    _hints: dict[str, SendHint] = field(default_factory=dict)
    _unseen: set[str] = field(default_factory=set)  # paid before the start, and not arrived yet
    _notes: dict[str, float] = field(
        default_factory=dict
    )  # when purchased, by name of `sent/` notes
    _valued: tuple[int, int] = (-1, -1)  # hour and weights for which all upper bounds hold

    def __post_init__(self) -> None:
        self._lanes = {
            Lane.VERDICT: SortedKeyList(key=_failures_first),
            Lane.REQUESTED: SortedKeyList(key=_by_age),
            Lane.RANDOM: SortedKeyList(key=_random_order),
            Lane.INTERVAL: SortedKeyList(key=_random_order),
            Lane.AUTO: SortedKeyList(key=_by_age),  # no labelling credit buys them: see `AutoOrder`
        }
        self._by_value = {degraded: SortedKeyList(key=_highest) for degraded in (False, True)}

    def restore(self, notes: Mapping[str, str], waiting: Iterable[tuple[SpoolEntry, str]]) -> None:
        """Restore the ledger, the purchases of the last days, and the captures that wait."""
        if LEDGER_NOTE in notes:
            try:
                self.ledger = Ledger.from_text(
                    notes[LEDGER_NOTE],
                    per_day=self.ledger.per_day,
                    random_share=self.ledger.random_share,
                    period_s=self.ledger.period_s,
                )
            except ValueError:  # a new one has no credit yet, so that it cannot overspend
                before = self.ledger
                self.ledger = Ledger(before.per_day, before.random_share, before.period_s)
                self.unreadable(LEDGER_NOTE)
            self._unseen = set(self.ledger.paid)
        purchased = []
        for name, text in notes.items():
            if name.startswith(_SENT):
                elapsed, _, hint = text.partition("\n")
                known = _earlier(hint)
                try:
                    purchased.append((_time(elapsed), name, known))
                except ValueError:
                    self.unreadable(name)
        now = self.now().monotonic
        for at, name, known in sorted(purchased, key=lambda each: each[:2]):
            self._notes[name] = at
            self.cover.add(known.view, now - (self.ledger.elapsed - at))
        for entry, text in waiting:
            self._hints[entry.id] = _earlier(text)
            self.give_back(entry)

    def arrive(self, entry: SpoolEntry, hint: str) -> None:
        """Add a capture that waits."""
        self._hints[entry.id] = SendHint.from_text(hint)
        self.give_back(entry)

    def leave(self, entry: SpoolEntry) -> None:
        """Remove a capture that will not be sent any more."""
        self._drop(entry)
        self._hints.pop(entry.id, None)
        self.ledger.finished(entry.id)

    def give_back(self, entry: SpoolEntry) -> None:
        """Let a capture wait (again)."""
        hint = self._hints[entry.id]
        self._unseen.discard(entry.id)
        held = _Held(entry, hint, self._most(entry, hint))
        self._held[entry.id] = held
        if entry.lane is Lane.SCORE:
            self._by_value[hint.is_degraded].add(held)
        else:
            self._lanes[entry.lane].add(entry)

    def choose(self) -> SendDecision | None:
        """Return a paid capture, else what a credit buys now; None if no credit may be spent."""
        self._bring_up()
        for capture_id in self.ledger.paid:
            if capture_id in self._held:
                return SendDecision(self._held[capture_id].entry)
        for line in self._lanes.values():
            if line and self._may_buy(line[0]):
                return self._buy(line[0])
        if self.ledger.may_buy(Lane.SCORE):
            best = self._best()
            if best is not None and best.value >= self.min_value:
                return self._buy(best.entry)
        return None

    def choose_unlike(
        self, refused: Sequence[SpoolEntry], last: Collection[str]
    ) -> SendDecision | None:
        """Return a paid capture unlike the refused ones, else what a credit buys that is.

        Of the lanes that are random samples only the next in order is a candidate.
        """
        self._bring_up()
        paid = [self._held[one].entry for one in self.ledger.paid if one in self._held]
        found = farthest((entry for entry in paid if entry.id not in last), refused)
        if found is not None:
            return found
        candidates = [line[0] for line in self._lanes.values() if line and self._may_buy(line[0])]
        if self.ledger.may_buy(Lane.SCORE):
            line = self._by_value[False]
            worth = [held for held in sampled(line, len(refused)) if held.value >= self.min_value]
            candidates += [held.entry for held in worth]
        found = farthest((entry for entry in candidates if entry.id not in last), refused)
        return None if found is None else self._buy(found.entry)

    def take(self, choice: SendDecision) -> None:
        """Record that the choice is durable; it does not wait until it is given back."""
        entry = choice.entry
        hint = self._hints[entry.id]
        if LEDGER_NOTE in choice.notes:
            _pay(self.ledger, entry, hint)
            for name, text in choice.notes.items():
                if text is None:
                    self._notes.pop(name, None)
            self._notes[_SENT + entry.id] = self.ledger.elapsed
            self.cover.add(hint.view, self.now().monotonic)
        self._drop(entry)

    def reason(self) -> str:
        """Why nothing may be sent though something waits."""
        if self.ledger.may_buy(Lane.SCORE):
            best = self._best()
            if best is None and (self._lanes[Lane.REQUESTED] or self._lanes[Lane.VERDICT]):
                return (
                    "requested captures and verdicts have had their tenth of the credits of "
                    f"AGENT_BUDGET_PER_DAY={self.ledger.per_day:g}"
                )
            value = best.value if best is not None else 0.0
            return (
                f"no capture is worth a credit: the best would show {value:.2f} new failures, "
                f"which is below AGENT_MIN_VALUE={self.min_value:g}"
            )
        hours = self.ledger.seconds_until_credit() / 3600
        return (
            f"no credit is left now: AGENT_BUDGET_PER_DAY={self.ledger.per_day:g}, "
            f"{self.ledger.spent_today} spent today, the next in about {hours:.1f} h"
        )

    def account(self) -> Mapping[str, str]:
        """Return the ledger, to be stored with each change: time without power earns nothing.

        At that moment all purchases are durable, so that it never takes one back.
        """
        self._bring_up()
        return {LEDGER_NOTE: self.ledger.text}

    def report(self) -> Mapping[str, float]:
        """Credits, and the highest value that waits for one, for the minute summary."""
        self._bring_up()
        best = self._best()
        return {
            "best_value": round(best.value, 2) if best is not None else 0.0,
            "credits_left": round(self.ledger.left, 1),
            "credits_spent_today": self.ledger.spent_today,
        }

    def current_value(self, capture_id: str) -> float | None:
        """Return the value of a waiting capture beside the purchases; None if it does not wait."""
        held = self._held.get(capture_id)
        return None if held is None else self._value(held)

    def _bring_up(self) -> None:
        """Bring the ledger up to now."""
        for gone in self._unseen:  # finished before the start, after the ledger was stored
            self.ledger.finished(gone)
        self._unseen.clear()
        self.ledger.accrue(self.now())

    def _best(self) -> _Held | None:
        """Return the score-lane capture with the highest value now."""
        hour = int(self.now().monotonic // _REVALUED_S)
        state = hour, self.cover.weighings
        if state != self._valued:  # upper bounds are too low where something has faded
            self._valued = state
            for held in self._held.values():
                if held.entry.lane is Lane.SCORE:
                    self._revalue(held, self._most(held.entry, held.hint), (-1, -1))
        lines = [self._by_value[False]]
        if self.ledger.may_buy_degraded:
            lines.append(self._by_value[True])
        found = [self._first(line) for line in lines]
        return min((held for held in found if held is not None), key=_highest, default=None)

    def _first(self, line: SortedKeyList) -> _Held | None:
        """Return the highest of one list.

        A purchase only lowers values: once the first one's value is up to date, it is the highest.
        """
        current = self.cover.version, self._valued[0]
        while line:
            held: _Held = line[0]
            if held.version == current:
                return held
            self._revalue(held, self._value(held), current)
        return None

    def _revalue(self, held: _Held, value: float, version: tuple[int, int]) -> None:
        line = self._by_value[held.hint.is_degraded]
        line.remove(held)
        held.value, held.version = value, version
        line.add(held)

    def _value(self, held: _Held) -> float:
        if not held.hint.is_known:
            return held.entry.value
        return self.cover.value(held.hint.view, self.now().monotonic)

    def _most(self, entry: SpoolEntry, hint: SendHint) -> float:
        """Return a value that the capture never exceeds."""
        return self.cover.most(hint.view) if hint.is_known else entry.value

    def _may_buy(self, entry: SpoolEntry) -> bool:
        return self.ledger.may_buy(entry.lane, is_unobjected=is_unobjected(entry))

    def _buy(self, entry: SpoolEntry) -> SendDecision:
        ledger = self.ledger.copy()
        hint = self._hints[entry.id]
        _pay(ledger, entry, hint)
        notes: dict[str, str | None] = {LEDGER_NOTE: ledger.text}
        for n, (name, at) in enumerate(self._notes.items()):
            if ledger.elapsed - at > REMEMBERED_S or n <= len(self._notes) - MOST_SHOWN:
                notes[name] = None
        notes[_SENT + entry.id] = f"{ledger.elapsed:.0f}\n{hint.text}"
        return SendDecision(entry, notes)

    def _drop(self, entry: SpoolEntry) -> None:
        held = self._held.pop(entry.id, None)
        if held is None:
            return
        if entry.lane is Lane.SCORE:
            self._by_value[held.hint.is_degraded].remove(held)
        else:
            self._lanes[entry.lane].discard(entry)


def _time(text: str) -> float:
    at = float(text)
    if not math.isfinite(at):
        raise ValueError("not a time")
    return at


def _earlier(text: str) -> SendHint:
    return SendHint.from_text(text).of_earlier_process()


def _highest(held: _Held) -> tuple[float, int]:
    """The highest value first; of equals the older one."""
    return -held.value, held.entry.sequence


def _pay(ledger: Ledger, entry: SpoolEntry, hint: SendHint) -> None:
    ledger.buy(
        entry.id,
        entry.lane,
        is_degraded=hint.is_degraded,
        is_unobjected=is_unobjected(entry),
    )


def _failures_first(entry: SpoolEntry) -> tuple[bool, int]:
    """What people saw of failures before what nobody objected to; each the oldest first."""
    return is_unobjected(entry), entry.sequence


def _by_age(entry: SpoolEntry) -> int:
    return entry.sequence


def _random_order(entry: SpoolEntry) -> bytes:
    """Return a random key: if fewer can be sent than wait, those sent are still a random sample.

    It is not the tag that decides evictions: captures with high tags are evicted more often than
    the weights of the others account for.
    """
    return hashlib.blake2b(entry.id.encode(), digest_size=8).digest()
