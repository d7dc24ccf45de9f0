"""Each credit buys the waiting capture of the highest value beside what was purchased before."""

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from sortedcontainers import SortedKeyList

from agent.domain import Capture, Lane, SpoolEntry
from agent.ports import SendDecision
from agent.selection.budget.ledger import DAY_S, ClockReading, Ledger
from agent.selection.image_quality import DEGRADED_SHARE
from agent.selection.similarity import Fingerprint

DIVERSITY = 0.5
"""How much value a capture loses if an identical one was purchased in the last 24 h."""

BREADTH = 0.5
"""How much of its value a capture loses when all purchases of that time were for the same rule.
Which rule is right on this camera is unknown before labels come, so none gets all the credits."""

_FEW = 2  # added to the purchases when shares are counted: the first ones say little

_LEDGER, _SENT = "ledger", "sent/"


@dataclass(frozen=True, slots=True)
class SendHint:
    """What the send order needs of a capture besides its spool entry; stored in the index."""

    camera: str
    is_degraded: bool = False
    fingerprint: str | None = None
    rule: str = ""  # the one with the largest contribution to the value

    @classmethod
    def of(cls, capture: Capture) -> "SendHint":
        """Make the hint of a capture."""
        rule = capture.rules[0].name if capture.rules else ""
        camera = capture.observation.frame.camera
        return cls(camera, capture.is_degraded, capture.fingerprint, rule)

    @property
    def text(self) -> str:
        """The hint as text, for the spool's index."""
        return f"{self.camera}\n{int(self.is_degraded)}\n{self.fingerprint or ''}\n{self.rule}"

    @classmethod
    def from_text(cls, text: str) -> "SendHint":
        """Read a hint as `text` writes it; an empty text gives an empty hint."""
        camera, _, rest = text.partition("\n")
        degraded, _, rest = rest.partition("\n")
        fingerprint, _, rule = rest.partition("\n")
        return cls(camera, degraded == "1", fingerprint or None, rule)


@dataclass(slots=True)
class _Held:
    entry: SpoolEntry
    hint: SendHint
    fingerprint: Fingerprint | None
    similar: float = 0.0  # largest similarity to a purchase that it was compared with
    most_like: int = -1  # number of that purchase
    compared: int = -1  # number of the latest purchase that it was compared with


@dataclass(frozen=True, slots=True)
class _Sent:
    number: int  # 0, 1, 2, ... in the order of sending
    at: float  # seconds of running time
    camera: str
    rule: str
    fingerprint: Fingerprint


