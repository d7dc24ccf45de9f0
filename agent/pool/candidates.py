"""What the choice knows of one image."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from agent.selection.view import View


@dataclass(frozen=True, slots=True)
class Candidate:
    """One image that may be chosen, with what feedback made of its suspects."""

    key: str
    id: str
    view: View
    is_unusable: bool = False  # it is never chosen
    is_degraded: bool = False  # dark, overexposed or blurred: few of them are chosen


class Shard(Protocol):
    """A part of the candidates, sorted by key. It may be read more than once."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Candidate]: ...

    def fetch(self, numbers: Sequence[int]) -> list[Candidate]:
        """Return the candidates with these places in the order, ascending; cheaper than all."""
