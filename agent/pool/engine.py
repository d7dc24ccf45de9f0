"""What runs the analysis: in processes of this machine, or on a cluster."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from agent.pool.items import PoolItem
from agent.pool.rows import PoolRow


class Analyser(Protocol):
    """Reads and analyses items. Made once in each process; not thread-safe."""

    def rows(self, item: PoolItem, *, first_frame: int = 0) -> Iterator[PoolRow]:
        """Yield the rows of an item: one, or one for each analysed frame of a recording.

        An image that cannot be read is a row with a `problem`. The frames of a recording before
        `first_frame` are passed over. Raises `ConfigurationError` and `TemporaryError` for what is
        no fault of the item, such as a bucket that refuses everything.
        """


MakesAnalyser = Callable[[], Analyser]
"""Makes the analyser of a process. It can be pickled and is the same everywhere."""


@dataclass(frozen=True, slots=True)
class AnalysisProgress:
    """How far the analysis is."""

    done: int  # items
    total: int
    images: int  # rows, with those of former runs
    unreadable: int


class RowStore(Protocol):
    """Keeps rows, in a folder or a bucket. Every process of an engine opens it for itself."""

    def finished(self) -> frozenset[str]:
        """Return the keys of the items whose rows are all kept."""

    def part(self, name: str) -> "RowPart":
        """Open a part to write; one that an earlier process left open goes on where it was."""


class RowPart(Protocol):
    """A part that one process writes. What was added survives a kill of the process."""

    def is_finished(self, key: str) -> bool:
        """Whether all rows of an item are kept in this part."""

    def next_frame(self, key: str) -> int:
        """Return the first frame of an item that this part does not have; 0 without any row."""

    def add(self, row: PoolRow) -> None:
        """Keep a row. Those of a recording come in the order of its frames."""

    def finish(self, key: str) -> None:
        """Note that all rows of an item are kept."""

    def close(self) -> None:
        """Seal the part: it is complete, and never written again."""


class Engine(Protocol):
    """Analyses items in several processes, each of which writes its own parts."""

    def run(
        self,
        items: Sequence[PoolItem],
        make_analyser: MakesAnalyser,
        open_store: Callable[[], RowStore],
        progress: Callable[[AnalysisProgress], None],
    ) -> None:
        """Analyse the items that are not finished yet; an interrupted run goes on where it was."""
