"""The machine: its clock, its boot, its service manager."""

import contextlib
import os
import random
import secrets
import socket
import sys
import time
from pathlib import Path
from uuid import UUID

from agent.domain import EARLIEST_PLAUSIBLE

_SYNCHRONIZED = Path("/run/systemd/timesync/synchronized")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_STA_UNSYNC = 0x0040  # adjtimex(2): the kernel clock is not disciplined


class SystemClock:
    """The real clock."""

    def monotonic(self) -> float:
        """Seconds that never step."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since 1970 UTC."""
        return time.time()


def clock_synchronized(wall: float) -> bool:
    """Whether the wall clock can be believed.

    True when it is plausible and either systemd-timesyncd or the kernel's discipline (chrony, ntpd)
    says that it follows a time source.
    """
    if wall < EARLIEST_PLAUSIBLE:
        return False
    return _SYNCHRONIZED.exists() or _kernel_clock_disciplined()


def boot_id() -> str:
    """A name of this boot: the monotonic clock means nothing without it."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


def process_start(process: int | None = None) -> int | None:
    """When a process began, in clock ticks since the boot; with its id it names the process.

    Our own process by default; None when there is no such process.
    """
    try:
        line = Path(f"/proc/{process or 'self'}/stat").read_text("utf-8", "replace")
        # proc(5): the name in brackets may hold anything; the 22nd field is the start.
        return int(line.rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


def new_id(wall: float) -> str:
    """A UUID of version 7 (RFC 9562, section 5.7): 48 bits of milliseconds, 74 random bits.

    Unique whatever the clock says; the time in it is data, nothing orders by it.
    """
    return uuid7(wall, secrets.randbits(80))


def uuid7(wall: float, chance: int) -> str:
    """A UUID of version 7 from seconds since 1970 UTC and 80 bits, of which 74 are kept."""
    milliseconds = max(0, int(wall * 1000)) & 0xFFFF_FFFF_FFFF
    bits = milliseconds << 80 | chance
    bits = bits & ~(0xF << 76) | 0x7 << 76
    bits = bits & ~(0x3 << 62) | 0x2 << 62
    return str(UUID(int=bits))


def full_jitter(bound: float) -> float:
    """A uniformly random wait in [0, bound] seconds."""
    return random.uniform(0.0, bound)  # noqa: S311 (spreads load, guards nothing)


class SystemdNotifier:
    """Speaks sd_notify(3) to the socket that systemd named; without one it says nothing."""

    def __init__(self, address: str | None, *, timeout: float = 1.0) -> None:
        """`timeout`: seconds for which a manager that does not read is awaited."""
        self._address = address
        self._timeout = timeout

    def notify(self, state: str) -> None:
        """Send `state`; a manager that does not listen, or does not read, is no reason to stop."""
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.settimeout(self._timeout)  # a socket that is full would block for ever
            out.sendto(state.encode(), address)


def under_systemd() -> bool:
    """Whether the journal reads our standard error.

    The variables alone do not tell: a desktop's terminals inherit them.
    """
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    return not is_terminal and ("JOURNAL_STREAM" in os.environ or "NOTIFY_SOCKET" in os.environ)


def watchdog_interval() -> float | None:
    """Seconds within which systemd wants to hear of progress; None when it does not watch us."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    ours = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return int(microseconds) / 1e6 if microseconds.isdecimal() and ours else None


def _kernel_clock_disciplined() -> bool:
    """Ask adjtimex(2), read-only; a kernel without it is not trusted."""
    import ctypes

    class Timex(ctypes.Structure):
        # The leading members of struct timex; the rest is room enough for every ABI.
        _fields_ = (
            ("modes", ctypes.c_uint),
            ("offset", ctypes.c_long),
            ("freq", ctypes.c_long),
            ("maxerror", ctypes.c_long),
            ("esterror", ctypes.c_long),
            ("status", ctypes.c_int),
            ("room", ctypes.c_char * 256),
        )

    reading = Timex()
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(reading))
    except (OSError, AttributeError):
        return False
    return state >= 0 and not reading.status & _STA_UNSYNC
