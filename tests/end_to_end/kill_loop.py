"""Starts the real daemon again and again, and kills each at a random moment.

A start of the command costs a second of imports, a hundred of them as much as the whole proof. So
one process imports once and forks: each child opens the spool, loads the model, runs the wired
daemon on its settings, and dies by SIGKILL. The only difference to `capture-agent run` is that the
first upload is not delayed by up to 5 s, which no child would live to see.

Half of the lives end at a moment that is uniform between birth and three times what a life needs
to store its first capture, which three lives show at the start. On a machine that has become
slower since, these end before they store anything; so most others end just after they have stored
some captures, and each tenth life after it has delivered one.

Usage: kill_loop.py KILLS LOG
"""

import math
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from agent.app import Timing, wired
from agent.cli import console
from agent.system import SystemClock, SystemdNotifier

STORED = b'"event": "capture stored"'
DELIVERED = b'"event": "capture delivered"'
LONGEST_S = 3.0


def daemon(log: Path) -> None:
    """One life."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    settings = console.settings(needs_cameras=True)
    with wired(
        settings,
        clock=SystemClock(),
        notifier=SystemdNotifier(None),
        log=console.log_of(settings),
        timing=Timing(first_upload_bound_s=0.05),
    ) as agent:
        agent.supervisor.run()


def life(log: Path, has_lived: Callable[[], bool]) -> float:
    """One life, ended by SIGKILL as soon as it has lived; answers its length in seconds."""
    born = time.monotonic()
    child = os.fork()
    if child == 0:
        daemon(log)
        os._exit(0)
    while not has_lived():
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with log.open("ab") as file:
        file.write(b"\n")  # the last line may be torn
    return time.monotonic() - born


def life_until(event: bytes, log: Path, *, count: int = 1, late_s: float = 0.0) -> float:
    """One that ends `late_s` seconds after its `count`-th line of an event."""
    log.touch()
    end = math.inf

    def has_lived() -> bool:
        nonlocal end
        if end == math.inf and lines.read().count(event) >= count:
            end = time.monotonic() + late_s
        lines.seek(before)
        return time.monotonic() >= end

    with log.open("rb") as lines:
        before = lines.seek(0, os.SEEK_END)
        return life(log, has_lived)


def life_of(seconds: float, log: Path) -> float:
    """One that ends wherever it is."""
    end = time.monotonic() + seconds
    return life(log, lambda: time.monotonic() >= end)


def main(kills: int, log: Path) -> None:
    """Give birth and kill."""
    first = sorted(life_until(STORED, log) for _ in range(3))
    longest = min(3 * first[1], LONGEST_S)
    for number in range(kills - len(first)):
        late_s = random.uniform(0, 0.05)
        if number % 2:
            life_of(random.uniform(0, longest), log)
        elif number % 10:
            life_until(STORED, log, count=random.randint(1, 4), late_s=late_s)
        else:
            life_until(DELIVERED, log, late_s=late_s)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
