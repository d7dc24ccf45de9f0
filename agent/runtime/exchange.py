"""The thread that publishes the daemon's state and answers what others ask."""

from pathlib import Path

from agent.exchange.asks import clear
from agent.exchange.folder import opened, prepare
from agent.exchange.state import STATE_FILE, DaemonState, encoded
from agent.files import Disk
from agent.logs import Log
from agent.ports import Clock
from agent.runtime.answers import Answers
from agent.runtime.live import LiveState

LOOK_S = 0.5
"""How often the folder is looked at."""

MEMORY_S, FLASH_S = 2.0, 60.0
"""Seconds between two states, in memory and where each one wears the flash."""


class StatePublisher:
    """Puts the state into the exchange folder; a failure is logged once, and its end too."""

    def __init__(self, path: Path, *, user: int, in_memory: bool, disk: Disk, log: Log) -> None:
        """`user` is ours; `in_memory`: publishing wears nothing."""
        self.path = path
        self.in_memory = in_memory
        self.interval = MEMORY_S if in_memory else FLASH_S
        self._user = user
        self._disk = disk
        self._log = log
        self._refused = False

    def begin(self, state: DaemonState) -> None:
        """Create the folder, remove what an earlier daemon left, and publish a first state."""
        try:
            prepare(self.path, self._disk)
            with opened(self.path, user=self._user) as folder:
                clear(folder, self._disk)
        except OSError as error:
            self.refused(error)
            return
        self.publish(state)

    def publish(self, state: DaemonState) -> None:
        """Replace the state; create the folder again if it is gone."""
        try:
            if not self.path.exists():
                prepare(self.path, self._disk)
            with opened(self.path, user=self._user) as folder:
                self._disk.publish(folder / STATE_FILE, encoded(state))
        except OSError as error:
            self.refused(error)
            return
        if self._refused:
            self._log.warning("status available", folder=str(self.path))
        self._refused = False

    def refused(self, error: OSError) -> None:
        """Log once that the folder cannot be used."""
        if not self._refused:
            self._log.warning("status unavailable", folder=str(self.path), error=str(error))
        self._refused = True


class Exchange:
    """The step that publishes the state when it is due or asked for, and answers."""

    def __init__(
        self,
        publisher: StatePublisher,
        live: LiveState,
        answers: Answers,
        *,
        user: int,
        clock: Clock,
    ) -> None:
        self.live = live
        self._publisher = publisher
        self._answers = answers
        self._user = user
        self._clock = clock
        self._next = clock.monotonic()

    def step(self) -> float:
        """Do what is due; return the wait, as a worker's step does."""
        is_asked = False
        try:
            with opened(self._publisher.path, user=self._user) as folder:
                is_asked = self._answers.step(folder)
        except OSError as error:
            self._publisher.refused(error)
        now = self._clock.monotonic()
        if is_asked or now >= self._next:
            self._publish()
            self._next = now + self._publisher.interval
        return LOOK_S

    def close(self) -> None:
        """Publish the last state."""
        self._publish()

    def _publish(self) -> None:
        self._publisher.publish(self.live.state(interval=self._publisher.interval))
