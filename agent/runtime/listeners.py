"""Who wants to know what the pipeline does, while it does it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from agent.domain import Capture, Observation
from agent.selection.selector import FrameEvaluation

Item = TypeVar("Item")


class Listeners(Generic[Item]):
    """Functions that are called with each item, in the thread of the pipeline.

    A listener must return at once and never raise: it keeps a reference and wakes its own thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._called: tuple[Callable[[Item], None], ...] = ()

    def __bool__(self) -> bool:
        return bool(self._called)

    def add(self, listener: Callable[[Item], None]) -> Callable[[], None]:
        """Call `listener` from now on; return the function that ends it."""
        with self._lock:
            self._called = (*self._called, listener)

        def remove() -> None:
            with self._lock:
                self._called = tuple(each for each in self._called if each is not listener)

        return remove

    def tell(self, item: Item) -> None:
        """Call each listener."""
        for listener in self._called:
            listener(item)


@dataclass(frozen=True, slots=True)
class PipelineEvents:
    """What others can listen to."""

    analysed: Listeners[Observation] = field(default_factory=Listeners)
    """Each frame of a camera in its order, once the model has run."""
    evaluated: Listeners[FrameEvaluation] = field(default_factory=Listeners)
    """Each frame once the rules have judged it: up to three frames later."""
    captured: Listeners[Capture] = field(default_factory=Listeners)
    """Each capture, before its image is encoded."""
