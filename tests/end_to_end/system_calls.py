"""What a command does to the network and to files, as the kernel saw it (strace)."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.limits import LIMIT_S

_CALL = re.compile(r"(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+|\?)")
_ADDRESS = re.compile(
    r"sin6?_port=htons\((\d+)\).*?(?:inet_addr\(\"|inet_pton\(AF_INET6, \")([^\"]+)\""
)
_PATH = re.compile(
    r"(?:AT_FDCWD(?:<(?P<cwd>[^>]*)>)?|\d+<(?P<folder>[^>]*)>), \"(?P<name>[^\"]*)\""
)
_PLAIN = re.compile(r"^\"(?P<name>[^\"]*)\"")
_WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC")
_CHANGES = (
    *("mkdir", "mkdirat", "rename", "renameat", "renameat2", "link", "linkat", "symlink"),
    *("symlinkat", "mknod", "mknodat", "unlink", "unlinkat", "rmdir", "truncate", "creat"),
)
_SENDS = ("connect", "sendto", "sendmsg", "sendmmsg")
_CALLS = ",".join((*_SENDS, "listen", "open", "openat", *_CHANGES))


@dataclass(slots=True)
class Trace:
    """What the process and its children did."""

    peers: set[tuple[str, int]] = field(default_factory=set)  # address, port
    written: set[str] = field(default_factory=set)  # absolute paths
    listens: bool = False  # for connections of others


def strace() -> str:
    """The program; without it the test is skipped, and fails where all must run."""
    found = shutil.which("strace")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("strace is not installed")
        pytest.skip("strace is not installed")
    return found


def traced(
    folder: Path, command: list[str], environment: Mapping[str, str], *, seconds: float = LIMIT_S
) -> tuple[subprocess.CompletedProcess[str], Trace]:
    """Run a command under strace; `folder` is its working directory and gets the trace."""
    logs = folder / "trace"
    logs.mkdir()
    options = ["-f", "-ff", "-y", "-qq", "-s", "4096", "-e", f"trace={_CALLS}"]
    done = subprocess.run(
        [strace(), *options, "-o", str(logs / "t"), *command],
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    trace = Trace()
    for file in logs.iterdir():
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            _read(line, folder, trace)
    return done, trace


def _read(line: str, folder: Path, trace: Trace) -> None:
    call = _CALL.match(line)
    if call is None:
        return
    name, arguments = call["name"], call["arguments"]
    if name == "listen":
        trace.listens = True
    elif name in _SENDS:
        trace.peers |= {(host, int(port)) for port, host in _ADDRESS.findall(arguments)}
    elif int(call["result"].replace("?", "-1")) >= 0 and (
        name in _CHANGES or _WRITES.search(arguments)
    ):
        trace.written |= set(_paths(arguments, folder))


def _paths(arguments: str, folder: Path) -> Iterator[str]:
    plain = _PLAIN.match(arguments)
    if plain is not None:
        yield os.path.normpath(folder / plain["name"])
    for found in _PATH.finditer(arguments):
        yield os.path.normpath(Path(found["cwd"] or found["folder"] or folder) / found["name"])
