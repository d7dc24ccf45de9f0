"""Nothing of a masked region or of a redacted label is on disk, on a socket or in an image shown.

The planted bugs show that the search would find it.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from agent.camera.images.file import decode_image, read_image
from tests.end_to_end.command import NEVER_ENDS, Daemon, call
from tests.end_to_end.endpoint import LocalEndpoint
from tests.end_to_end.planted_scene import (
    IN_PERSON,
    IN_REGION,
    MASK,
    ListeningProxy,
    colours_in,
    fine_crops,
    planted_frames,
    planted_model,
    search,
)

INPUTS = {"scene", "model.onnx", "bug"}
HIDDEN = {"AGENT_MASKS": MASK, "AGENT_REDACT": "person"}

BUGS = {
    "source": "import agent.camera.masked as m\nm.MaskedSource._masked = lambda _, frame: frame\n",
    "encoder": "import agent.record.image as m\nm.pixelated = lambda pixels, parts: pixels\n",
    "look": (
        "import agent.factories.images as f\nfrom agent.record.image import JpegEncoder\n"
        "f.viewing_encoder = lambda settings, **_: JpegEncoder(quality=90)\n"
    ),
    "crops": "import agent.selection.view as m\nm.coarse = lambda crop: crop\n",
}


def settings_in(folder: Path, *, bug: str = "") -> dict[str, object]:
    """Return the settings of the scene; `bug` is planted in each process."""
    settings: dict[str, object] = {
        "AGENT_CAMERAS": f"scene={planted_frames(folder / 'scene')} {NEVER_ENDS}",
        "AGENT_MODEL": planted_model(folder / "model.onnx"),
        "AGENT_FPS": 0,
        "AGENT_EVERY_NTH_FRAME": 6,
        "AGENT_BUDGET_PER_DAY": 100_000,
        "AGENT_LOG_LEVEL": "debug",
        **HIDDEN,
    }
    if bug:
        (folder / "bug").mkdir()
        (folder / "bug" / "sitecustomize.py").write_text(BUGS[bug], encoding="utf-8")
        settings["PYTHONPATH"] = folder / "bug"
    return settings


def run_and_look(folder: Path, settings: dict[str, object], *, ends: bool = True) -> None:
    """Run the daemon over the scene, and look at it, at what waits and at its answers.

    `ends`: the camera is a recording.
    """
    with Daemon(folder, **settings) as daemon:
        if ends:
            daemon.wait_for("camera ended")
        daemon.wait_for("capture stored", 4)
        looked = call(folder, "look", "scene", "--out", "look.jpg", **settings)
        waiting = call(folder, "look", "--waiting", "--out", "waiting.jpg", **settings)
        assert (looked.returncode, waiting.returncode) == (0, 0), looked.stderr + waiting.stderr


def records_in(folder: Path) -> list[Any]:
    return [json.loads(path.read_text("utf-8")) for path in folder.glob("records/*.json")]


@pytest.mark.slow
def test_nothing_that_is_hidden_is_found_anywhere(
    tmp_path: Path, endpoint: Callable[..., LocalEndpoint]
) -> None:
    settings = settings_in(tmp_path)
    run_and_look(tmp_path, settings | {"AGENT_CLIP": "1s 1s"})
    assert fine_crops(tmp_path / "spool") == []
    server = endpoint()
    proxy = ListeningProxy(server.url)
    try:
        call(tmp_path, "status", "--json", **settings)
        exported = call(tmp_path, "export", "stick", **settings)
        assert exported.returncode == 0, exported.stderr
        recording = settings | {"AGENT_CAMERAS": f"scene={tmp_path / 'scene'}"}
        replayed = call(
            tmp_path, "replay", "scene", "--out", "replayed", "--report", "page.html", **recording
        )
        assert replayed.returncode == 0, replayed.stderr
        sent = {"AGENT_UPLOAD_URL": proxy.url}
        tested = call(tmp_path, "check", "--upload-test", **(recording | sent))
        assert tested.returncode == 0, tested.stdout
        assert "hidden by AGENT_MASKS" in tested.stdout
        with Daemon(tmp_path, **(settings | sent)) as daemon:
            daemon.wait_for("capture delivered", 4)
    finally:
        proxy.stop()

    assert search(tmp_path, without=INPUTS) == {}
    assert len(proxy.sent) > 20_000
    assert colours_in(bytes(proxy.sent)) == set()
    stored = records_in(tmp_path / "stick")
    assert len(stored) >= 4
    for record in [*stored, *records_in(tmp_path / "replayed"), *server.records.values()]:
        [region, person] = record["masks"]
        assert {tuple(corner) for corner in region["polygon"]} >= {(160, 0), (320, 0)}
        assert person["label"] == "person"
        assert {each["label"] for each in record["detections"]} == {"person", "car"}


WRITER = """
import sys, time, pathlib, cv2
images = [cv2.imread(str(path)) for path in sorted(pathlib.Path(sys.argv[1]).glob("*.png"))]
for number in range(10_000):
    sys.stdout.buffer.write(cv2.imencode(".jpg", images[number % len(images)])[1].tobytes())
    sys.stdout.buffer.flush()
    time.sleep(0.05)
