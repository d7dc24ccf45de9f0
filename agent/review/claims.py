"""Who looks at which capture at the moment, so that several reviewers get different ones.

A claim only decides what is handed out: any page may review any capture.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from agent.review.other_desks import CLAIM_S, OpenPage

CLIENTS_MAX = 200
"""Pages that are remembered; the one whose last call is the oldest is forgotten first."""


@dataclass(slots=True)
class _Client:
    seen_at: float
    by: str = ""
    holding: set[str] = field(default_factory=set)
    passed: set[str] = field(default_factory=set)  # it had them, and went on


class Claims:
    """The captures that each open page holds; `now` is the monotonic clock in seconds."""

    def __init__(self) -> None:
        self._clients: dict[str, _Client] = {}

    def note(self, client: str, holding: Iterable[str], *, by: str, now: float) -> None:
        """Note which captures a page holds, and who sits before it."""
        known = self._clients.pop(client, None) or _Client(now)
        known.seen_at = now
        known.by = by
        known.holding = set(holding)
        known.passed |= known.holding
        self._clients[client] = known  # the last: the oldest call comes first
        if len(self._clients) > CLIENTS_MAX:
            del self._clients[next(iter(self._clients))]

    def forget(self, client: str) -> None:
        """Give back what a page holds that was closed."""
        self._clients.pop(client, None)

    def hand_out(self, client: str, captures: Iterable[str]) -> None:
        """Add captures to what a known page holds."""
        known = self._clients[client]
        for each in captures:
            known.holding.add(each)
            known.passed.add(each)

    def begin_again(self, client: str) -> None:
        """Forget what a page went past: it gets them again."""
        if client in self._clients:
            self._clients[client].passed.clear()

    def give_back(self, client: str, captures: Iterable[str]) -> None:
        """Note that a page let go of captures which nobody looked at: it may get them again."""
        if client in self._clients:
            self._clients[client].passed.difference_update(captures)

    def passed(self, client: str) -> Collection[str]:
        """Return the captures that a page had already."""
        known = self._clients.get(client)
        return known.passed if known else ()

    def held_by_others(self, client: str, now: float) -> set[str]:
        """Return the captures that other pages hold."""
        return {
            capture
            for name, other in self._clients.items()
            if name != client and now - other.seen_at < CLAIM_S
            for capture in other.holding
        }

    def pages(self, now: float, wall: float) -> list[OpenPage]:
        """Return the pages that hold captures, for other desks; `wall` is the time of day."""
        return [
            OpenPage(each.by, wall - (now - each.seen_at), tuple(sorted(each.holding)))
            for each in self._clients.values()
            if now - each.seen_at < CLAIM_S
        ]

    def others(self, client: str, now: float, elsewhere: Iterable[OpenPage] = ()) -> list[str]:
        """Return who sits before other pages, each name once; those without a name are counted.

        `elsewhere`: the pages of other desks.
        """
        mine = self._clients.get(client)
        names = [
            other.by
            for name, other in self._clients.items()
            if name != client and now - other.seen_at < CLAIM_S
        ]
        names += [page.by for page in elsewhere]
        nameless = names.count("")
        found = sorted({name for name in names if name})
        if mine is not None:
            found = [f"{name} in another window" if name == mine.by else name for name in found]
        return [*found, f"{nameless} without a name"] if nameless else found
