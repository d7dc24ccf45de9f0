"""What `capture-agent status` shows to people: a view of the same facts that `--json` prints."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from agent.printable import printable
from agent.runtime.daemon_view import Presence
from agent.settings.units import show_duration, show_size, show_span

_GOOD, _WORTH_A_LOOK, _BAD = "green", "yellow", "red"
_UPLOAD = {"flowing": _GOOD, "delayed": _WORTH_A_LOOK, "closed": "", "blocked": _BAD}
_CAMERA = {"live": _GOOD, "lost": _BAD, "failed": _BAD, "opening": _WORTH_A_LOOK}
_DISK = {"ok": "", "spool full": _WORTH_A_LOOK, "full": _BAD, "refused": _BAD}
_DAYS_FROM = 48.0  # hours; from there on nobody wants to divide by 24
_TEXT_LENGTH = 400
_HASH_LENGTH = 12

Row = tuple[str, str, str]
"""Name, value, style."""


def table_of(facts: Mapping[str, Any], now: float) -> Table:
    """The facts as rows; `now` is wall time, seconds since 1970 UTC."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value, style in _rows(facts, now):
        # Text, not markup: an address such as [fd00::1] would be taken for a style and vanish.
        table.add_row(Text(name, "bold"), Text(printable(value, _TEXT_LENGTH), style))
    return table


def _rows(facts: Mapping[str, Any], now: float) -> Iterator[Row]:
    yield _daemon(facts, now)
    yield "device", f"{facts['device']}, capture-agent {facts['version']}", ""
    for need in facts["needs"]:
        yield "needs you", need, _BAD
    for camera in facts["cameras"]:
        yield _camera(camera, now)
    yield "model", _model(facts), _BAD if facts["model_error"] else ""
    if facts["feedback"] is not None:
        yield from _feedback(facts["feedback"])
    if facts["auto"] is not None:
        yield "auto labels", _auto(facts["auto"]), "" if facts["auto"]["trusted"] else _WORTH_A_LOOK
    yield _upload(facts)
    yield _last_error(facts)
    if facts["heartbeat"] is not None:
        yield _heartbeat(facts["heartbeat"], now)
    if facts["mqtt"] is not None:
        is_good = facts["mqtt"] == "connected"
        shown = facts["mqtt"] if is_good else f"{facts['mqtt']}: {facts['mqtt_error']}"
        yield "mqtt", shown, _GOOD if is_good else _WORTH_A_LOOK
    yield "waiting", _waiting(facts, now), ""
    yield "delivered", _delivered(facts, now), ""
    yield "rejected", str(facts["rejected"]), _BAD if facts["in_rejected"] else ""
    yield "damaged", str(facts["damaged"]), _WORTH_A_LOOK if facts["damaged"] else ""
    reasons = ", ".join(f"{reason} {n}" for reason, n in facts["evicted_by_reason"].items())
    yield "evicted", f"{facts['evicted']} ({reasons})" if reasons else "0", ""
    yield "credits left", _credits(facts), ""
    yield "spool", f"{show_size(facts['occupied_bytes'])} of {_most(facts)}", ""
    if facts["clip_bytes"] is not None:
        most = show_size(facts["clip_max_bytes"])
        yield "clips", f"{show_size(facts['clip_bytes'])} of {most} in memory", ""
    yield "disk", _disk(facts), _DISK[facts["disk"]]
    yield "full in", _full_in(facts), _DISK[facts["disk"]]


def _daemon(facts: Mapping[str, Any], now: float) -> Row:
    presence = Presence(facts["daemon"])
    process = f"process {facts['daemon_pid']}"
    if not presence.is_there:
        if presence is Presence.STOPPED:
            code = f" with exit code {facts['exit_code']}" if facts["exit_code"] else ""
            return "daemon", f"not running; stopped {_ago(facts['stopped'], now)}{code}", _BAD
        return "daemon", "not running", _BAD
    if presence is Presence.RUNNING:
        return "daemon", f"running for {show_span(facts['uptime_s'] or 0.0)} ({process})", _GOOD
    style = _BAD if presence is Presence.SILENT else _WORTH_A_LOOK
    return "daemon", f"{presence.value} ({process})", style


def _camera(camera: Mapping[str, Any], now: float) -> Row:
    state, since, age = camera["state"], camera["since_s"], camera["last_frame_age_s"]
    words = [state]
    if state == "live":
        words.append(f"{camera['fps']:.1f} fps")
        if camera["analysed_fps"] < camera["fps"] - 0.1:
            words.append(f"{camera['analysed_fps']:.1f} analysed")
        if camera["still_fps"] > 0:
            words.append(f"{camera['still_fps']:.1f} still")
        words.append("no frame yet" if age is None else f"frame {show_span(age)} old")
        words.append(f"{camera['width']}x{camera['height']}")
        words += [camera["quality"]] if camera["quality"] else []
    elif since is not None and state in _CAMERA:
        words = [f"{state} for {show_span(since)}"]
    if camera["error"]:
        words[-1] += f": {camera['error']}"
    if camera["last_capture"]:
        words.append(f"last capture {_ago(camera['last_capture'], now)}")
    style = _CAMERA.get(state, "")
    if state == "live" and camera["quality"] not in {None, "clear"}:
        style = _BAD if camera["quality"] in {"frozen", "covered"} else _WORTH_A_LOOK
    return f"camera {camera['name']}", ", ".join(words), style


def _model(facts: Mapping[str, Any]) -> str:
    if facts["model"] is None:
        return "-"
    name = f"{facts['model']} ({facts['model_sha256'][:_HASH_LENGTH]})"
    if facts["model_error"] is None:
        return f"{name}, {facts['model_provider']}"
    return f"{name}, the known-good model: {facts['model_error']}"


