"""What the medium may hold of SQLite's files after a power cut, from a trace of system calls.

As in Linux (https://lwn.net/Articles/752063/), a failed flush drops the pages, and the next flush
succeeds without them. Reads of a running process are not affected. Truncation and removal count as
durable at once.
"""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests import ROOT
from tests.limits import LIMIT_S

PAGE = 4096
FLUSHES = ("fsync", "fdatasync")
_CALLS = ",".join((*FLUSHES, "pwrite64", "ftruncate", "fallocate", "unlink", "write"))
_LINE = re.compile(r"(?:\d+ +)?(\w+)\((.*)\) += (-?\d+)")
_HEX = re.compile(r"((?:\\x[0-9a-f]{2})+)")


@dataclass(frozen=True, slots=True)
class Call:
    """One system call."""

    name: str
    file: str  # name without its folder
    data: bytes
    numbers: tuple[int, ...]  # its other arguments
    failed: bool

    @property
    def is_output(self) -> bool:
        """Whether this is a line on standard output."""
        return self.name == "write" and self.file.startswith("pipe:")


def traced(script: Sequence[str], log: Path, *, failing: str = "") -> list[Call]:
    """Run a Python script; return its calls. The flushes `failing`, in strace syntax, fail."""
    inject = ["-e", f"inject={','.join(FLUSHES)}:error=EIO:when={failing}"] if failing else []
    trace = ["-f", "-qq", "-y", "-xx", "-s", str(PAGE), "-e", f"trace={_CALLS}", "-o", str(log)]
    command = ["strace", "--seccomp-bpf", *trace, *inject, sys.executable, *script]
    output, discard = subprocess.PIPE, subprocess.DEVNULL
    subprocess.run(command, check=False, stdout=output, stderr=discard, timeout=LIMIT_S, cwd=ROOT)
    return list(_calls(log))


def _calls(log: Path) -> Iterator[Call]:
    with log.open(encoding="ascii") as lines:
        for line in lines:
            found = _LINE.match(line)
            if found is None:
                continue
            name, arguments, result = found.groups()
            texts = [bytes.fromhex(one.replace("\\x", "")) for one in _HEX.findall(arguments)]
            rest = arguments.rpartition('"' if '"' in arguments else ">")[2]
            yield Call(
                name,
                Path(texts[0].decode()).name,
                texts[1] if len(texts) > 1 else b"",
                tuple(int(number) for number in re.findall(r"-?\d+", rest)),
                int(result) < 0,
            )


@dataclass
class TracedFiles:
    """The files of one folder, as processes see them and as they are on the medium."""

    seen: dict[str, bytearray] = field(default_factory=dict)
    medium: dict[str, bytearray] = field(default_factory=dict)
    dirty: dict[str, set[int]] = field(default_factory=dict)  # pages that are not flushed

    def apply(self, call: Call) -> None:
        """Apply one call."""
        if call.name == "pwrite64":
            self._write(call.file, call.data, call.numbers[-1])
        elif call.name == "fallocate":
            self._write(call.file, b"", sum(call.numbers[-2:]))
        elif call.name in FLUSHES:
            for page in self.dirty.get(call.file, set()) if not call.failed else ():
                self._flush(self.medium, call.file, page)
            self.dirty[call.file] = set()
        elif call.name == "ftruncate":
            size = call.numbers[-1]
            for files in (self.seen, self.medium):
                del files.setdefault(call.file, bytearray())[size:]
            self.dirty[call.file] = {
                page for page in self.dirty.get(call.file, set()) if page * PAGE < size
            }
        elif call.name == "unlink" and not call.failed:
            for files in (self.seen, self.medium):
                files.pop(call.file, None)
            self.dirty.pop(call.file, None)

    def after_a_kill(self) -> dict[str, bytearray]:
        """Return all written bytes."""
        return self.seen

    def after_a_power_cut(self, keeps: Callable[[int], bool]) -> dict[str, bytearray]:
        """Return the flushed pages, and those of the others for which `keeps` is true."""
        files = {name: bytearray(data) for name, data in self.medium.items()}
        for name, pages in self.dirty.items():
            for page in filter(keeps, pages):
                self._flush(files, name, page)
        return files

    def _write(self, file: str, data: bytes, offset: int) -> None:
        for files in (self.seen, self.medium):
            content = files.setdefault(file, bytearray())
            content.extend(bytes(max(0, offset + len(data) - len(content))))
        self.seen[file][offset : offset + len(data)] = data
        if data:
            pages = range(offset // PAGE, (offset + len(data) - 1) // PAGE + 1)
            self.dirty.setdefault(file, set()).update(pages)

    def _flush(self, files: dict[str, bytearray], file: str, page: int) -> None:
        if file in self.seen:
            part = slice(page * PAGE, (page + 1) * PAGE)
            files[file][part] = self.seen[file][part]
