"""Nothing of a masked region or of a redacted label is on disk, on a socket or in an image shown.

The planted bugs show that the search would find it.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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
        "import agent.factories as f\nfrom agent.record.image import JpegEncoder\n"
        "f.viewing_encoder = lambda settings: JpegEncoder(quality=90)\n"
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


def run_and_look(folder: Path, settings: dict[str, object]) -> None:
    """Run the daemon over the scene, and look at it, at what waits and at its answers."""
    with Daemon(folder, **settings) as daemon:
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
