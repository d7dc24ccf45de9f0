"""What the process of the command and its workers tell each other."""

from dataclasses import dataclass

from agent.pool.items import PoolItem


@dataclass(frozen=True, slots=True)
class Task:
    """One item to analyse."""

    item: PoolItem
    first_frame: int = 0  # of a recording: those before it are kept
    tries: int = 0  # that ended with a crash


@dataclass(frozen=True, slots=True)
class Work:
    """Analyse these, one after the other."""

    tasks: tuple[Task, ...]


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Keep a problem as the row of an item."""

    task: Task
    problem: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Seal the part after the image in work, and end."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker has its analyser and takes work."""


@dataclass(frozen=True, slots=True)
class Advanced:
    """Rows were kept since the last message."""

    images: int
    unreadable: int
    is_done: bool  # the first task that was not done is done now


@dataclass(frozen=True, slots=True)
class Failed:
    """An error that is no fault of an item; the worker ends."""

    message: str
    is_temporary: bool


@dataclass(frozen=True, slots=True)
class Broken:
    """A bug that an item showed; the worker ends."""

    reason: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The part is sealed; the worker ends."""


ToWorker = Work | GiveUp | Stop
FromWorker = Ready | Advanced | Failed | Broken | Closed
