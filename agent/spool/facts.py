"""Facts: verdicts that were given after their capture was made, on their way to the endpoint.

A fact travels in the field `verdicts` of a record. A capture takes facts at its first send attempt,
and only then: the endpoint may have stored it at any later one, and would ignore other bytes. It
takes the facts about itself, and a few that have no capture to wait for. That an attempt is the
first one is certain of a capture that was stored since the start of this process and not claimed,
and of one for which a credit is spent with this very attempt, unless it was rejected before. A fact
waits for its capture as long as that capture was stored since the start and not claimed.

Two kinds of note in the index hold them, and each step is one transaction:

- `fact/NUMBER`: a fact that no capture carries; the text of its line.
- `carried/ID`: the facts that this capture carries, as `[[number, text], ...]`.

| what happens | notes |
| --- | --- |
| a fact is kept | `fact/` added; of more than `MOST_FACTS` the oldest is dropped, and counted |
| a capture is claimed for the first time | `fact/` deleted, `carried/` added, before the request |
| it is sent again, also after a restart | none: it carries the same |
| it is acknowledged | `carried/` deleted, with its row |
| a person exports and acknowledges facts without a carrier | `fact/` deleted |
| it is rejected, damaged, evicted or replaced | `carried/` deleted, `fact/` added, with its row |
| a start finds that it is gone | the same |
| a rejected capture is put back | `carried/` added, empty: it takes no facts any more |

So a durable fact is in exactly one note until an endpoint has proved that it has it. An endpoint
may get one twice, when its carrier was stored there and evicted here before the proof arrived; the
lines are equal then, and count once. If the index is lost, the facts in it are too.
"""

import contextlib
import json
from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.record.verdicts import MOST_VERDICTS, is_verdict

MOST_FACTS = 1000
"""Facts that are kept; about 0.3 MB."""

MOST_OTHERS = 50
"""Facts in a record that are not about its own capture."""

MOST_CARRIED = MOST_VERDICTS - 1
"""Facts in a record besides its own verdict."""

DROPPED_NOTE = "facts_dropped"
FACT_NOTE, CARRIED_NOTE = "fact/", "carried/"  # the names on disk

Notes = dict[str, str | None]
"""Changes of notes; None deletes."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A verdict as it is sent."""

    number: int  # the order in which facts were kept
    text: str  # JSON, as `line_text` returns it
    capture: str  # id of the capture that it is about; empty for none


