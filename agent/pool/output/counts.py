"""Counts what the analysis found: one pass over the rows, and nothing but counts in memory."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.pool.rows import PoolRow


@dataclass(slots=True)
class PoolCounts:
    """What a pool has."""

    cameras: Counter[str] = field(default_factory=Counter)  # images by camera
    unusable: int = 0  # black, covered or frozen images
    degraded: int = 0  # dark, overexposed or blurred ones
    problems: dict[str, str] = field(default_factory=dict)  # keys of unreadable images, and why
    gone: Sequence[str] = ()
    """Keys of items that were analysed by an earlier call and are in no source any more."""
    other_models: Counter[str] = field(default_factory=Counter)
    """Captures by the model that made them, where it is not the pool's."""

    @property
    def images(self) -> int:
        """The number of analysed images, frames of recordings too."""
        return self.cameras.total()

    def add(self, row: PoolRow) -> None:
        """Count a row."""
        if row.problem:
            self.problems[row.key] = row.problem
            return
        self.cameras[row.camera] += 1
        self.unusable += row.is_unusable
        self.degraded += row.is_degraded
        if row.other_model:
            self.other_models[row.other_model] += 1
