"""Starts the real daemon again and again, and kills each at a random moment.

A start of the command costs a second of imports, two hundred of them more than the whole proof
may take. So one process imports once and forks: each child opens the spool, loads the model, runs
the wired daemon on its settings, and dies by SIGKILL. The only difference to `capture-agent run`
is that the first upload is not delayed by up to 5 s, which no child would live to see.

Usage: nursery.py KILLS LONGEST_LIFE_S LOG
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

from agent.app import Tempo, wired
from agent.cli import console
from agent.system import SystemClock, SystemdNotifier


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
        tempo=Tempo(first_upload_bound_s=0.05),
    ) as agent:
        agent.supervisor.run()


def main(kills: int, longest: float, log: Path) -> None:
    """Give birth and kill."""
    for _ in range(kills):
        child = os.fork()
        if child == 0:
            daemon(log)
            os._exit(0)
        time.sleep(random.uniform(0, longest))  # the moment of death, not a wait for something
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with log.open("ab") as file:
            file.write(b"\n")  # the last line may be torn


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3]))
