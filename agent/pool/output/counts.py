"""Counts what the analysis found: one pass over the rows, and nothing but counts in memory."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class SourceCounts:
    """What one source has."""

    source: str  # as given
    images: int = 0  # analysed, frames of recordings too
    unreadable: int = 0


@dataclass(slots=True)
class PoolCounts:
    """What a pool has."""

    sources: list[SourceCounts]
    cameras: Counter[str] = field(default_factory=Counter)  # images by camera
    unusable: int = 0  # black, covered or frozen images
    degraded: int = 0  # dark, overexposed or blurred ones
    problems: dict[str, str] = field(default_factory=dict)  # keys of unreadable images, and why
    other_models: Counter[str] = field(default_factory=Counter)
    """Captures by the model that made them, `NAME (SHA256)`, where it is not the pool's."""

    @property
    def images(self) -> int:
        """The number of analysed images."""
        return sum(each.images for each in self.sources)