def _auto(facts: Mapping[str, Any]) -> str:
    sent, waiting = facts["sent_today"], facts["waiting"]
    words = [] if sent is None else [f"{sent} of {facts['per_day']:g} sent today"]
    words += [f"{waiting} waiting"] if waiting else []
    words += [f"trusted: {facts['trusted']}" if facts["trusted"] else "no class is trusted"]
    words += [facts["missing"]] if facts["missing"] else []
    words += [f"frames left out: {facts['left_out']}"] if facts["left_out"] else []
    return "; ".join(words)


def _feedback(facts: Mapping[str, Any]) -> Iterator[Row]:
    if facts["sha256"] is None:
        yield "feedback", f"not in use: {facts['error']}", _BAD
        return
    words = [f"a newer file is refused: {facts['error']}"] if facts["error"] else []
    words += [f"{facts['sha256'][:_HASH_LENGTH]}, made {facts['made_at']}"]
    words += [f"{facts['captures']} reviewed captures", facts["changes"] or "no change yet"]
    yield "feedback", ", ".join(words), _BAD if facts["error"] else ""
    if facts["thresholds"]:
        yield "proposed", f'AGENT_THRESHOLDS="{facts["thresholds"]}" (best F1; not applied)', ""


def _upload(facts: Mapping[str, Any]) -> Row:
    if facts["upload"] is None:
        there = Presence(facts["daemon"]) is Presence.RUNNING
        return "upload", "off: AGENT_UPLOAD_URL is not set" if there else "-", ""
    if facts["upload"] == "flowing" and facts["last_delivered"] is None:
        return "upload", f"nothing sent yet, {facts['target']}", ""
    return "upload", f"{facts['upload']}, {facts['target']}", _UPLOAD.get(facts["upload"], "")


def _last_error(facts: Mapping[str, Any]) -> Row:
    error = facts["last_error"]
    if Presence(facts["daemon"]).is_there:
        return (
            "last error",
            error or "none",
            _UPLOAD.get(facts["upload"] or "", "") if error else "",
        )
    # Without a daemon nobody knows more than the latest one did.
    return "last error", f"{error} (before the daemon ended)" if error else "-", ""


def _heartbeat(facts: Mapping[str, Any], now: float) -> Row:
    if facts["refused"]:
        return "heartbeat", f"not taken: {facts['error']}", ""
    last = f"the last {_ago(facts['last'], now)}" if facts["last"] else "none sent yet"
    shown = f"every {show_duration(facts['every_s'])}, {last}"
    if facts["error"]:
        return "heartbeat", f"{shown}; {facts['error']}", _WORTH_A_LOOK
    return "heartbeat", shown, _GOOD if facts["last"] else ""


def _waiting(facts: Mapping[str, Any], now: float) -> str:
    number = facts["waiting"]
    words = [f"{number} capture{'' if number == 1 else 's'}, {show_size(facts['waiting_bytes'])}"]
    if facts["waiting"] and facts["oldest_waiting"]:
        words.append(f"the oldest {_ago(facts['oldest_waiting'], now)}")
    if facts["waiting"] and facts["best_value"] is not None:
        words.append(f"the best {facts['best_value']:.2f} expected new failures")
    if facts["facts_waiting"] == 1:
        words.append("1 verdict that travels with the next capture")
    elif facts["facts_waiting"]:
        words.append(f"{facts['facts_waiting']} verdicts that travel with the next captures")
    if facts["in_flight"]:
        words.append(f"{facts['in_flight']} being sent")
    return ", ".join(words)


def _delivered(facts: Mapping[str, Any], now: float) -> str:
    last = facts["last_delivered"]
    return f"{facts['delivered']}, the last {_ago(last, now)}" if last else str(facts["delivered"])


def _credits(facts: Mapping[str, Any]) -> str:
    if facts["credits_left"] < 0:
        return "no limit"
    left, per_day = facts["credits_left"], facts["budget_per_day"]
    shown = f"{left:.1f}" if per_day >= 1 else f"{left:.2f}"  # 0.97 is none yet
    wait = facts["next_credit_s"]
    until = f", the next in {show_span(wait)}" if wait else ""  # 0: one may be spent
    return f"{shown} now, {per_day:g} a day{until}"


def _most(facts: Mapping[str, Any]) -> str:
    return f"{show_size(facts['max_bytes'])}, {facts['spool_dir']}"


def _disk(facts: Mapping[str, Any]) -> str:
    if facts["disk_free_bytes"] is None:
        return "unknown"
    words = (
        f"{show_size(facts['disk_free_bytes'])} free of {show_size(facts['disk_total_bytes'])}, "
        f"{show_size(facts['min_free_bytes'])} must stay free"
    )
    return words if facts["disk"] in {"ok", "spool full"} else f"{facts['disk']}: {words}"


def _full_in(facts: Mapping[str, Any]) -> str:
    hours = facts["hours_until_full"]
    if facts["disk"] == "refused":
        return "-"
    if facts["disk"] == "spool full":
        return "full: a new capture replaces the one with the lowest value"
    if hours == 0 or facts["disk"] == "full":
        return "full: a new capture is stored only in place of one with a lower value"
    if hours is None:
        return "never at the present rate"
    return f"{hours / 24:.0f} days" if hours >= _DAYS_FROM else f"{hours:.1f} h"


def _ago(time: str, now: float) -> str:
    seconds = now - datetime.fromisoformat(time).astimezone(UTC).timestamp()
    if seconds < 0:
        return f"{time} (by a clock that was ahead of the present one)"
    return f"{show_span(seconds)} ago"