"""


def from_a_camera(folder: Path, **more: object) -> list[Any]:
    """Run the daemon on a camera that sends JPEGs; return the records of what it captured."""
    settings = settings_in(folder)
    (folder / "scene" / "writer.py").write_text(WRITER, encoding="utf-8")
    program = f"{sys.executable} {folder}/scene/writer.py {folder}/scene"
    settings |= {"AGENT_CAMERAS": f"'scene=exec:{program}'", "AGENT_FPS": 10, **more}
    run_and_look(folder, settings, ends=False)
    exported = call(folder, "export", "stick", **settings)
    assert exported.returncode == 0, exported.stderr
    return records_in(folder / "stick")


@pytest.mark.slow
def test_a_camera_s_own_jpeg_does_not_lead_around_the_masks(tmp_path: Path) -> None:
    records = from_a_camera(tmp_path)

    assert search(tmp_path, without=INPUTS) == {}
    assert {record["image"]["encoded_by"] for record in records} == {"agent"}


@pytest.mark.slow
def test_a_camera_s_own_jpeg_is_stored_where_nothing_is_hidden(tmp_path: Path) -> None:
    records = from_a_camera(tmp_path, AGENT_MASKS="", AGENT_REDACT="", AGENT_JPEG_QUALITY=1)

    assert {record["image"]["encoded_by"] for record in records} == {"camera"}
    assert all(record["masks"] == [] for record in records)
    sent = [
        decode_image(cv2.imencode(".jpg", read_image(path))[1].tobytes())
        for path in (tmp_path / "scene").glob("*.png")
    ]
    for path in (tmp_path / "stick" / "images").iterdir():
        stored = read_image(path)
        assert any(np.array_equal(stored, image) for image in sent)


@pytest.mark.slow
def test_a_clip_of_one_s_own_is_masked_in_the_demo(tmp_path: Path) -> None:
    planted_frames(tmp_path / "scene")
    shown = call(tmp_path, "demo", "--clip", "scene", "--dir", "demo", AGENT_MASKS=MASK)

    assert shown.returncode == 0, shown.stderr
    found = search(tmp_path, without=INPUTS)
    assert (tmp_path / "demo" / "contact-sheet.jpg").exists()
    assert set().union(*found.values()) & set(IN_REGION) == set()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bug", "colours", "places"),
    [
        ("source", IN_REGION, {"look.jpg", "waiting.jpg", "spool"}),
        ("encoder", IN_PERSON, {"look.jpg", "waiting.jpg", "spool"}),
        ("look", IN_PERSON, {"look.jpg"}),
    ],
)
def test_the_search_finds_a_planted_bug(
    tmp_path: Path, bug: str, colours: tuple[str, ...], places: set[str]
) -> None:
    run_and_look(tmp_path, settings_in(tmp_path, bug=bug))

    found = search(tmp_path, without=INPUTS)

    assert {path.split("/")[0] for path in found} == places
    assert set.union(*found.values()) == set(colours)


@pytest.mark.slow
def test_the_search_finds_a_crop_that_is_not_coarse(tmp_path: Path) -> None:
    run_and_look(tmp_path, settings_in(tmp_path, bug="crops"))

    assert fine_crops(tmp_path / "spool")
