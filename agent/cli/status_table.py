"""What `capture-agent status` shows to people: a view of the same facts that `--json` prints."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from agent.settings.units import show_duration, show_size

_GOOD, _WORTH_A_LOOK, _BAD = "green", "yellow", "red"
_UPLOAD = {"flowing": _GOOD, "delayed": _WORTH_A_LOOK, "closed": "", "blocked": _BAD}
_DAYS_FROM = 48.0  # hours; from there on nobody wants to divide by 24


def table_of(facts: Mapping[str, Any], now: float) -> Table:
    """The facts as rows; `now` is wall time, seconds since 1970 UTC."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value, style in _rows(facts, now):
        # Text, not markup: an address such as [fd00::1] would be taken for a style and vanish.
        table.add_row(Text(name, "bold"), Text(value, style))
    return table


def _rows(facts: Mapping[str, Any], now: float) -> list[tuple[str, str, str]]:
    """Name, value, style."""
    runs = facts["daemon_pid"] is not None
    running = f"running (process {facts['daemon_pid']})" if runs else "not running"
    evicted = facts["evicted_by_reason"]
    reasons = ", ".join(f"{reason} {count}" for reason, count in evicted.items())
    oldest = facts["oldest_waiting"] if facts["waiting"] else None
    return [
        ("daemon", running, _GOOD if runs else _BAD),
        ("model", _model(facts), _BAD if facts["model_error"] else ""),
        ("upload", facts["upload"] or "-", _UPLOAD.get(facts["upload"], "")),
        ("last error", facts["last_error"] or "none", _BAD if facts["last_error"] else ""),
        ("waiting", f"{facts['waiting']} captures, {show_size(facts['waiting_bytes'])}", ""),
        ("oldest waiting", _ago(oldest, now) if oldest else "none", ""),
        ("best waiting", _best_value(facts), ""),
        ("in flight", str(facts["in_flight"]), ""),
        ("delivered", _delivered(facts, now), ""),
        ("rejected", str(facts["rejected"]), _BAD if facts["rejected"] else ""),
        ("damaged", str(facts["damaged"]), _BAD if facts["damaged"] else ""),
        ("evicted", f"{facts['evicted']} ({reasons})" if reasons else "0", ""),
        ("credits left", _credits(facts), ""),
        ("spool", str(facts["spool_dir"]), ""),
        ("disk", f"{show_size(facts['occupied_bytes'])} of {show_size(facts['max_bytes'])}", ""),
        ("full in", _full_in(facts["hours_until_full"]), ""),
    ]


def _model(facts: Mapping[str, Any]) -> str:
    if facts["model_error"] is None:
        return facts["model"] or "-"
    return f"{facts['model']}, the known-good model: {facts['model_error']}"


def _delivered(facts: Mapping[str, Any], now: float) -> str:
    last = facts["last_delivered"]
    return f"{facts['delivered']}, the last {_ago(last, now)}" if last else str(facts["delivered"])


def _credits(facts: Mapping[str, Any]) -> str:
    if facts["credits_left"] < 0:
        return "no limit"
    return f"{facts['credits_left']:.1f} now, {facts['budget_per_day']:g} a day"


def _best_value(facts: Mapping[str, Any]) -> str:
    value = facts["best_value"]
    return "-" if value is None else f"{value:.2f} expected new failures"


def _full_in(hours: float | None) -> str:
    if hours is None:
        return "never at the present rate"
    return f"{hours / 24:.0f} days" if hours >= _DAYS_FROM else f"{hours:.1f} h"


def _ago(time: str, now: float) -> str:
    seconds = now - datetime.fromisoformat(time).astimezone(UTC).timestamp()
    if seconds < 0:
        return f"{time} (by a clock that was ahead of the present one)"
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit} ago"
    return f"{show_duration(round(seconds))} ago"
