"""What was asked of the choice, and what it made of the candidates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

_DEGRADED_OF = 20  # one in so many, as of the credits of a device


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many images are wanted, and how many of one kind at most."""

    take: int  # at least 1
    per_camera: int | None = None
    per_class: int | None = None  # of each label that `labels` does not name
    labels: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    degraded: int | None = None  # dark, overexposed and blurred ones; None: the share of a device

    @property
    def most_degraded(self) -> int:
        """How many of the images may be degraded: else 5 % of them, and one at least."""
        if self.degraded is not None:
            return self.degraded
        return max(1, self.take // _DEGRADED_OF)


@dataclass(frozen=True, slots=True)
class Pick:
    """One chosen candidate. Picks are in the order in which they were chosen."""

    key: str
    id: str
    value: float  # expected new failures beside the picks before it
    added: tuple[float, ...]  # what each place of its view adds to that, weights included
    label: str = ""  # of the places that add most: it counts for `Bounds.per_class`


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """A candidate that counts as one image with a pick or a shown one."""

    key: str
    id: str
    like: str  # the key of that other one


@dataclass(frozen=True, slots=True)
class Choice:
    """The outcome."""

    picks: Sequence[Pick]
    most: float
    """Expected failures that no other choice within the bounds can exceed: if each suspect is one
    thing that all its images show, as it is for tracks and for what does not change."""
    near_duplicates: int = 0  # candidates that count as one image with a pick or a shown one
    """Only those that came up while choosing."""
    following: Sequence[float] = ()  # values of the candidates that would come next, best first
    shown_before: int = 0  # candidates that are among the images shown before
    named_duplicates: Sequence[NearDuplicate] = ()  # the first 10,000
    exact: int = 0  # picks of which no other candidate had a higher value at its turn
    least_step: float = 1.0  # of each pick: its value by the highest possible at its turn, at least
    valuations: int = 0  # how often a candidate was compared with what was chosen

    @property
    def value(self) -> float:
        """The expected failures of all picks."""
        return sum(each.value for each in self.picks)
