"""What runs the analysis: in processes of this machine, or on a cluster."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from agent.errors import AgentError
from agent.pool.items import PoolItem
from agent.pool.rows import PoolRow


class Analyser(Protocol):
    """Reads and analyses items. Made once in each process; not thread-safe."""

    def expect(self, items: Sequence[PoolItem]) -> None:
        """Take note of the items that come next, in order; they may be fetched meanwhile.

        Each call replaces what was expected before. Nothing depends on it but the speed.
        """

    def rows(self, item: PoolItem, *, first_frame: int = 0) -> Iterator[PoolRow]:
        """Yield the rows of an item: one, or one for each analysed frame of a recording.

        An image that cannot be read is a row with a `problem`. The frames of a recording before
        `first_frame` are passed over. Raises `ConfigurationError` and `TemporaryError` for what is
        no fault of the item, such as a bucket that refuses everything.
        """


MakesAnalyser = Callable[[], Analyser]
"""Makes the analyser of a process. It can be pickled and is the same everywhere."""


EXPECTED = 5
"""Items that an engine tells an analyser to expect: the next one, and those after it."""


@dataclass(frozen=True, slots=True)
class AnalysisProgress:
    """How far the analysis is."""

    done: int  # items
    total: int
    images: int  # rows, with those of former runs
    unreadable: int
    notes: tuple[str, ...] = ()
    """What a person should know, such as kept rows that are damaged; in the first report alone."""


class AnalysisStopped(AgentError):
    """A signal ended the analysis; what was analysed is kept, and the same call goes on."""

    def __init__(self, message: str, *, number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + number


@dataclass(slots=True)
class Kept:
    """What a store holds, by `PoolItem.identity`."""

    finished: frozenset[str]  # items whose rows are all kept
    begun: Mapping[str, int]  # unfinished recordings, with the first frame that is not kept
    rows: int
    unreadable: int  # rows with a problem
    damaged: list[str] = field(default_factory=list)
    """Parts that could not be read, a sentence each: their items are analysed again."""
    unread: frozenset[str] = frozenset()
    """Items whose bytes could not be had: they are tried again."""


class RowStore(Protocol):
    """Keeps rows, in a folder or a bucket. Every process of an engine opens it for itself."""

    def kept(self) -> Kept:
        """Return what is kept. Damaged parts are told of once."""

    def finished(self) -> frozenset[str]:
        """Return the identities of the items whose rows are all kept."""

    def part(self, name: str) -> "RowPart":
        """Open a part to write; one that an earlier process left open goes on where it was."""


class RowPart(Protocol):
    """A part that one process writes. What was added survives a kill of the process.

    `item` is a `PoolItem.identity`.
    """

    def is_finished(self, item: str) -> bool:
        """Whether all rows of an item are kept in this part."""

    def next_frame(self, item: str, *, first: int = 0) -> int:
        """Return the first frame of an item that this part does not have; 0 without any row.

        `first`: the first frame that all other parts lack.
        """

    def add(self, row: PoolRow) -> None:
        """Keep a row. Those of a recording come in the order of its frames."""

    def finish(self, item: str) -> None:
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
