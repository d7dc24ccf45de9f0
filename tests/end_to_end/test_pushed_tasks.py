"""Pushed predictions of each task arrive in the dataset as those of a model on the device."""

import json
import re
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.camera.push.pushed import image_file
from tests.end_to_end.command import Daemon, call, camera_states, until
from tests.end_to_end.endpoint import LocalEndpoint
from tests.fakes.api import ApiClient

BOUNDARY = "a-boundary"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
BOX = [10, 10, 110, 90]
PILL: dict[str, Any] = {"label": "pill", "confidence": 0.9, "box": BOX}
TASKS = {
    "detect": PILL,
    "segment": {**PILL, "polygon": [[10, 10], [110, 10], [60, 90]]},
    "pose": {**PILL, "keypoints": [[20, 20, 0.9], [100, 80, 0.4]]},
    "obb": {
        "label": "pill",
        "confidence": 0.9,
        "corners": [[60, 10], [110, 50], [60, 90], [10, 50]],
    },
    "classify": {"label": "pill", "confidence": 0.9},
}
SHAPES = {"segment": "polygon", "pose": "keypoints", "obb": "corners"}


def push(client: ApiClient, seed: int, found: dict[str, Any] | None) -> dict[str, Any]:
    """Push an image of 640 x 480."""
    image = image_file(width=640, height=480, seed=seed)
    if found is None:
        response = client.post("/v1/frames/line", image, {"Content-Type": "image/jpeg"})
    else:
        begin = f"--{BOUNDARY}\r\nContent-Disposition: form-data; name="
        body = (
            f'{begin}"predictions"\r\n\r\n{json.dumps(found)}\r\n{begin}"image"\r\n\r\n'.encode()
            + image
            + f"\r\n--{BOUNDARY}--\r\n".encode()
        )
        response = client.post("/v1/frames/line", body, FORM)
    assert response.status == 202, response.body
    answer: dict[str, Any] = response.json
    return answer


def has_counted(client: ApiClient, frames: int, *names: str) -> bool:
    """Whether the metrics have so many frames of the camera under these names."""
    text = client.get("/metrics").body.decode()
    found = [
        re.findall(rf'camera_frames_{each}_total{{camera="line"}} (\d+)', text) for each in names
    ]
    return sum(int(number) for numbers in found for number in numbers) == frames


def settings_of(folder: Path, camera: str, receiver: LocalEndpoint) -> dict[str, object]:
    return {
        "AGENT_CAMERAS": f"line={camera}",
        "AGENT_API": f"unix:{folder}/api.sock",
        "AGENT_FPS": "0",
        "AGENT_EVERY_NTH_FRAME": "1",
        "AGENT_UPLOAD_URL": receiver.url,
    }


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_predictions_of_each_task_arrive(
    tmp_path: Path, endpoint: Callable[..., LocalEndpoint], task: str
) -> None:
    receiver = endpoint()
    settings = settings_of(tmp_path, f"push:?task={task}", receiver)
    name = "classes" if task == "classify" else "detections"
    client = ApiClient(path=tmp_path / "api.sock")
    assert call(tmp_path, "check", "--upload-test", **settings).returncode == 0
    with Daemon(tmp_path, **settings) as daemon:
        daemon.wait_for("api started")
        for seed in range(8):
            found = {
                "model": {"name": "m", "labels": ["broken", "pill"]},
                name: [{**TASKS[task], "confidence": 0.9 - seed / 100}],
            }
            push(client, seed, found)
        daemon.signal(signal.SIGHUP)  # there is no model file that could be loaded again
        daemon.wait_for("capture delivered")
        until(lambda: camera_states(tmp_path) == ["live"], what=daemon.describe)
        until(partial(has_counted, client, 8, "analysed", "dropped"))
        daemon.signal(signal.SIGTERM)
        assert daemon.ends() == 0
    receiver.stop()

    record = next(
        each for each in receiver.records.values() if each["rules"][0]["name"] != "upload_test"
    )
    assert record["model"]["task"] == task
    assert record["model"]["provider"] == "application"
    [output] = record[name]
    assert (output["label"], output["class_id"]) == ("pill", 1)
    if task in SHAPES:
        assert output[SHAPES[task]]
        assert output["box"] == BOX
        row = receiver.label(record["id"]).split()
        assert row[0] == "1"
        assert len(row) > 5


@pytest.mark.slow
def test_frames_without_predictions_are_analysed_by_the_agents_model(
    tmp_path: Path, endpoint: Callable[..., LocalEndpoint]
) -> None:
    receiver = endpoint()
    settings = settings_of(tmp_path, "push:", receiver)
    client = ApiClient(path=tmp_path / "api.sock")
    with Daemon(tmp_path, **settings) as daemon:
        loaded = daemon.wait_for("model loaded")
        daemon.wait_for("api started")
        for seed in range(8):
            found = {"model": {"name": "own"}, "detections": [{**PILL, "label": "person"}]}
            push(client, seed, found if seed % 2 else None)
            until(partial(has_counted, client, seed + 1, "analysed"))
        daemon.signal(signal.SIGTERM)
        assert daemon.ends() == 0
    waiting = call(tmp_path, "export", str(tmp_path / "rest"), **settings)
    receiver.stop()

    assert waiting.returncode == 0, waiting.stderr
    files = [*tmp_path.glob("rest/records/*.json"), *tmp_path.glob("dataset/records/*.json")]
    records = {file.stem: json.loads(file.read_text("utf-8")) for file in files}
    own = [each for each in records.values() if each["model"]["name"] == "own"]
    agents = [each for each in records.values() if each["model"]["name"] == loaded["model"]]
    assert (len(own), len(agents)) == (4, 4)
    # Without `class_id` and `labels`, the class ids are those of the agent's model.
    assert all(each["detections"][0]["class_id"] == 0 for each in own)
