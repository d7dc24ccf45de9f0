"""The main job on a real clip: read, detect, choose, keep, deliver, prove."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.end_to_end.command import Daemon, assert_law, call, clip, status
from tests.end_to_end.endpoint import LocalEndpoint

RECORD_KEYS = {
    *("schema", "id", "device", "camera", "captured_at", "clock_synchronized", "boot_id"),
    *("monotonic_ns", "sequence", "source_frame", "image", "model", "thresholds", "detections"),
    *("lane", "rules", "suspects", "value", "sampling", "agent"),
}
FRAMES = 250


def check_record(record: Any, image: bytes) -> None:
    """Each field of a record is there, and the image is the one that it speaks of."""
    assert record.keys() >= RECORD_KEYS
    assert record["schema"] == 2
    assert record["image"]["sha256"] == hashlib.sha256(image).hexdigest()
    assert record["image"]["bytes"] == len(image)
    pixels = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    assert pixels.shape == (record["image"]["height"], record["image"]["width"], 3)
    for detection in record["detections"]:
        x_min, y_min, x_max, y_max = detection["box"]
        assert 0 <= x_min < x_max <= pixels.shape[1]
        assert 0 <= y_min < y_max <= pixels.shape[0]
        assert record["thresholds"]["floor"] <= detection["confidence"] <= 1
        assert detection["label"]
    assert record["value"] >= 0
    for suspect in record["suspects"]:
        assert 0 < suspect["p"] <= 1
        assert suspect["rule"] in {rule["name"] for rule in record["rules"]}
    assert record["captured_at"].endswith("Z")
    assert record["model"]["task"] == "detect"
    assert len(record["model"]["sha256"]) == 64
    assert record["agent"]["name"] == "edge-capture-agent"
    assert (record["sampling"] is not None) == (record["lane"] == "random")


def test_a_clip_is_captured_offline_and_delivered_later(
    tmp_path: Path, endpoint: Callable[..., LocalEndpoint]
) -> None:
    settings = {
        "AGENT_CAMERAS": f"street={clip()}",
        "AGENT_DEVICE_ID": "device-7",
        "AGENT_FPS": 0,
        "AGENT_RANDOM_INTERVAL": "2s",
        "AGENT_EVERY_NTH_FRAME": 50,
    }
    with Daemon(tmp_path, **settings) as daemon:
        assert daemon.ends() == 0, daemon.text
        stored = daemon.stored()
        frames = {
            key: sum(line[f"frames_{key}"] for line in daemon.events("summary"))
            for key in ("read", "analysed", "dropped")
        }
        assert frames == {"read": FRAMES, "analysed": FRAMES, "dropped": 0}
        [stopped] = daemon.events("agent stopped")
        assert (stopped["reason"], stopped["lost"]) == ("recordings ended", 0)

    before = status(tmp_path)
    assert before["waiting"] == len(stored) > 5
    assert (before["delivered"], before["evicted"], before["rejected"]) == (0, 0, 0)
    assert before["daemon_pid"] is None
    assert before["oldest_waiting"] is not None
    assert_law(before)

    receiver = endpoint()
    flushed = call(tmp_path, "flush", AGENT_UPLOAD_URL=receiver.url)
    assert flushed.returncode == 0, flushed.stderr
    assert flushed.stdout == f"delivered {len(stored)}, waiting 0, rejected 0\n"
    assert flushed.stderr == ""

    records = receiver.records
    assert records.keys() == stored
    for identity, record in records.items():
        assert record["id"] == identity
        assert (record["device"], record["camera"]) == ("device-7", "street")
        check_record(record, receiver.image(identity))
        sure = [
            detection
            for detection in record["detections"]
            if detection["confidence"] >= record["thresholds"]["default"]
        ]
        assert len(receiver.label(identity).splitlines()) == len(sure)
    assert (tmp_path / "dataset" / "data.yaml").exists()
    rules = {rule["name"] for record in records.values() for rule in record["rules"]}
    assert {"random_interval", "low_confidence", "every_nth"} <= rules
    nth = [
        record["source_frame"]
        for record in records.values()
        if "every_nth" in {rule["name"] for rule in record["rules"]}
    ]
    assert sorted(nth) == [49, 99, 149, 199, 249]

    after = status(tmp_path)
    assert (after["waiting"], after["delivered"]) == (0, len(stored))
    assert after["last_delivered"] is not None
    assert_law(after)


def test_each_of_two_cameras_names_its_own_frames(
    tmp_path: Path, endpoint: Callable[..., LocalEndpoint]
) -> None:
    folder = tmp_path / "images of the yard"
    folder.mkdir()
    video = cv2.VideoCapture(str(clip()))
    cut = cv2.VideoWriter(
        str(tmp_path / "cut.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25, (640, 272)
    )
    for number in range(40):
        _, pixels = video.read()
        cut.write(pixels)
        if number < 6:
            cv2.imwrite(str(folder / f"frame{number}.png"), cv2.resize(pixels, (320, 136)))
    video.release()
    cut.release()
    receiver = endpoint()
    settings = {
        "AGENT_CAMERAS": f"street=cut.avi 'yard={folder}'",
        "AGENT_FPS": 0,
        "AGENT_RULES": "none",
        "AGENT_RANDOM_INTERVAL": "off",
        "AGENT_EVERY_NTH_FRAME": 2,
        "AGENT_UPLOAD_URL": receiver.url,
    }
    with Daemon(tmp_path, **settings) as daemon:
        assert daemon.ends() == 0, daemon.text
        assert {line["camera"] for line in daemon.events("camera ended")} == {"street", "yard"}
    assert call(tmp_path, "flush", AGENT_UPLOAD_URL=receiver.url).returncode == 0

    records = receiver.records.values()
    frames = {
        camera: sorted(r["source_frame"] for r in records if r["camera"] == camera)
        for camera in ("street", "yard")
    }
    assert frames == {"street": list(range(1, 40, 2)), "yard": [1, 3, 5]}
    assert {r["image"]["width"] for r in records if r["camera"] == "yard"} == {320}
    assert {r["image"]["width"] for r in records if r["camera"] == "street"} == {640}
    assert {r["lane"] for r in records} == {"interval"}


def test_a_capture_may_show_nothing_and_may_be_shrunk(
    tmp_path: Path, endpoint: Callable[..., LocalEndpoint]
) -> None:
    folder = tmp_path / "dark"
    folder.mkdir()
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.png"), np.zeros((480, 640, 3), np.uint8))
    receiver = endpoint()
    settings = {
        "AGENT_CAMERAS": f"night={folder}/",
        "AGENT_FPS": 0,
        "AGENT_EVERY_NTH_FRAME": 1,
        "AGENT_RANDOM_INTERVAL": "off",
        "AGENT_MAX_SIDE": 320,
        "AGENT_UPLOAD_URL": f"dir:{tmp_path / 'dataset'}",
    }
    with Daemon(tmp_path, **settings) as daemon:
        assert daemon.ends() == 0, daemon.text
    flushed = call(tmp_path, "flush", AGENT_UPLOAD_URL=settings["AGENT_UPLOAD_URL"])

    assert flushed.returncode == 0, flushed.stderr
    assert len(receiver.records) == 3
    for identity, record in receiver.records.items():
        assert record["detections"] == []
        assert (record["image"]["width"], record["image"]["height"]) == (320, 240)
        assert receiver.label(identity) == ""


@pytest.mark.parametrize("command", [["status"], ["status", "--json"]])
def test_the_status_of_a_spool_that_was_never_made_is_empty(
    tmp_path: Path, command: list[str]
) -> None:
    result = call(tmp_path, *command)

    assert result.returncode == 3, result.stderr
    assert not (tmp_path / "spool").exists()
