"""A daemon takes up what reviews said: without a restart, and never at the cost of a capture."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from agent.selection.feedback import Side, feedback_bytes
from tests.end_to_end.command import (
    NEVER_ENDS,
    Daemon,
    call,
    long_recording,
    quick_model,
    status,
    until,
)
from tests.fakes.feedback import factor, feedback

RULES = ("low_confidence", "flicker", "isolated", "weak_track", "class_flip", "count_change")
FACTORS = [factor(rule, side, 0.5) for rule in RULES for side in Side]


@pytest.mark.slow
def test_a_reload_takes_up_a_feedback_file_and_records_name_it(tmp_path: Path) -> None:
    path, given = tmp_path / "feedback.json", feedback(*FACTORS)
    settings = {
        "AGENT_CAMERAS": f"street={long_recording(tmp_path)} {NEVER_ENDS}",
        "AGENT_MODEL": quick_model(),
        "AGENT_FPS": 5,
        "AGENT_EVERY_NTH_FRAME": 5,
        "AGENT_FEEDBACK": path,
        "AGENT_UPLOAD_URL": f"dir:{tmp_path / 'data'}",
        "AGENT_BUDGET_PER_DAY": 0,
    }
    (tmp_path / "data").mkdir()
    with Daemon(tmp_path, **settings) as daemon:
        daemon.wait_for("feedback refused")
        daemon.wait_for("capture delivered")
        path.write_bytes(feedback_bytes(given)[:-9])
        daemon.signal(signal.SIGHUP)
        daemon.wait_for("feedback refused", 2)
        until(lambda: "not valid JSON" in str(status(tmp_path)["needs"]), what=daemon.describe)
        path.write_bytes(feedback_bytes(given))
        daemon.signal(signal.SIGHUP)
        loaded = daemon.wait_for("feedback accepted")
        daemon.wait_for("capture delivered", 1 + len(daemon.events("capture delivered")))
        until(lambda: status(tmp_path)["feedback"]["error"] is None, what=daemon.describe)
        told, checked = status(tmp_path), call(tmp_path, "check", **settings)
        until(lambda: any(each["feedback"] for each in records(tmp_path)), what=daemon.describe)
        daemon.signal(signal.SIGTERM)
        assert daemon.ends() == 0, daemon.text

    assert loaded["sha256"] == given.sha256[:12]
    assert told["feedback"]["sha256"] == given.sha256
    assert told["feedback"]["error"] is None
    assert "x0.5 after 40 reviews" in told["feedback"]["changes"]
    assert "x0.5 after 40 reviews" in " ".join(checked.stdout.split())
    assert {each["feedback"] for each in records(tmp_path)} == {None, given.sha256}
    for record in records(tmp_path):
        is_given = record["feedback"] is not None
        assert all(("prior" in each) is is_given for each in record["suspects"])
        assert all(each["p"] <= each.get("prior", 1.0) for each in record["suspects"])


def records(folder: Path) -> list[dict[str, Any]]:
    found = (folder / "data").rglob("records/*.json")
    return [json.loads(each.read_text()) for each in found]
