"""Silence before a real daemon: shown, drawn, contradicted or affirmed, delivered."""

import json
import re
import time
from pathlib import Path

import pytest

from tests.end_to_end.command import Daemon, long_recording, quick_model, until
from tests.fakes.api import ApiClient

SECONDS = 90.0


@pytest.mark.slow
def test_what_nobody_contradicts_is_delivered_as_unobjected(tmp_path: Path) -> None:
    """A person watches two cameras, and objects to all that one of them shows."""
    images = long_recording(tmp_path)
    socket = tmp_path / "api.sock"
    settings = {
        "AGENT_CAMERAS": f"good={images} bad={images}",
        "AGENT_MODEL": quick_model(),
        "AGENT_RULES": "none",
        "AGENT_RANDOM_INTERVAL": "off",
        "AGENT_API": f"unix:{socket}",
        "AGENT_AFFIRM_PER_DAY": 10_000,  # one of each 17 s, for each camera
        "AGENT_AFFIRM_AFTER": "1s",
        "AGENT_UPLOAD_URL": f"dir:{tmp_path / 'dataset'}",
    }
    api = ApiClient(path=socket)

    def count(name: str) -> int:
        found = re.search(rf'{name}"}} (\d+)', api.get("/metrics").body.decode())
        return int(found[1]) if found else 0

    def watch() -> bool:
        for camera in ("good", "bad"):
            about = {"camera": camera, "at": "-0s"}
            assert api.post("/v1/shown", about | {"seconds": 1}).json["counts"] in {True, False}
            if camera == "bad":
                assert api.post("/v1/verdicts", about | {"verdict": "unusable"}).status == 202
        return count("affirmed") > 0 and count("contradicted") > 0

    with Daemon(tmp_path, **settings) as daemon:
        daemon.wait_for("camera opened", 2)
        until(lambda: api.get("/v1/cameras/bad/latest.jpg").status == 200, what=daemon.describe)
        time.sleep(1)  # until both have a frame in memory
        until(watch, what=daemon.describe, seconds=SECONDS, every_s=1.0)
        affirmed = daemon.wait_for("prediction affirmed")
        until(
            lambda: (
                affirmed["capture"]
                in {line["capture"] for line in daemon.events("capture delivered")}
            ),
            what=daemon.describe,
        )
        daemon.process.terminate()
        assert daemon.ends() == 0, daemon.text
        assert {line["camera"] for line in daemon.events("prediction affirmed")} == {"good"}

    record = json.loads((tmp_path / f"dataset/records/{affirmed['capture']}.json").read_bytes())
    [verdict] = [each for each in record["verdicts"] if each["verdict"] == "unobjected"]
    assert (record["lane"], record["value"], record["camera"]) == ("verdict", 0.0, "good")
    assert verdict["id"] == record["id"]
    assert verdict["moment"] == record["captured_at"]
    assert verdict["inclusion_probability"] == affirmed["inclusion_probability"]
    assert 0 < verdict["inclusion_probability"] < 0.5
    lines = (tmp_path / "dataset/verdicts.jsonl").read_text("utf-8").splitlines()
    assert verdict in [json.loads(line) for line in lines]
