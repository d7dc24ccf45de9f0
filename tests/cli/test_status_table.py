"""What a person sees of the facts, and in which colour."""

import io
import re
from typing import Any

import pytest
from rich.console import Console

from agent.cli.status_table import table_of

NOW = 1_780_000_000.0  # 2026-05-28 20:26:40 UTC
CAMERA: dict[str, Any] = {
    "name": "gate",
    "state": "live",
    "error": None,
    "since_s": 400.0,
    "fps": 5.0,
    "analysed_fps": 5.0,
    "still_fps": 0.0,
    "last_frame_age_s": 0.2,
    "width": 640,
    "height": 480,
    "quality": "clear",
    "last_capture": None,
    "last_capture_id": None,
}
AUTO = {
    "per_day": 20.0,
    "sent_today": 3,
    "waiting": 2,
    "trusted": "car from 0.70 (lower bound 0.985)",
    "missing": "person is not trusted: lower bound 0.93 < 0.98",
    "left_out": "",
}
HEARTBEAT = {"every_s": 900.0, "last": None, "error": None, "refused": False}
FEEDBACK = {
    "sha256": "0123456789abcdef",
    "made_at": "2026-11-29T12:00:00.000Z",
    "captures": 41,
    "changes": "flicker below on gate: x0.2 after 41 reviews",
    "thresholds": "car=0.34",
    "error": None,
}

QUIET: dict[str, Any] = {
    "spool_dir": "/var/lib/capture-agent/spool",
    "daemon": "running",
    "daemon_pid": 7,
    "version": "0.1.0",
    "device": "gate-3",
    "uptime_s": 7200.0,
    "stopped": None,
    "exit_code": None,
    "stalled": [],
    "cameras": [CAMERA],
    "waiting": 0,
    "waiting_bytes": 0,
    "facts_waiting": 0,
    "in_flight": 0,
    "oldest_waiting": None,
    "stored": 0,
    "delivered": 0,
    "rejected": 0,
    "in_rejected": 0,
    "damaged": 0,
    "evicted": 0,
    "evicted_by_reason": {},
    "last_delivered": "2026-05-28T20:26:40+00:00",
    "last_error": None,
    "target": "https://example.org/captures",
    "upload": "flowing",
    "heartbeat": None,
    "mqtt": None,
    "mqtt_error": None,
    "best_value": None,
    "clip_bytes": None,
    "clip_max_bytes": None,
    "model": "nanodet",
    "model_sha256": "0123456789abcdef",
    "model_provider": "CPUExecutionProvider",
    "model_error": None,
    "feedback": None,
    "auto": None,
    "budget_per_day": 100.0,
    "credits_left": 4.0,
    "next_credit_s": 0.0,
    "disk": "ok",
    "disk_free_bytes": 20_000_000_000,
    "disk_total_bytes": 64_000_000_000,
    "disk_free_files": 1_000_000,
    "min_free_bytes": 512_000_000,
    "occupied_bytes": 4_000_000,
    "max_bytes": 2_000_000_000,
    "hours_until_full": None,
    "needs": [],
}
NOT_THERE: dict[str, Any] = {
    "daemon": "none",
    "daemon_pid": None,
    "uptime_s": None,
    "upload": None,
    "target": None,
    "model": None,
}
GREEN, YELLOW, RED = "\x1b[32m", "\x1b[33m", "\x1b[31m"


def shown(row: str, **facts: Any) -> str:
    """One row as a terminal gets it, without its name."""
    out = io.StringIO()
    screen = Console(file=out, width=150, force_terminal=True, color_system="standard")
    screen.print(table_of(QUIET | facts, NOW))
    [value] = re.findall(rf"(?m)^\x1b\[1m{row} *\x1b\[0m *(.*?) *$", out.getvalue())
    return str(value)


def camera(**facts: Any) -> dict[str, Any]:
    return {"cameras": [CAMERA | facts]}


