"""What the computer tells of itself: clock, boot, service manager."""

import os
import re
import socket
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import system
from agent.system import (
    SystemClock,
    SystemdNotifier,
    boot_id,
    clock_synchronized,
    full_jitter,
    new_id,
    under_systemd,
    watchdog_interval,
)

NOW = 1_784_512_000.0
YEAR_9999 = 253_402_300_799.0


def milliseconds_of(capture_id: str) -> int:
    return UUID(capture_id).int >> 80


@given(st.floats(0.0, YEAR_9999))
def test_an_id_is_a_uuid_of_version_7_with_the_wall_time_in_it(wall: float) -> None:
    made = UUID(new_id(wall))

    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert milliseconds_of(str(made)) == int(wall * 1000)


@pytest.mark.parametrize(
    ("wall", "milliseconds"),
    [(0.0, 0), (-5.0, 0), (1.5, 1500), (YEAR_9999, 253_402_300_799_000)],
)
def test_an_id_is_made_whatever_the_clock_says(wall: float, milliseconds: int) -> None:
    made = new_id(wall)

    assert re.fullmatch(
        r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", made
    )
    assert milliseconds_of(made) == milliseconds


def test_ids_of_one_instant_differ() -> None:
    assert len({new_id(0.0) for _ in range(10_000)}) == 10_000


@pytest.mark.parametrize(
    ("wall", "timesyncd", "kernel", "believed"),
    [
        (NOW, True, False, True),
        (NOW, False, True, True),
        (NOW, False, False, False),
        (0.0, True, True, False),  # a clock of 1970 is wrong, whatever confirms it
        (1_704_067_199.0, True, True, False),
        (1_704_067_200.0, True, False, True),
    ],
)
def test_a_clock_is_believed_when_it_is_plausible_and_follows_a_source(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    wall: float,
    timesyncd: bool,
    kernel: bool,
    believed: bool,
) -> None:
    mark = tmp_path / "synchronized"
    if timesyncd:
        mark.touch()
    monkeypatch.setattr(system, "_SYNCHRONIZED", mark)
    monkeypatch.setattr(system, "_kernel_clock_disciplined", lambda: kernel)

    assert clock_synchronized(wall) is believed


def test_the_kernel_answers_for_its_clock_or_is_not_believed() -> None:
    assert system._kernel_clock_disciplined() in (True, False)


def test_the_boot_has_a_name_even_where_the_kernel_gives_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert str(UUID(boot_id())) == boot_id()
    monkeypatch.setattr(system, "_BOOT_ID", tmp_path / "missing")
    assert boot_id() == "unknown"


def test_the_clocks_are_the_computers_own() -> None:
    clock = SystemClock()
    first, second = clock.monotonic(), clock.monotonic()

    assert first <= second
    assert clock.wall() > 1_704_067_200.0


@given(st.floats(0.0, 1e6))
def test_jitter_lies_between_nothing_and_its_bound(bound: float) -> None:
    assert 0.0 <= full_jitter(bound) <= bound


def test_jitter_is_spread_over_the_whole_bound() -> None:
    waits = [full_jitter(10.0) for _ in range(1000)]

    assert min(waits) < 1.0
    assert max(waits) > 9.0


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_the_service_manager_hears_what_it_is_told(tmp_path: Path, kind: str) -> None:
    address = str(tmp_path / "notify") if kind == "path" else f"@capture-agent-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address if kind == "path" else "\0" + address[1:])
        manager.settimeout(60)
        notifier = SystemdNotifier(address)
        notifier.notify("READY=1\nSTATUS=capturing ümläute")
        notifier.notify("WATCHDOG=1")

        assert manager.recv(4096).decode() == "READY=1\nSTATUS=capturing ümläute"
        assert manager.recv(4096) == b"WATCHDOG=1"


@pytest.mark.parametrize(
    "address", [None, "", "/nowhere/at/all", "@nobody-listens-here", "/" + "x" * 300]
)
def test_a_manager_that_does_not_listen_is_no_reason_to_stop(address: str | None) -> None:
    SystemdNotifier(address).notify("READY=1")


def test_a_service_manager_that_reads_nothing_holds_nobody(tmp_path: Path) -> None:
    """Its socket takes some ten messages, and then blocks who sends."""
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        limit = int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text())
        notifier = SystemdNotifier(address, timeout=0.001)
        for _ in range(limit + 20):
            notifier.notify("WATCHDOG=1")

        assert manager.recv(100) == b"WATCHDOG=1"


@pytest.mark.parametrize(
    ("microseconds", "process", "seconds"),
    [
        (None, None, None),
        ("", None, None),
        ("30000000", None, 30.0),
        ("500000", "own", 0.5),
        ("30000000", "1", None),  # meant for another process
        ("30000000", "", None),
        ("soon", None, None),
        ("-5", None, None),
        ("²", None, None),
        ("0", None, 0.0),
    ],
)
def test_the_watchdogs_interval_is_read_where_it_is_meant_for_us(
    monkeypatch: pytest.MonkeyPatch,
    microseconds: str | None,
    process: str | None,
    seconds: float | None,
) -> None:
    values = {
        "WATCHDOG_USEC": microseconds,
        "WATCHDOG_PID": str(os.getpid()) if process == "own" else process,
    }
    for name, value in values.items():
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)

    assert watchdog_interval() == seconds


@pytest.mark.parametrize(
    ("variable", "on_a_terminal", "expected"),
    [
        (None, False, False),
        ("JOURNAL_STREAM", False, True),
        ("NOTIFY_SOCKET", False, True),
        ("JOURNAL_STREAM", True, False),  # a desktop's terminal inherits it
    ],
)
def test_the_journal_reads_us_under_systemd_but_not_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, variable: str | None, on_a_terminal: bool, expected: bool
) -> None:
    for name in ("JOURNAL_STREAM", "NOTIFY_SOCKET"):
        monkeypatch.delenv(name, raising=False)
    if variable:
        monkeypatch.setenv(variable, "8:1234")
    monkeypatch.setattr("sys.stderr", SimpleNamespace(isatty=lambda: on_a_terminal))

    assert under_systemd() is expected
