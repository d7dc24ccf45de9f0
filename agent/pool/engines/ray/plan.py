"""What the command and its driver process say to each other.

    command    Plan                       batches, None
    driver           Reached, Connected                  Counts ..., Done

A driver that cannot go on says `Failed` instead.
"""

from collections.abc import Callable
from dataclasses import dataclass

from agent.pool.engine import MakesAnalyser, RowStore
from agent.pool.engines.messages import Failed


@dataclass(frozen=True, slots=True)
class Plan:
    """What the driver has to do."""

    address: str  # of a running cluster; empty: start Ray on this machine, for this run
    workers: int | None  # processes; None: one for each core
    gpus: float  # of each worker
    make_analyser: MakesAnalyser
    open_store: Callable[[], RowStore]
    out: str  # local folder of the rows; empty: they go to a bucket
    sample: tuple[tuple[str, int], ...]  # path and size in bytes of some items on a local disk


@dataclass(frozen=True, slots=True)
class Reached:
    """Ray answers."""


@dataclass(frozen=True, slots=True)
class Connected:
    """Ray runs, and every node can take part."""

    workers: int
    nodes: int


@dataclass(frozen=True, slots=True)
class Counts:
    """How far the driver is; of this run alone."""

    done: int = 0  # items
    images: int = 0  # rows
    unreadable: int = 0
    returned: int = 0  # bytes that the workers returned


@dataclass(frozen=True, slots=True)
class Done:
    """All is analysed."""


Message = Reached | Connected | Counts | Failed | Done
