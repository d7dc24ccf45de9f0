"""AGENT_CLIP in the real daemon: on a recording, on a live camera, over a kill and a stop."""

import contextlib
import json
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.camera.mjpeg_server import MjpegServer
from tests.end_to_end.command import Daemon, assert_law, call, status, until
from tests.end_to_end.endpoint import LocalEndpoint
from tests.upload import faulty_server as faults
from tests.upload.faulty_server import FaultyServer

EACH = {"AGENT_RULES": "none", "AGENT_RANDOM_INTERVAL": "off"}
"""Captures are only those of AGENT_EVERY_NTH_FRAME."""


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Return a recording of 40 images at 5 fps; the brightness of each names it."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(40):
        pixels = np.full((48, 64, 3), 6 * number, np.uint8)
        (folder / f"{number:03d}.png").write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    return folder


@pytest.fixture
def camera() -> Iterator[MjpegServer]:
    server = MjpegServer()
    server.start()
    yield server
    server.stop()


def shown(file: Path) -> int:
    """Return which of the images a frame of a clip shows."""
    pixels = cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert pixels is not None
    return round(float(pixels.mean()) / 6)


def clip_of(folder: Path, record: Any) -> list[tuple[float, Path]]:
    """Return the times and files of the clip that arrived with a record; check its description."""
    clip = folder / "clips" / record["id"]
    rows = json.loads((clip / "times.json").read_bytes())["frames"]
    found = [(row["at"], clip / row["file"]) for row in rows]
    sizes = [(frame["at"], frame["bytes"]) for frame in record["clip"]["frames"]]
    assert [(at, file.stat().st_size) for at, file in found] == sizes
    return found


def records_in(folder: Path) -> list[Any]:
    return [json.loads(file.read_bytes()) for file in sorted(folder.glob("records/*.json"))]


@pytest.mark.slow
def test_a_recording_s_clips_show_what_came_before_and_after(tmp_path: Path, images: Path) -> None:
    settings = {"AGENT_CAMERAS": images, "AGENT_FPS": 0, "AGENT_EVERY_NTH_FRAME": 6} | EACH
    done = call(tmp_path, "run", AGENT_CLIP="1s 600ms", **settings)
    assert done.returncode == 0, done.stderr
    with FaultyServer(faults.store) as older:  # it proves the image, and knows no clips
        kept = call(tmp_path, "flush", AGENT_CLIP="1s 600ms", AGENT_UPLOAD_URL=older.url)
    assert kept.returncode == 75
    assert "proves the image but not the clip" in kept.stderr + kept.stdout
    assert status(tmp_path)["waiting"] == 6

    out = tmp_path / "out"
    assert call(tmp_path, "export", str(out), "--acknowledge").returncode == 0
    records = records_in(out)
    assert [record["source_frame"] for record in records] == [5, 11, 17, 23, 29, 35]
    for record in records:
        own = record["source_frame"]
        frames = clip_of(out, record)
        expected = range(max(0, own - 5), min(39, own + 3) + 1)
        assert [shown(file) for _, file in frames] == list(expected)
        assert [at for at, _ in frames] == [round((number - own) / 5, 3) for number in expected]
        assert record["clip"]["dropped"] == 0
    assert_law(status(tmp_path))


@pytest.mark.slow
def test_a_live_camera_s_clips_have_their_lead_over_a_kill_and_a_stop(
    tmp_path: Path, camera: MjpegServer
) -> None:
    """If the computer stands still, some clips are shorter: then it is tried again."""

    def are_whole(number: int) -> bool:
        folder = tmp_path / str(number)
        folder.mkdir()
        with contextlib.closing(LocalEndpoint(folder / "dataset", up=False)) as receiver:
            return have_their_lead(two_lives(folder, camera, receiver))

    assert any(are_whole(number) for number in range(3))


def two_lives(folder: Path, camera: MjpegServer, receiver: LocalEndpoint) -> dict[str, Any]:
    """Return the records of two daemons, of which the first is killed; all arrive, each once."""
    settings = {
        "AGENT_CAMERAS": camera.url,
        "AGENT_FPS": 10,
        "AGENT_EVERY_NTH_FRAME": 7,
        "AGENT_CLIP": "1s 500ms",
        "AGENT_UPLOAD_URL": receiver.url,
    } | EACH
    promised: set[str] = set()
    with Daemon(folder, **settings) as daemon:
        daemon.wait_for("capture stored", random.randint(4, 8))
        daemon.process.kill()
        daemon.ends()
        promised |= daemon.stored()
    receiver.start()
    with Daemon(folder, **settings) as daemon:
        daemon.wait_for("capture stored", 6)
        until(lambda: status(folder)["clip_bytes"], what=daemon.describe)
        facts = status(folder)
        assert 0 < facts["clip_bytes"] < facts["clip_max_bytes"]
        daemon.signal(signal.SIGTERM)
        assert daemon.ends() == 0, daemon.text
        assert daemon.events("agent stopped")[0]["lost"] == 0
        promised |= daemon.stored()
    assert call(folder, "flush", AGENT_UPLOAD_URL=receiver.url).returncode == 0
    receiver.stop()

    records = receiver.records
    assert promised <= records.keys()
    for record in records.values():
        frames = clip_of(receiver.directory, record)
        times = [at for at, _ in frames]
        assert times == sorted(times)
        assert 0.0 in times
        for _, file in frames:
            pixels = np.frombuffer(file.read_bytes(), np.uint8)
            assert cv2.imdecode(pixels, cv2.IMREAD_COLOR) is not None
    facts = status(folder)
    assert facts["delivered"] == len(records)
    assert_law(facts)
    return records


def have_their_lead(records: dict[str, Any]) -> bool:
    """Only the first capture of each process has a shorter lead, and only the stop cuts a tail."""
    short = [each for each in records.values() if each["clip"]["lead"] < 1.0]
    cut = [each for each in records.values() if each["clip"]["tail"] < 0.5]
    dropped = sum(each["clip"]["dropped"] for each in records.values())
    return len(short) <= 2 and len(cut) <= 2 and dropped == 0


@pytest.mark.slow
def test_a_stop_does_not_wait_for_what_comes_after_a_capture(
    tmp_path: Path, camera: MjpegServer
) -> None:
    with Daemon(
        tmp_path,
        AGENT_CAMERAS=camera.url,
        AGENT_FPS=5,
        AGENT_EVERY_NTH_FRAME=5,
        AGENT_CLIP="1s 55s",
        **EACH,
    ) as daemon:
        daemon.wait_for("frame captured", 2)
        assert not daemon.stored()
        daemon.signal(signal.SIGTERM)

        assert daemon.ends() == 0, daemon.text
        assert daemon.events("agent stopped")[0]["lost"] == 0
        assert len(daemon.stored()) == len(daemon.events("frame captured"))
