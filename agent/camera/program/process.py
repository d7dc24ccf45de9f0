"""A program in a process group of its own: found, started, ended with all that it started."""

import contextlib
import functools
import os
import select
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, cast

from agent.errors import CameraLost
from agent.printable import printable

TERM_S = 1.0
"""Seconds in which a program may end by itself after SIGTERM."""

_KILL_S = 0.5  # a stop of the daemon gives a camera 2 s in all
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PASSED = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "LD_LIBRARY_PATH"}
)
_PASSED_BEGINNINGS = ("LC_", "GST_", "LIBCAMERA_", "GENICAM_", "XDG_")


def environment_of(own: Mapping[str, str]) -> dict[str, str]:
    """Return what a program gets of our environment: no setting, token or credential.

    Whatever else it needs is written into the command: `exec:env NAME=VALUE COMMAND`.
    """
    passed = {
        name: value
        for name, value in own.items()
        if name in _PASSED or name.startswith(_PASSED_BEGINNINGS)
    }
    return {"PATH": _PATH, **passed}


class Process:
    """A running program. Its group exists until `end` has returned."""

    def __init__(self, words: Sequence[str]) -> None:
        """Start it.

        Raises:
            CameraLost: It is not there, or cannot be started; the message is the reason alone.
        """
        environment = environment_of(os.environ)
        program = _found(words[0], environment["PATH"])
        self.name = printable(Path(program).name)
        self._started = time.monotonic()
        self._lock = threading.Lock()  # a group is signalled only while its number is ours
        self._ended = False
        try:
            self._popen = subprocess.Popen(  # noqa: S603 (of the operator's own settings)
                [*_ends_with_us(), program, *words[1:]],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env=environment,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise CameraLost(f"cannot start {self.name}: {printable(reason or error)}") from error
        self.stdout = cast("IO[bytes]", self._popen.stdout)  # PIPE was asked for
        self.stderr = cast("IO[bytes]", self._popen.stderr)

    @property
    def ran_for(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def exit_text(self, seconds: float) -> str:
        """Say how the program ended; wait for it for at most `seconds`. It is not reaped."""
        if not self._await_leader(seconds):
            return f"{self.name} closed its output"
        try:
            status = os.waitid(os.P_PID, self._popen.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:  # `end` has reaped it meanwhile
            status = None
        if status is None:
            return f"{self.name} closed its output"
        if status.si_code == os.CLD_EXITED:
            hint = "" if status.si_status else " (let it run without end: rpicam-vid needs -t 0)"
            return f"{self.name} ended with exit code {status.si_status}{hint}"
        with contextlib.suppress(ValueError):
            return f"{self.name} was ended by {signal.Signals(status.si_status).name}"
        return f"{self.name} was ended by signal {status.si_status}"

    def ask_to_end(self) -> None:
        """Send SIGTERM to the group and return; may be called by any thread."""
        self._signal(signal.SIGTERM)

    def end(self, output_ended: threading.Event) -> None:
        """End the program and all that it started in its group, and reap it.

        SIGKILL follows if within `TERM_S` it has not ended or somebody still holds its output,
        which `output_ended` tells. A process that the kernel does not end is left alone.
        """
        self._signal(signal.SIGTERM)
        until = time.monotonic() + TERM_S
        self._await_leader(TERM_S)
        output_ended.wait(max(0.0, until - time.monotonic()))
        with self._lock:
            self._killpg(signal.SIGKILL)
            self._ended = True
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(_KILL_S)

    def _await_leader(self, seconds: float) -> bool:
        """Wait for the end of the program; return whether it came. It is not reaped."""
        try:
            descriptor = os.pidfd_open(self._popen.pid)
        except OSError:
            return False
        try:
            return is_readable(descriptor, seconds)
        finally:
            os.close(descriptor)

    def _signal(self, number: signal.Signals) -> None:
        with self._lock:
            if not self._ended:
                self._killpg(number)

    def _killpg(self, number: signal.Signals) -> None:
        with contextlib.suppress(OSError):  # all have ended, or became another user
            os.killpg(self._popen.pid, number)


def is_readable(descriptor: int, seconds: float) -> bool:
    """Wait until something can be read, or for at most `seconds`; return whether it can."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(max(0.0, seconds) * 1000))


def _found(name: str, path: str) -> str:
    """Return the path of a program; raises `CameraLost`."""
    shown = printable(name)
    if "/" not in name:
        found = shutil.which(name, path=path)
        if found is None:
            raise CameraLost(
                f"there is no program {shown} in {printable(path)}. Install it, or write its whole "
                "path"
            )
        return found
    program = Path(name)
    try:
        program.stat()
    except OSError as error:
        hint = ". The service cannot see /home" if name.startswith(("/home/", "/root/")) else ""
        raise CameraLost(f"cannot start {shown}: {error.strerror}{hint}") from error
    if program.is_dir():
        raise CameraLost(f"cannot start {shown}: it is a folder")
    if not os.access(program, os.X_OK):
        raise CameraLost(f"cannot start {shown}: it is not executable. Run chmod +x on it")
    return name


@functools.cache
def _ends_with_us() -> tuple[str, ...]:
    """Return the words before a command that let the kernel kill it when this process is killed.

    A program that writes would end by its broken output; one that is silent would not. Python
    cannot ask for it safely: code between fork and exec may deadlock where there are threads.
    """
    setpriv = shutil.which("setpriv", path=_PATH)
    if setpriv is None:
        return ()
    words = (setpriv, "--pdeathsig", "KILL", "--")
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        subprocess.run([*words, "true"], check=True, capture_output=True, timeout=60)  # noqa: S603
        return words
    return ()