class Facts:
    """The facts of a spool, as they are durable. Call it with the spool's lock held.

    Methods return the notes that make a step durable; nothing changes until these are passed to
    `committed`.
    """

    def __init__(self, notes: Mapping[str, str]) -> None:
        """Continue from the notes of the index; a damaged note is ignored."""
        self._waiting: dict[int, Fact] = {}
        self._carried: dict[str, tuple[Fact, ...]] = {}
        self._unsent: set[str] = set()  # ids of waiting captures that were certainly never sent
        self._dropped = 0
        self._next = 1
        self.committed(notes)

    @property
    def count(self) -> int:
        """How many facts no endpoint has confirmed."""
        return len(self._waiting) + sum(map(len, self._carried.values()))

    @property
    def dropped(self) -> int:
        """How many facts were dropped since the spool was created, because too many waited."""
        return self._dropped

    def stored(self, capture_id: str) -> None:
        """Note that a new capture waits; it is no note of the index."""
        self._unsent.add(capture_id)

    def sent(self, capture_id: str) -> None:
        """Note that a capture may be at the endpoint from now on, or does not wait any more."""
        self._unsent.discard(capture_id)

    def keep(self, lines: Sequence[str]) -> Notes:
        """Add facts, each as `line_text` returns it; of too many, the oldest that wait are dropped.

        The index then has at most `MOST_FACTS`, with those that are carried.
        """
        new = [_fact(number, text) for number, text in enumerate(lines, start=self._next)]
        notes: Notes = {f"{FACT_NOTE}{fact.number}": fact.text for fact in new}
        excess = max(0, self.count + len(new) - MOST_FACTS)
        oldest = [*sorted(self._waiting), *(fact.number for fact in new)][:excess]
        if oldest:
            notes |= dict.fromkeys((f"{FACT_NOTE}{number}" for number in oldest), None)
            notes[DROPPED_NOTE] = str(self._dropped + len(oldest))
        return notes

    def attach(self, capture_id: str, *, is_purchase: bool) -> Notes:
        """Let a capture carry facts, if it was certainly never sent; call it at each claim.

        `is_purchase`: a credit is spent on it now.
        """
        is_first = capture_id in self._unsent or is_purchase
        if not is_first or capture_id in self._carried:
            return {}
        own = [fact for fact in self._waiting.values() if fact.capture == capture_id]
        elsewhere = self._unsent | {capture_id}
        others = [fact for fact in self._waiting.values() if fact.capture not in elsewhere]
        carried = [*own, *others[:MOST_OTHERS]][:MOST_CARRIED]
        if not carried:
            return {}
        return {f"{FACT_NOTE}{fact.number}": None for fact in carried} | {
            CARRIED_NOTE + capture_id: json.dumps([[fact.number, fact.text] for fact in carried])
        }

    def carried_by(self, capture_id: str) -> list[Mapping[str, Any]]:
        """Return the lines that a capture carries, on every attempt the same."""
        return [json.loads(fact.text) for fact in self._carried.get(capture_id, ())]

    def requeued(self, capture_id: str) -> Notes:
        """Let a capture that was rejected carry nothing: the endpoint has seen it without."""
        return {CARRIED_NOTE + capture_id: "[]"}

    def delivered(self, capture_id: str) -> Notes:
        """Forget what a capture carried: the endpoint has it."""
        return {CARRIED_NOTE + capture_id: None} if capture_id in self._carried else {}

    def returned(self, capture_id: str) -> Notes:
        """Let what a capture carried wait again: the capture will not be sent any more."""
        back: Notes = {
            f"{FACT_NOTE}{fact.number}": fact.text for fact in self._carried.get(capture_id, ())
        }
        return back | self.delivered(capture_id)

    def free(self) -> list[str]:
        """Return the lines that no capture carries."""
        return [fact.text for fact in self._waiting.values()]

    def handed_over(self, lines: Collection[str]) -> Notes:
        """Forget lines of `free` that somebody else delivered."""
        chosen = set(lines)
        return {
            f"{FACT_NOTE}{fact.number}": None
            for fact in self._waiting.values()
            if fact.text in chosen
        }

    def orphaned(self, waiting: Container[str]) -> Notes:
        """Let what was carried by captures that do not wait any more wait again."""
        notes: Notes = {}
        for capture_id in self._carried:
            if capture_id not in waiting:
                notes |= self.returned(capture_id)
        return notes

    def committed(self, notes: Mapping[str, str | None]) -> None:
        """Follow changes that are durable now; other notes than those of facts are ignored."""
        for name, text in notes.items():
            if name.startswith(FACT_NOTE):
                self._follow_waiting(name.removeprefix(FACT_NOTE), text)
            elif name.startswith(CARRIED_NOTE):
                self._follow_carried(name.removeprefix(CARRIED_NOTE), text)
            elif name == DROPPED_NOTE and text is not None and text.isdecimal():
                self._dropped = int(text)

    def _follow_waiting(self, number: str, text: str | None) -> None:
        if text is None:
            self._waiting.pop(int(number), None)
            return
        with contextlib.suppress(ValueError):
            self._add(_fact(int(number), text))

    def _follow_carried(self, capture_id: str, text: str | None) -> None:
        if text is None:
            self._carried.pop(capture_id, None)
            return
        with contextlib.suppress(ValueError, TypeError):
            facts = tuple(_fact(int(number), line) for number, line in json.loads(text))
            self._carried[capture_id] = facts
            self._next = max([self._next, *(fact.number + 1 for fact in facts)])

    def _add(self, fact: Fact) -> None:
        # In the order of their numbers, also after some came back.
        is_last = not self._waiting or fact.number > next(reversed(self._waiting))
        self._waiting[fact.number] = fact
        if not is_last:
            self._waiting = dict(sorted(self._waiting.items()))
        self._next = max(self._next, fact.number + 1)


def _fact(number: int, text: str) -> Fact:
    """Return a fact from its note. Raises `ValueError` for a damaged one."""
    line = json.loads(text)
    if not is_verdict(line):
        raise ValueError("not a verdict")
    return Fact(number, text, line.get("id") or "")


def count_in(waiting: Sequence[str], carried: Sequence[str]) -> int:
    """Return how many facts there are in the texts of the notes of the two kinds."""
    count = len(waiting)
    for text in carried:
        with contextlib.suppress(ValueError, TypeError):
            count += len(json.loads(text))
    return count