@dataclass(slots=True)
class BudgetedOrder:
    """The order of sending within a labelling budget: lanes, credits, diversity.

    Implements `ports.SendOrder`. A purchase is durable before the capture is sent, and costs one
    credit however often the capture must be sent again.
    """

    ledger: Ledger
    now: Callable[[], ClockReading]
    _held: dict[str, _Held] = field(
        default_factory=dict
    )  # by id; only those that are not being sent
    _lanes: dict[Lane, SortedKeyList] = field(default_factory=dict)  # entries, in sending order
    _hints: dict[str, SendHint] = field(default_factory=dict)
    _sent: list[_Sent] = field(default_factory=list)  # in the last 24 h, oldest first
    _sent_ever: int = 0
    _sent_for: Counter[str] = field(default_factory=Counter)  # the same, by rule
    _unseen: set[str] = field(default_factory=set)  # paid before the start, and not arrived yet
    _notes: dict[str, float] = field(default_factory=dict)  # names of durable `sent/` notes

    def __post_init__(self) -> None:
        self._lanes = {
            Lane.REQUESTED: SortedKeyList(key=_by_age),
            Lane.RANDOM: SortedKeyList(key=_random_order),
            Lane.INTERVAL: SortedKeyList(key=_random_order),
        }

    def restore(self, notes: Mapping[str, str], waiting: Iterable[tuple[SpoolEntry, str]]) -> None:
        """Restore the ledger, the purchases of the last 24 h, and the captures that wait."""
        if _LEDGER in notes:
            self.ledger = Ledger.from_text(
                notes[_LEDGER],
                per_day=self.ledger.per_day,
                random_share=self.ledger.random_share,
                period_s=self.ledger.period_s,
            )
            self._unseen = set(self.ledger.paid)
        sent = [
            (float(at), name, SendHint.from_text(hint))
            for name, (at, _, hint) in (
                (name, text.partition("\n"))
                for name, text in notes.items()
                if name.startswith(_SENT)
            )
        ]
        for at, name, hint in sorted(sent, key=lambda each: each[:2]):
            self._remember(name, at, hint)
        for entry, text in waiting:
            self.arrive(entry, text)

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
        self._held[entry.id] = _Held(entry, hint, _parsed(hint.fingerprint))
        if entry.lane in self._lanes:
            self._lanes[entry.lane].add(entry)

    def choose(self) -> SendDecision | None:
        """Return a paid capture, else what a credit buys now; None if no credit may be spent."""
        self._bring_up()
        for capture_id in self.ledger.paid:
            if capture_id in self._held:
                return SendDecision(self._held[capture_id].entry)
        for lane, line in self._lanes.items():
            if line and self.ledger.may_buy(lane):
                return self._buy(line[0])
        if self.ledger.may_buy(Lane.SCORE):
            best = self._best()
            if best is not None:
                return self._buy(best.entry)
        return None

    def take(self, choice: SendDecision) -> None:
        """Record that the decision is durable: the credit is spent."""
        entry = choice.entry
        hint = self._hints[entry.id]
        if _LEDGER in choice.notes:
            self.ledger.buy(entry.id, entry.lane, is_degraded=hint.is_degraded)
            for name, text in choice.notes.items():
                if text is None:
                    self._notes.pop(name, None)
            self._remember(_SENT + entry.id, self.ledger.elapsed, hint)
        self._drop(entry)

    def reason(self) -> str:
        """Return why nothing may be sent although captures wait."""
        hours = self.ledger.seconds_until_credit() / 3600
        return (
            f"no credit is left now: AGENT_BUDGET_PER_DAY={self.ledger.per_day}, "
            f"{self.ledger.spent_today} spent today, the next in about {hours:.1f} h"
        )

    def account(self) -> Mapping[str, str]:
        """Return the ledger as text; the caller stores it with each change on disk.

        A power cut then loses little of what has accrued. It is called only when all purchases are
        durable, so the text never lacks one.
        """
        self._bring_up()
        return {_LEDGER: self.ledger.text}

    def report(self) -> Mapping[str, float]:
        """Return the credits, for the minute summary."""
        self._bring_up()
        return {
            "credits_left": round(self.ledger.left, 1),
            "credits_spent_today": self.ledger.spent_today,
        }

    def current_value(self, capture_id: str) -> float | None:
        """Return a capture's value beside what was purchased; None for one that does not wait."""
        held = self._held.get(capture_id)
        return None if held is None else self._ranked(held)[0]

    def _bring_up(self) -> None:
        """Bring the ledger up to now."""
        for gone in self._unseen:  # finished before the start, but after the stored ledger
            self.ledger.finished(gone)
        self._unseen.clear()
        self.ledger.accrue(self.now())

    def _best(self) -> _Held | None:
        """Return the score-lane capture of the highest value beside what was purchased."""
        allowed = self.ledger.degraded_spent < self._degraded_limit()
        candidates = (
            held
            for held in self._held.values()
            if held.entry.lane is Lane.SCORE and (allowed or not held.hint.is_degraded)
        )
        # Comparisons are expensive: skip captures whose undiminished value is already too low.
        best, highest = None, (-math.inf, 0)
        for held in sorted(candidates, key=lambda held: (-held.entry.value, held.entry.sequence)):
            if held.entry.value < highest[0]:
                break
            ranked = self._ranked(held)
            if ranked > highest:
                best, highest = held, ranked
        return best

    def _ranked(self, held: _Held) -> tuple[float, int]:
        """Return the value less similarity to purchases in image and rule; older first if equal."""
        if held.fingerprint is not None and self._sent:
            if held.most_like >= 0 and held.most_like < self._sent[0].number:
                held.similar, held.most_like, held.compared = (
                    0.0,
                    -1,
                    -1,
                )  # that purchase is more than 24 h old
            for sent in self._sent:
                if sent.number > held.compared and sent.camera == held.hint.camera:
                    similar = held.fingerprint.similarity(sent.fingerprint)
                    if similar > held.similar:
                        held.similar, held.most_like = similar, sent.number
            held.compared = self._sent[-1].number
        elif not self._sent:
            held.similar, held.most_like = 0.0, -1
        same = self._sent_for[held.hint.rule] / (len(self._sent) + _FEW)
        value = held.entry.value - DIVERSITY * held.similar - BREADTH * same
        return value, -held.entry.sequence

    def _degraded_limit(self) -> float:
        return DEGRADED_SHARE * self.ledger.per_day

    def _buy(self, entry: SpoolEntry) -> SendDecision:
        ledger = self.ledger.copy()
        hint = self._hints[entry.id]
        ledger.buy(entry.id, entry.lane, is_degraded=hint.is_degraded)
        notes: dict[str, str | None] = {_LEDGER: ledger.text}
        for name, at in self._notes.items():
            if ledger.elapsed - at > DAY_S:
                notes[name] = None
        if hint.fingerprint is not None:
            notes[_SENT + entry.id] = f"{ledger.elapsed:.0f}\n{hint.text}"
        return SendDecision(entry, notes)

    def _remember(self, name: str, at: float, hint: SendHint) -> None:
        """Remember a purchase for 24 h: similar captures lose value."""
        self._notes[name] = at
        self._sent = [sent for sent in self._sent if self.ledger.elapsed - sent.at <= DAY_S]
        fingerprint = _parsed(hint.fingerprint)
        if fingerprint is not None:
            self._sent.append(_Sent(self._sent_ever, at, hint.camera, hint.rule, fingerprint))
            self._sent_ever += 1
        self._sent_for = Counter(sent.rule for sent in self._sent if sent.rule)

    def _drop(self, entry: SpoolEntry) -> None:
        self._held.pop(entry.id, None)
        if entry.lane in self._lanes:
            self._lanes[entry.lane].discard(entry)


def _parsed(fingerprint: str | None) -> Fingerprint | None:
    """Return the fingerprint; None if unreadable: the capture is similar to no other."""
    try:
        return Fingerprint.from_text(fingerprint) if fingerprint else None
    except ValueError:
        return None


def _by_age(entry: SpoolEntry) -> int:
    return entry.sequence


def _random_order(entry: SpoolEntry) -> bytes:
    """Return a random key: if fewer can be sent than wait, those sent are still a random sample.

    It is independent of the eviction tag. Sending by the tag would leave captures with high tags,
    of which more are evicted than the weights account for.
    """
    return hashlib.blake2b(entry.id.encode(), digest_size=8).digest()
