"""A computer that boots: systemd as process 1 of a container with a network of its own.

`systemd-nspawn` needs neither a hypervisor nor a systemd on this side, only root. What it cannot
show is the allow-list of devices: the kernel takes that program from the first systemd alone.
"""

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.limits import LIMIT_S

_CONTAINER = (
    "--quiet",
    "--boot",
    "--register=no",  # with a machine manager that there may not be
    "--keep-unit",
    "--private-network",
    "--resolv-conf=off",
    "--timezone=off",
    "--link-journal=no",
    "--console=interactive",
)
_INSIDE = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--wdns=/root")
_CLEAN = (
    "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "LANG=C.UTF-8",
    "TERM=dumb",
    "COLUMNS=200",
)


class Machine:
    """Boots the root in a folder; each command and its result go into a log."""

    def __init__(self, root: Path, log: Path) -> None:
        self.root = root
        self.log = log
        self._console = log.with_suffix(".console")
        self._first = 0  # process 1 as this side sees it
        self._container: subprocess.Popen[bytes] | None = None

    def boot(self) -> None:
        """Returns when all that the boot asks for has been started."""
        with self._console.open("ab") as console:
            self._container = subprocess.Popen(
                [
                    "systemd-nspawn",
                    *_CONTAINER,
                    f"--directory={self.root}",
                    f"--machine=capture-agent-{os.getpid()}",
                ],
                env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
            )
        self.until(self._has_first_process)
        self.until(self._has_booted)

    def run(self, *words: str, fails: bool = False) -> str:
        """Run a command inside, as root, and give what it says; it must succeed, or `fails`."""
        code, said = self.try_to(*words)
        assert (code != 0) == fails, f"{shlex.join(words)} answered {code}: {said}"
        return said

    def try_to(self, *words: str) -> tuple[int, str]:
        """Run a command inside, as root: its exit code, and what it says."""
        code, said = self.look(*words)
        self.note(f"# {shlex.join(words)}\n{said}\n[{code}]")
        return code, said

    def look(self, *words: str) -> tuple[int, str]:
        """The same and not a word of it in the log: for who looks again and again."""
        done = subprocess.run(
            ["nsenter", f"--target={self._first}", *_INSIDE, "env", "-i", *_CLEAN, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=LIMIT_S,
        )
        return done.returncode, done.stdout.strip()

    def path(self, inside: str) -> Path:
        """A file of the machine as this side sees it."""
        return self.root / inside.lstrip("/")

    def note(self, text: str) -> None:
        """A line for who reads the log."""
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"{text}\n")

    def until(self, true: Callable[[], object], *, seconds: float = LIMIT_S) -> None:
        """Look again until a condition holds."""
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, f"it never came\n{self._tail()}"
            assert self._container, "it was not booted"
            assert self._container.poll() is None, f"the machine went down\n{self._tail()}"
            time.sleep(0.2)

    def lose_power(self) -> None:
        """Everything in it ends at once."""
        if self._container and self._container.poll() is None:
            os.kill(self._first, signal.SIGKILL)
            self._container.wait(60)

    def _has_first_process(self) -> bool:
        """It is the container's only child, and its name changes when systemd is there."""
        assert self._container is not None
        outer = self._container.pid
        children = Path(f"/proc/{outer}/task/{outer}/children").read_text("ascii").split()
        if not children:
            return False
        self._first = int(children[0])
        return Path(f"/proc/{self._first}/comm").read_text("ascii").strip() == "systemd"

    def _has_booted(self) -> bool:
        return self.look("systemctl", "is-system-running")[1] in {"running", "degraded"}

    def _tail(self) -> str:
        console = self._console.read_text("utf-8", "replace")[-2000:]
        log = self.log.read_text("utf-8")[-4000:] if self.log.exists() else ""
        return f"{console}\nfrom {self.log}:\n{log}"
