"""No line that a library writes to standard error reaches the log unread, or floods it."""

import contextlib
import os
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.library_output import LINES_MAX, REPEAT_S, LibraryOutput, LineLimit
from tests.fakes.clock import ManualClock
from tests.limits import LIMIT_S


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last lines are awaited, however long a slow machine takes for them."""
    monkeypatch.setattr("agent.library_output._JOIN_S", LIMIT_S)


def report_of(write: str) -> list[tuple[str, int]]:
    """What is reported when native code writes `write`, a line an item."""
    found: list[tuple[str, int]] = []
    with LibraryOutput(ManualClock()) as output:
        output.report_to(lambda line, left_out: found.append((line, left_out)))
        os.write(2, write.encode())
    return found


def test_a_line_of_native_code_is_reported_without_colours_and_control_characters() -> None:
    assert report_of("\x1b[0;93mtensor\x1b[m is odd\x07\nrest without an end") == [
        ("tensor is odd\\x07", 0),
        ("rest without an end", 0),
    ]


def test_lines_that_differ_in_numbers_alone_are_reported_once() -> None:
    lines = "".join(f"Corrupt JPEG data: {n} extraneous bytes\n" for n in range(1000))
    assert report_of(lines) == [("Corrupt JPEG data: 0 extraneous bytes", 0)]


def test_a_line_without_an_end_takes_bounded_memory() -> None:
    found: list[str] = []
    with LibraryOutput(ManualClock()) as output:
        output.report_to(lambda line, _: found.append(line))
        for _ in range(200):
            with contextlib.suppress(BlockingIOError):
                os.write(2, b"x" * 4096)
    [line] = found
    assert len(line) < 1000


def test_lines_before_there_is_a_log_are_reported_later() -> None:
    found: list[str] = []
    with LibraryOutput(ManualClock()) as output:
        os.write(2, b"early\n")
        while not output.unreported:
            threading.Event().wait(0.001)
        output.report_to(lambda line, _: found.append(line))
        assert output.unreported == []
    assert found == ["early"]


def test_after_an_hour_a_line_is_reported_again_with_its_count() -> None:
    limit = LineLimit()
    assert limit.admit("bad image 1", 0.0) == 0
    assert limit.admit("bad image 2", 1.0) is None
    assert limit.admit("bad image 3", REPEAT_S - 1) is None
    assert limit.admit("bad image 4", REPEAT_S) == 2
    assert limit.admit("bad image 5", REPEAT_S + 1) is None


@given(st.lists(st.text(max_size=30), max_size=200))
def test_an_hour_has_a_bounded_number_of_lines(lines: list[str]) -> None:
    limit = LineLimit()
    reported = [line for line in lines if limit.admit(line, 0.0) is not None]
    assert len(reported) <= LINES_MAX


def test_other_lines_are_reported_again_when_an_hour_has_passed() -> None:
    limit = LineLimit()
    for n in range(LINES_MAX):
        limit.admit(f"line {'x' * n}", 0.0)
    assert limit.admit("one more", 1.0) is None
    assert limit.admit("one more", REPEAT_S + 1) is not None


def test_a_library_that_writes_more_than_is_read_does_not_wait() -> None:
    """The reader is held in `report`; a megabyte must still not block the writer."""
    held = threading.Event()

    def wait(_line: str, _left_out: int) -> None:
        held.wait()

    with LibraryOutput(ManualClock()) as output:
        output.report_to(wait)
        os.write(2, b"first\n")
        lost = False
        for _ in range(1000):
            try:
                os.write(2, b"y" * 1024)
            except BlockingIOError:
                lost = True
        held.set()
    assert lost


PROGRAM = """
import os, sys
from agent.library_output import LibraryOutput
from agent.system import SystemClock
with LibraryOutput(SystemClock()) as output:
    output.report_to(lambda line, left_out: print("event:", line, file=sys.stderr))
    os.write(2, b"native\\n")
    print("ours", file=sys.stderr)
print("after", file=sys.stderr)
os.write(2, b"raw again\\n")
"""


def test_our_own_lines_go_where_standard_error_went() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert sorted(done.stderr.splitlines()) == ["after", "event: native", "ours", "raw again"]


@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-"])
def test_a_closed_standard_error_changes_nothing(closed: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f'"$0" -c "$1" {closed}', sys.executable, PROGRAM],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
