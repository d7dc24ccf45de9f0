"""What is known of the daemon of a spool, from another process or from the daemon itself."""

import contextlib
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from agent.exchange.state import DaemonState, Phase
from agent.printable import printable
from agent.spool.lock import Owner

SILENT_S = 10.0
"""How late a state may be before the daemon counts as silent, in seconds."""


class Presence(StrEnum):
    """Whether a daemon runs; the values are part of `status --json`."""

    RUNNING = "running"
    STARTING = "starting"
    STOPPING = "stopping"
    SILENT = "silent"  # the process is there, its state is old
    STOPPED = "stopped"  # the latest one ended in order
    KILLED = "killed"  # the latest one ended without a word
    NONE = "none"  # there never was one since the boot

    @property
    def is_there(self) -> bool:
        """Whether a process of the daemon exists."""
        return self not in {Presence.STOPPED, Presence.KILLED, Presence.NONE}


@dataclass(frozen=True, slots=True)
class DaemonView:
    """A daemon as seen from another process."""

    presence: Presence
    owner: Owner | None  # of the spool; another command if it is no daemon
    state: DaemonState | None  # of the daemon that runs, else of the latest one
    age_s: float | None = None  # of the state, while the daemon runs
    now: float = 0.0  # monotonic seconds of this view

    def seconds_since(self, at: float | None) -> float | None:
        """Return how long ago a time of the state was; None if that is not known."""
        return None if at is None or not self.presence.is_there else max(0.0, self.now - at)


def own_view(state: DaemonState) -> DaemonView:
    """Return the daemon as it sees itself."""
    owner = Owner(state.process, is_daemon=True)
    return DaemonView(presence_of(state, 0.0), owner, state, 0.0, state.at)


def other_owner(owner: Owner) -> str:
    """Name a process that owns the spool and is no daemon, with its command line."""
    with contextlib.suppress(OSError, IndexError):
        words = Path(f"/proc/{owner.process}/cmdline").read_bytes()[:400].split(b"\0")
        command = " ".join([Path(os.fsdecode(words[1])).name, *map(os.fsdecode, words[2:3])])
        return f"process {owner.process} ({printable(command.strip())})"
    return f"process {owner.process}"


def presence_of(state: DaemonState, age: float) -> Presence:
    """Return the presence of a daemon that exists, by its state of `age` seconds."""
    if state.phase == Phase.STARTING:
        return Presence.STARTING
    if age > state.interval * 2 + SILENT_S:
        return Presence.SILENT
    return Presence.RUNNING if state.phase == Phase.RUNNING else Presence.STOPPING
