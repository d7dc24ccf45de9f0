"""What other commands know of the daemon of a spool: whether it runs, and its latest state."""

import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from agent.errors import AgentError, TemporaryError
from agent.exchange.asks import Ask, AskKind, fetch, put, withdraw
from agent.exchange.folder import exchange_path, opened
from agent.exchange.state import DaemonState, Phase, read_state
from agent.ports import Clock
from agent.printable import printable
from agent.runtime.daemon_view import DaemonView, Presence, other_owner, presence_of
from agent.spool.layout import SpoolPaths
from agent.spool.lock import Owner, exchange_folder, owner_of
from agent.system import boot_id, process_start

START_S = 600.0
"""How long a daemon without a state counts as starting: it may rebuild the index of its spool."""

ANSWER_S = 10.0
"""How long an answer may take; the daemon looks for asks twice a second."""

_STATE_S = 2.0
_POLL_S = 0.1
_SELDOM_S = 5.0  # a state that is due less often is asked for


class NoDaemon(AgentError):
    """There is no daemon that could answer."""

    exit_code = 3


def daemon_of(spool: Path, clock: Clock) -> DaemonView:
    """Look for the daemon of a spool, without disturbing it.

    A state belongs to the daemon only if process, start of that process and boot are the same:
    what a killed daemon left behind counts as old whatever the clocks say.
    """
    lock = SpoolPaths(spool).lock
    owner = owner_of(lock)
    state = None
    with contextlib.suppress(OSError), _folder(lock) as folder:
        state = read_state(folder)
        if owner is not None and owner.is_daemon and _is_seldom(state, owner):
            state = _fresh(folder, state)
    now = clock.monotonic()
    if owner is None and state is not None and _waits(state):
        return DaemonView(Presence.STARTING, Owner(state.process, is_daemon=True), state, 0.0, now)
    if owner is None or not owner.is_daemon:
        return DaemonView(_absence(state), owner, state, now=now)
    if state is None or not _is_of(state, owner.process):
        ticks = os.sysconf("SC_CLK_TCK")
        age = now - (process_start(owner.process) or 0) / ticks
        presence = Presence.STARTING if age < START_S else Presence.SILENT
        return DaemonView(presence, owner, None, now=now)
    age = max(0.0, now - state.at)
    return DaemonView(presence_of(state, age), owner, state, age, now)


@contextlib.contextmanager
def asked(spool: Path, kind: AskKind, camera: str, *, clock: Clock) -> Iterator["Answering"]:
    """Ask the daemon of a spool, and remove the answer afterwards.

    `camera` is the name of one, or empty for all. Raises `NoDaemon` when none runs, `AgentError`
    for a name that it does not have, `TemporaryError` when it cannot answer now. Waits `ANSWER_S`
    for a daemon that is starting.
    """
    view = daemon_of(spool, clock)
    for _ in range(round(ANSWER_S / _POLL_S)):
        if view.presence is not Presence.STARTING:
            break
        pause(_POLL_S)
        view = daemon_of(spool, clock)
    _refuse_without_daemon(view, spool)
    names = [] if view.state is None else [each.name for each in view.state.cameras]
    if camera and camera not in names:
        raise AgentError(
            f"cannot ask for camera {printable(camera)}: there is none of this name; the cameras "
            f"are {', '.join(names)}"
        )
    try:
        with _folder(SpoolPaths(spool).lock) as folder:
            ask = Ask(str(uuid4()), kind, camera)
            put(folder, ask)
            try:
                yield Answering(folder, ask, view)
            finally:
                withdraw(folder, ask)
    except OSError as error:
        raise TemporaryError(f"cannot ask the daemon: {error}") from error


@dataclass(frozen=True, slots=True)
class Answering:
    """An ask in the folder of a daemon."""

    folder: Path
    ask: Ask
    view: DaemonView

    def first(self) -> dict[str, Any]:
        """Wait for the answer; raises `TemporaryError` when none comes within `ANSWER_S`."""
        for _ in range(round(ANSWER_S / _POLL_S)):
            answer = fetch(self.folder, self.ask)
            if answer is not None:
                return answer
            pause(_POLL_S)
        raise TemporaryError(
            f"cannot ask the daemon: it did not answer within {ANSWER_S:.0f} s. See "
            "capture-agent status"
        )

    def latest(self) -> dict[str, Any] | None:
        """Return the answer as it is now."""
        return fetch(self.folder, self.ask)


def _refuse_without_daemon(view: DaemonView, spool: Path) -> None:
    """Raise the error that says why nothing can be asked, if there is no daemon to answer."""
    if view.presence is Presence.STARTING:
        raise TemporaryError("cannot ask the daemon: it is starting. Try again in a moment")
    if view.presence is Presence.STOPPING:
        raise TemporaryError("cannot ask the daemon: it is stopping")
    if view.presence.is_there:
        return
    if view.owner is not None:
        raise TemporaryError(
            f"cannot ask the daemon: it does not run; {other_owner(view.owner)} uses the spool "
            f"{printable(spool)} now"
        )
    raise NoDaemon(
        f"cannot ask the daemon: no daemon runs with the spool {printable(spool)}. Start it, or "
        "set AGENT_SPOOL_DIR as the daemon has it."
    )


def pause(seconds: float) -> None:
    """Wait; Ctrl-C ends it."""
    threading.Event().wait(seconds)


@contextlib.contextmanager
def _folder(lock: Path) -> Iterator[Path]:
    """Open the exchange folder that the lock names; it must belong to the user of the lock.

    Without a lock, as on a disk that was full before the first start, it is where a daemon with our
    environment would make it.
    """
    path, user = exchange_folder(lock), os.geteuid()
    if path is None:
        runtime = os.environ.get("RUNTIME_DIRECTORY")
        path = exchange_path(runtime, lock.parent, in_spool=SpoolPaths(lock.parent).exchange)
    else:
        user = lock.stat().st_uid
    with opened(path, user=user) as folder:
        yield folder


def _is_seldom(state: DaemonState | None, owner: Owner) -> bool:
    return state is not None and state.interval > _SELDOM_S and _is_of(state, owner.process)


def _fresh(folder: Path, old: DaemonState | None) -> DaemonState | None:
    """Make the daemon publish its state now, and return it; the old one if it does not answer."""
    ask = Ask(str(uuid4()), AskKind.STATE)
    put(folder, ask)
    for _ in range(round(_STATE_S / _POLL_S)):
        pause(_POLL_S)
        state = read_state(folder)
        if state != old:
            return state
    withdraw(folder, ask)
    return old


def _is_of(state: DaemonState, process: int) -> bool:
    """Whether a process that exists published this state."""
    return (
        state.process == process
        and state.process_start == process_start(process)
        and state.boot == boot_id()
    )


def _waits(state: DaemonState) -> bool:
    """Whether a daemon waits for a disk that refuses writes: it holds no lock meanwhile."""
    is_waiting = state.phase == Phase.STARTING and state.disk_error is not None
    return is_waiting and _is_of(state, state.process)


def _absence(state: DaemonState | None) -> Presence:
    if state is None:
        return Presence.NONE
    return Presence.STOPPED if state.phase == Phase.STOPPED else Presence.KILLED
