"""What was asked of the choice, and what it made of the candidates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many images are wanted, and how many of one kind at most."""

    take: int  # at least 1
    per_camera: int | None = None
    per_class: int | None = None  # of each label that `labels` does not name
    labels: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Pick:
    """One chosen candidate. Picks are in the order in which they were chosen."""

    key: str
    id: str
    value: float  # expected new failures beside the picks before it
    added: tuple[float, ...]  # what each place of its view adds to that, weights included
    label: str = ""  # of the places that add most: it counts for `Bounds.per_class`


@dataclass(frozen=True, slots=True)
class Choice:
    """The outcome."""

    picks: Sequence[Pick]
    most: float  # expected failures that no other choice within the bounds can exceed
    near_duplicates: int = 0  # candidates that count as one image with a pick or a shown one
    following: Sequence[float] = ()  # values of the candidates that would come next, best first

    @property
    def value(self) -> float:
        """The expected failures of all picks."""
        return sum(each.value for each in self.picks)
