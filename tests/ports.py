"""Ports that stay free between their choice and their use."""

import random
import socket
from pathlib import Path

_FIRST = 10_000
_GIVEN = Path("/proc/sys/net/ipv4/ip_local_port_range")
_CHOICE = random.SystemRandom()  # the searches of Hypothesis make all other numbers repeat


def free_port() -> int:
    """Return a port of this host at which nothing listens.

    It is below those that the system gives to connections and to servers that ask for any port:
    one of them may be given to another test before this one has used it. A system that gives nearly
    all of them away leaves no others.
    """
    end = max(int(_GIVEN.read_text("ascii").split()[0]), 2 * _FIRST)
    while True:
        port = _CHOICE.randrange(_FIRST, end)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue  # in use
            return port
