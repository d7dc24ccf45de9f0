"""What a person sees of the facts, and in which colour."""

import io
import re
from typing import Any

import pytest
from rich.console import Console

from agent.cli.status_table import table_of

NOW = 1_780_000_000.0  # 2026-05-28 20:26:40 UTC
QUIET: dict[str, Any] = {
    "spool_dir": "/var/lib/capture-agent/spool",
    "daemon_pid": 7,
    "waiting": 0,
    "waiting_bytes": 0,
    "in_flight": 0,
    "oldest_waiting": None,
    "stored": 0,
    "delivered": 0,
    "rejected": 0,
    "damaged": 0,
    "evicted": 0,
    "evicted_by_reason": {},
    "last_delivered": None,
    "last_error": None,
    "upload": "flowing",
    "best_value": None,
    "model": "nanodet",
    "model_error": None,
    "budget_per_day": 100.0,
    "credits_left": 4.0,
    "occupied_bytes": 4_000_000,
    "max_bytes": 2_000_000_000,
    "hours_until_full": None,
}
GREEN, YELLOW, RED = "\x1b[32m", "\x1b[33m", "\x1b[31m"


def shown(row: str, **facts: Any) -> str:
    """One row as a terminal gets it, without its name."""
    out = io.StringIO()
    screen = Console(file=out, width=150, force_terminal=True, color_system="standard")
    screen.print(table_of(QUIET | facts, NOW))
    [value] = re.findall(rf"(?m)^\x1b\[1m{row} *\x1b\[0m *(.*?) *$", out.getvalue())
    return str(value)


@pytest.mark.parametrize(
    ("row", "facts", "words"),
    [
        ("daemon", {}, "running (process 7)"),
        ("daemon", {"daemon_pid": None}, "not running"),
        ("upload", {"upload": None}, "-"),
        ("best waiting", {"best_value": None}, "-"),
        ("best waiting", {"best_value": 1.418}, "1.42 expected new failures"),
        (
            "model",
            {"model": "b", "model_error": "cannot use a"},
            "b, the known-good model: cannot use a",
        ),
        ("waiting", {"waiting": 3, "waiting_bytes": 1500}, "3 captures, 1.5kB"),
        ("oldest waiting", {}, "none"),
        (
            "oldest waiting",
            {"waiting": 1, "oldest_waiting": "2026-05-28T20:26:00+00:00"},
            "40s ago",
        ),
        (
            "oldest waiting",
            {"waiting": 1, "oldest_waiting": "2026-05-27T20:26:40+00:00"},
            "1.0 d ago",
        ),
        (
            "oldest waiting",
            {"waiting": 1, "oldest_waiting": "2027-01-01T00:00:00+00:00"},
            "ahead of",
        ),
        ("delivered", {"delivered": 2}, "2"),
        (
            "delivered",
            {"delivered": 2, "last_delivered": "2026-05-28T20:25:10+00:00"},
            "2, the last 1.5 m ago",
        ),
        ("evicted", {"evicted": 3, "evicted_by_reason": {"budget": 3}}, "3 (budget 3)"),
        ("credits left", {}, "4.0 now, 100 a day"),
        ("credits left", {"credits_left": -1}, "no limit"),
        ("disk", {}, "4MB of 2GB"),
        ("full in", {}, "never at the present rate"),
        ("full in", {"hours_until_full": 5.25}, "5.2 h"),
        ("full in", {"hours_until_full": 1440.0}, "60 days"),
        # What looks like markup of the table is an address.
        ("last error", {"last_error": "cannot reach [fd00::1]:9"}, "cannot reach [fd00::1]:9"),
        ("spool", {"spool_dir": "/media/[red]/spool"}, "/media/[red]/spool"),
    ],
)
def test_each_row_says_it_in_words(row: str, facts: dict[str, Any], words: str) -> None:
    assert words in shown(row, **facts)


@pytest.mark.parametrize(
    ("row", "facts", "colour"),
    [
        ("daemon", {}, GREEN),
        ("daemon", {"daemon_pid": None}, RED),
        ("upload", {}, GREEN),
        ("upload", {"upload": "delayed"}, YELLOW),
        ("upload", {"upload": "blocked"}, RED),
        ("last error", {"last_error": "cannot"}, RED),
        ("rejected", {"rejected": 1}, RED),
        ("damaged", {"damaged": 1}, RED),
        ("model", {"model_error": "cannot"}, RED),
    ],
)
def test_what_needs_a_person_is_red(row: str, facts: dict[str, Any], colour: str) -> None:
    assert shown(row, **facts).startswith(colour)


def test_what_is_well_has_no_colour() -> None:
    for row in ("last error", "waiting", "rejected", "damaged", "evicted", "model"):
        assert "\x1b[3" not in shown(row)
