"""What a command does to the network and to files, as the kernel saw it (strace)."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

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


def _paths(arguments: str, folder: Path) -> Iterator[str]:
    plain = _PLAIN.match(arguments)
    if plain is not None:
        yield os.path.normpath(folder / plain["name"])
    for found in _PATH.finditer(arguments):
        yield os.path.normpath(Path(found["cwd"] or found["folder"] or folder) / found["name"])
