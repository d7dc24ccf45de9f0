"""Silence before a real daemon: shown, drawn, contradicted or affirmed, delivered."""

import json
import re
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest

from tests.end_to_end.command import Daemon, long_recording, quick_model, until
from tests.fakes.api import ApiClient

PER_DAY = 10_000
SLOT_S = 2 * 86_400 / PER_DAY  # one is drawn of each, for each of two cameras


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
        "AGENT_AFFIRM_PER_DAY": PER_DAY,
        "AGENT_AFFIRM_AFTER": "1s",
        "AGENT_UPLOAD_URL": f"dir:{tmp_path / 'dataset'}",
    }
    api = ApiClient(path=socket)
    moments: list[str] = []  # of the frames of the good one that were shown

    def count(name: str) -> int:
        found = re.search(rf'{name}"}} (\d+)', api.get("/metrics").body.decode())
        return int(found[1]) if found else 0

    def has_a_frame(camera: str) -> bool:
        about = {"camera": camera, "at": "-0s", "seconds": 0.01}
        return api.post("/v1/shown", about).status == 202

    def object_to_the_bad_one() -> None:
        """It counts against what is shown within 10 s, before or after."""
        about = {"camera": "bad", "at": "-0s", "verdict": "unusable"}
        assert api.post("/v1/verdicts", about).status == 202

    def watch() -> bool:
        for camera in ("good", "bad"):
            shown = api.post("/v1/shown", {"camera": camera, "at": "-0s", "seconds": 1}).json
            assert shown["counts"] in {True, False}
            if camera == "bad":
                object_to_the_bad_one()
            elif shown["counts"]:
                moments.append(shown["moment"])
        return count("affirmed") > 0 and count("contradicted") > 0

    with Daemon(tmp_path, **settings) as daemon:
        daemon.wait_for("camera opened", 2)
        for camera in ("good", "bad"):
            until(partial(has_a_frame, camera), what=daemon.describe)
        object_to_the_bad_one()
        until(watch, what=daemon.describe, every_s=1.0)
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
    number = moments.index(verdict["moment"])
    assert 0 < verdict["inclusion_probability"] <= 1
    if number > 0:  # else the time since the start counts
        gap = seconds(moments[number]) - seconds(moments[number - 1])
        assert verdict["inclusion_probability"] < gap / SLOT_S + 0.1
    lines = (tmp_path / "dataset/verdicts.jsonl").read_text("utf-8").splitlines()
    assert verdict in [json.loads(line) for line in lines]


def seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