@pytest.mark.parametrize(
    ("row", "facts", "words"),
    [
        ("daemon", {}, "running for 2.0 h (process 7)"),
        ("daemon", NOT_THERE, "not running"),
        (
            "daemon",
            NOT_THERE
            | {"daemon": "stopped", "stopped": "2026-05-28T20:25:10+00:00", "exit_code": 0},
            "not running; stopped 1.5 m ago",
        ),
        (
            "daemon",
            NOT_THERE
            | {"daemon": "stopped", "stopped": "2026-05-28T20:25:10+00:00", "exit_code": 78},
            "ago with exit code 78",
        ),
        ("daemon", {"daemon": "silent"}, "silent (process 7)"),
        ("device", {}, "gate-3, capture-agent 0.1.0"),
        ("needs you", {"needs": ["camera gate: lost for 40s"]}, "camera gate: lost for 40s"),
        ("camera gate", {}, "live, 5.0 fps, frame 0.2s old, 640x480, clear"),
        ("camera gate", camera(analysed_fps=2.0), "5.0 fps, 2.0 analysed"),
        (
            "camera gate",
            camera(analysed_fps=0.2, still_fps=4.8),
            "5.0 fps, 0.2 analysed, 4.8 still",
        ),
        ("camera gate", camera(last_capture="2026-05-28T20:26:00+00:00"), "last capture 40s ago"),
        (
            "camera gate",
            camera(state="lost", since_s=75.0, error="no such device"),
            "lost for 1.2 m: no such device",
        ),
        ("camera gate", camera(state="off", since_s=None), "off"),
        ("upload", {"upload": None, "target": None}, "off: AGENT_UPLOAD_URL is not set"),
        ("upload", NOT_THERE, "-"),
        ("upload", {"last_delivered": None}, "nothing sent yet, https://example.org/captures"),
        ("upload", {}, "flowing, https://example.org/captures"),
        ("model", NOT_THERE, "-"),
        ("model", {}, "nanodet (0123456789ab), CPUExecutionProvider"),
        (
            "model",
            {"model": "b", "model_error": "cannot use a"},
            "b (0123456789ab), the known-good model: cannot use a",
        ),
        (
            "feedback",
            {"feedback": FEEDBACK},
            "41 reviewed captures, flicker below on gate: x0.2 after 41 reviews",
        ),
        ("feedback", {"feedback": FEEDBACK | {"error": "torn"}}, "a newer file is refused: torn"),
        ("auto labels", {"auto": AUTO}, "3 of 20 sent today; 2 waiting; trusted: car from 0.70"),
        ("auto labels", {"auto": AUTO}, "person is not trusted: lower bound 0.93 < 0.98"),
        ("auto labels", {"auto": AUTO | {"trusted": ""}}, "no class is trusted; person is"),
        ("auto labels", {"auto": AUTO | {"missing": "", "left_out": "9 (x)"}}, "left out: 9 (x)"),
        (
            "feedback",
            {"feedback": FEEDBACK | {"sha256": None, "error": "no such file"}},
            "not in use: no such file",
        ),
        (
            "proposed",
            {"feedback": FEEDBACK},
            'AGENT_THRESHOLDS="car=0.34" (best F1; not applied)',
        ),
        (
            "heartbeat",
            {"heartbeat": HEARTBEAT | {"last": "2026-05-28T20:24:40+00:00"}},
            "every 15m, the last 2.0 m ago",
        ),
        ("heartbeat", {"heartbeat": HEARTBEAT}, "every 15m, none sent yet"),
        (
            "heartbeat",
            {"heartbeat": HEARTBEAT | {"error": "cannot reach h: no"}},
            "every 15m, none sent yet; cannot reach h: no",
        ),
        (
            "heartbeat",
            {"heartbeat": HEARTBEAT | {"refused": True, "error": "the endpoint answers 404"}},
            "not taken: the endpoint answers 404",
        ),
        ("mqtt", {"mqtt": "connected"}, "connected"),
        (
            "mqtt",
            {"mqtt": "disconnected", "mqtt_error": "cannot reach mqtt://broker:1883: no"},
            "disconnected: cannot reach mqtt://broker:1883: no",
        ),
        ("waiting", {"waiting": 3, "waiting_bytes": 1500}, "3 captures, 1.5kB"),
        (
            "clips",
            {"clip_bytes": 3_100_000, "clip_max_bytes": 64_000_000},
            "3.1MB of 64MB in memory",
        ),
        ("waiting", {"waiting": 3, "best_value": 1.418}, "the best 1.42 expected new failures"),
        ("waiting", {"best_value": 0.0}, "0 captures, 0B"),
        ("waiting", {"waiting": 3, "in_flight": 2}, "2 being sent"),
        ("waiting", {"facts_waiting": 3}, "3 verdicts that travel with the next captures"),
        ("waiting", {"facts_waiting": 1}, "1 verdict that travels with the next capture"),
        ("waiting", {"waiting": 1}, "1 capture, "),
        (
            "waiting",
            {"waiting": 1, "oldest_waiting": "2026-05-28T20:26:00+00:00"},
            "the oldest 40s ago",
        ),
        (
            "waiting",
            {"waiting": 1, "oldest_waiting": "2026-05-27T20:26:40+00:00"},
            "1.0 d ago",
        ),
        (
            "waiting",
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
        ("credits left", {"credits_left": -1, "next_credit_s": None}, "no limit"),
        (
            "credits left",
            {"credits_left": 0.4, "next_credit_s": 155_520.0, "budget_per_day": 0.333},
            "0.40 now, 0.333 a day, the next in 1.8 d",
        ),
        ("spool", {}, "4MB of 2GB, /var/lib/capture-agent/spool"),
        ("disk", {}, "20GB free of 64GB, 512MB must stay free"),
        ("disk", {"disk": "full", "disk_free_bytes": 1000}, "full: 1kB free of 64GB"),
        ("disk", {"disk_free_bytes": None}, "unknown"),
        ("full in", {}, "never at the present rate"),
        ("full in", {"hours_until_full": 5.25}, "5.2 h"),
        ("full in", {"hours_until_full": 1440.0}, "60 days"),
        (
            "full in",
            {"disk": "full", "hours_until_full": 0.0},
            "full: a new capture is stored only",
        ),
        ("full in", {"disk": "spool full", "hours_until_full": 0.0}, "replaces the one with the"),
        # What looks like markup of the table is an address.
        ("last error", {"last_error": "cannot reach [fd00::1]:9"}, "cannot reach [fd00::1]:9"),
        ("last error", NOT_THERE, "-"),
        ("last error", NOT_THERE | {"last_error": "x"}, "x (before the daemon ended)"),
        ("last error", {"last_error": "a\x1b[2Jb\nc"}, r"a\x1b[2Jb\nc"),
        ("spool", {"spool_dir": "/media/[red]/spool"}, "/media/[red]/spool"),
    ],
)
def test_each_row_says_it_in_words(row: str, facts: dict[str, Any], words: str) -> None:
    assert words in shown(row, **facts)


@pytest.mark.parametrize(
    ("row", "facts", "colour"),
    [
        ("daemon", {}, GREEN),
        ("daemon", NOT_THERE, RED),
        ("daemon", {"daemon": "silent"}, RED),
        ("daemon", {"daemon": "starting"}, YELLOW),
        ("needs you", {"needs": ["x"]}, RED),
        ("camera gate", {}, GREEN),
        ("camera gate", camera(quality="dark"), YELLOW),
        ("camera gate", camera(quality="frozen"), RED),
        ("camera gate", camera(state="lost"), RED),
        ("upload", {}, GREEN),
        ("upload", {"upload": "delayed"}, YELLOW),
        ("upload", {"upload": "blocked"}, RED),
        ("last error", {"upload": "blocked", "last_error": "cannot"}, RED),
        ("last error", {"upload": "delayed", "last_error": "cannot"}, YELLOW),
        ("rejected", {"rejected": 1, "in_rejected": 1}, RED),
        ("damaged", {"damaged": 1}, YELLOW),
        ("model", {"model_error": "cannot"}, RED),
        ("feedback", {"feedback": FEEDBACK | {"error": "torn"}}, RED),
        ("auto labels", {"auto": AUTO | {"trusted": ""}}, YELLOW),
        ("disk", {"disk": "full"}, RED),
        ("disk", {"disk": "refused"}, RED),
        ("full in", {"disk": "spool full"}, YELLOW),
    ],
)
def test_what_needs_a_person_is_red(row: str, facts: dict[str, Any], colour: str) -> None:
    assert shown(row, **facts).startswith(colour)


def test_what_is_well_has_no_colour() -> None:
    for row in ("last error", "waiting", "rejected", "damaged", "evicted", "model", "disk"):
        assert "\x1b[3" not in shown(row)


def test_six_cameras_have_a_row_each() -> None:
    cameras = [CAMERA | {"name": f"c{number}"} for number in range(6)]

    for number in range(6):
        assert "live" in shown(f"camera c{number}", cameras=cameras)
