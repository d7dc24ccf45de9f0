"""Real SQLite on a disk whose flushes fail: reports of the index hold after a kill or power cut.

strace makes single flushes fail. The promise: a commit that was `done` stays; a `refused` one never
appears; a `doubtful` one is there or not, and stays as the next start found it.
"""

import itertools
import shutil
import subprocess
from pathlib import Path

import pytest

from agent.spool import index
from agent.spool.index import Index
from agent.spool.index_reading import DATABASE, check, read_all
from tests.spool.small_file_system import skip_or_fail
from tests.spool.traced_files import FLUSHES, TracedFiles, traced

COMMITS = 30
_SCRIPT = ("-m", "tests.spool.commit_process")
_FILES = (DATABASE, f"{DATABASE}-wal")


def _strace_works() -> bool:
    command = ["strace", "--seccomp-bpf", "-f", "-qq", "-e", "trace=fsync", "true"]
    return (
        bool(shutil.which("strace"))
        and subprocess.run(command, check=False, capture_output=True).returncode == 0
    )


@pytest.fixture(scope="module", autouse=True)
def strace() -> None:
    if not _strace_works():
        skip_or_fail("needs strace with the permission to trace")


def test_reports_stay_true_whichever_flush_fails(tmp_path: Path) -> None:
    first, last = _flushes_of_commits(tmp_path)

    for number in (first + 7, last - 2):
        for failing in (f"{number}", f"{number}..{number + 1}"):
            _Life(tmp_path, failing).check()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_reports_stay_true_whichever_flush_fails_all_of_them(tmp_path: Path) -> None:
    """One, two or five flushes in a row fail, alternately: all combinations take ten minutes."""
    _, last = _flushes_of_commits(tmp_path)

    for number, more in zip(range(1, last + 1), itertools.cycle((0, 1, 4)), strict=False):
        _Life(tmp_path, f"{number}..{number + more}" if more else f"{number}").check()


def test_trusting_sqlite_after_a_failed_flush_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite alone does not keep the promise."""
    monkeypatch.setenv("PLANTED", "trusts_sqlite")
    first, _ = _flushes_of_commits(tmp_path)

    with pytest.raises(AssertionError, match="refused"):
        _Life(tmp_path, f"{first + 7}").check()


def _flushes_of_commits(folder: Path) -> tuple[int, int]:
    """Return the numbers of the first and the last flush of the first process's commits."""
    life = _Life(folder, "")
    reports = [n for n, call in enumerate(life.calls) if call.is_output]
    flushes = [n for n, call in enumerate(life.calls) if call.name in FLUSHES]
    begin, end = reports[0], reports[COMMITS]
    return sum(n < begin for n in flushes) + 1, sum(n < end for n in flushes)


class _Life:
    """The system calls of the two processes while flushes fail."""

    def __init__(self, folder: Path, failing: str) -> None:
        self.copy = folder / "copy"
        work = folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        Index(work).close()
        self.files = TracedFiles()
        for name in _FILES:
            if (work / name).exists():
                data = (work / name).read_bytes()
                self.files.seen[name], self.files.medium[name] = bytearray(data), bytearray(data)
        script = [*_SCRIPT, str(work), str(COMMITS)]
        self.calls = traced(script, folder / "trace", failing=failing)

    def check(self) -> None:
        """After each report, check the state after a kill and after a power cut."""
        done, refused, doubtful = set[str](), set[str](), set[str]()
        has_failed = False
        for call in self.calls:
            has_failed |= call.failed and call.name in FLUSHES
            if not call.is_output:
                if call.file in _FILES:
                    self.files.apply(call)
                continue
            word, *numbers = call.data.decode().split()
            if word == "found":
                assert done <= set(numbers) <= done | doubtful, (
                    "found something else than was reported"
                )
                done, doubtful = set(numbers), set()
            else:
                {"done": done, "refused": refused, "doubtful": doubtful}[word].update(numbers)
            if has_failed:
                self._compare(done, refused, doubtful)
        assert has_failed

    def _compare(self, done: set[str], refused: set[str], doubtful: set[str]) -> None:
        for image in (
            self.files.after_a_kill(),
            self.files.after_a_power_cut(lambda _: False),
            self.files.after_a_power_cut(lambda _: True),
            self.files.after_a_power_cut(lambda page: page % 2 == 0),
        ):
            found = self._start(image)
            assert done <= found, "what was done is lost"
            assert not refused & found, "what was refused came back"
            assert found <= done | doubtful

    def _start(self, image: dict[str, bytearray]) -> set[str]:
        """Return the notes that the next start finds."""
        shutil.rmtree(self.copy, ignore_errors=True)
        self.copy.mkdir()
        for name, data in image.items():
            (self.copy / name).write_bytes(data)
        check(self.copy, index._KNOWN_SETTINGS)
        return read_all(self.copy).notes.keys() - {"settled"}
