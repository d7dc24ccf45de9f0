"""Auto labels from camera to endpoint: only trusted classes, within their own budget."""

import hashlib
import json
import random
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import pytest

from agent.cli.sample_clip import sample_clip
from agent.dataset.reviews import review_line
from agent.domain import VerdictKind
from agent.record.audit import is_audited
from agent.selection.feedback import ClassFeedback, Feedback, Trust, feedback_bytes
from tests.detector.planted_models import METADATA, fixed_model, planted_rows
from tests.end_to_end.command import (
    NEVER_ENDS,
    Daemon,
    assert_law,
    call,
    clip,
    here,
    status,
    until,
)
from tests.end_to_end.endpoint import LocalEndpoint
from tests.selection.grey_images import scene

pytestmark = pytest.mark.slow

GOOD = Trust(0.5, 0.985, 300)
PER_SECOND = 10
CAT, DOG = (10, 10, 30, 30), (34, 34, 60, 60)  # in an image of 64 x 64


def model_of(folder: Path, *, dog: float) -> Path:
    """Write a model that is sure of a cat, and sees a dog beside it with this confidence."""
    rows = planted_rows([CAT, DOG], [[0.95, 0.0, 0.0], [0.0, dog, 0.0]])
    return fixed_model(folder / f"cat-{dog}.onnx", rows, size=(64, 64), metadata=METADATA)


def feedback_for(model: Path, classes: Mapping[str, Trust]) -> Path:
    """Write what reviews said of a model, beside it."""
    sha256 = hashlib.sha256(model.read_bytes()).hexdigest()
    found = tuple(
        ClassFeedback(label, 0.9, 300, 0, 1.0, None, (trust,)) for label, trust in classes.items()
    )
    made = Feedback("2026-05-28T20:26:40.000Z", "0.1.0", model.stem, sha256, 200, (), found)
    path = model.with_suffix(".json")
    path.write_bytes(feedback_bytes(made))
    return path


def settings_of(model: Path, **more: object) -> dict[str, object]:
    feedback = feedback_for(model, {"cat": GOOD, "dog": Trust(0.5, 0.93, 40)})
    return {
        "AGENT_CAMERAS": f"street={clip()} {NEVER_ENDS}",
        "AGENT_FPS": 0,
        "AGENT_MODEL": model,
        "AGENT_MAX_SIDE": 160,
        "AGENT_RANDOM_INTERVAL": "off",
        "AGENT_FEEDBACK": feedback,
        "AGENT_AUTO_PER_DAY": PER_SECOND * 86_400,
        **more,
    }


def scenes(folder: Path, life: int, count: int = 60) -> Path:
    """Make a recording of images, each of another scene: what a life saw is new in no other."""
    images = folder / f"life-{life}"
    images.mkdir()
    for number in range(count):
        pixels = cv2.cvtColor(scene(1000 * life + number), cv2.COLOR_GRAY2BGR)
        (images / f"{number:04d}.jpg").write_bytes(cv2.imencode(".jpg", pixels)[1].tobytes())
    return images


def labels_in(record: Mapping[str, Any]) -> set[str]:
    return {each["label"] for each in record["detections"] if each["confidence"] >= 0.5}


def test_auto_labels_survive_kills_within_their_budget(
    tmp_path: Path, endpoint: Callable[..., LocalEndpoint]
) -> None:
    receiver, began = endpoint(up=False), time.monotonic()
    url = receiver.url
    settings = settings_of(model_of(tmp_path, dog=0.0), AGENT_FPS=10, AGENT_UPLOAD_URL=url)
    promised: set[str] = set()
    for life in (1, 2):
        if life == 2:
            receiver.start()
        settings["AGENT_CAMERAS"] = f"street={scenes(tmp_path, life)} {NEVER_ENDS}"
        with Daemon(tmp_path, **settings) as daemon:
            daemon.wait_for("capture stored", random.randint(1, 4))
            daemon.process.kill()
            daemon.ends()
            promised |= daemon.stored()
    settings["AGENT_CAMERAS"] = f"street={scenes(tmp_path, 3)} {NEVER_ENDS}"
    with Daemon(tmp_path, **settings) as daemon:
        daemon.wait_for("capture delivered")
        facts = status(tmp_path, **settings)
        daemon.signal(signal.SIGTERM)
        assert daemon.ends() == 0, daemon.text
        promised |= daemon.stored()
        (decided,) = daemon.events("auto labels decided")
    most = (time.monotonic() - began) * PER_SECOND + 1
    receiver.stop()
    delivered, after = receiver.records, status(tmp_path)

    assert decided["classes"] == "cat from 0.50 (lower bound 0.985)"
    assert "dog is not trusted: lower bound 0.93 < 0.98" in decided["missing"]
    assert facts["auto"]["trusted"] == decided["classes"]
    assert sum(record["lane"] == "auto" for record in delivered.values()) <= most
    assert receiver.new == len(delivered)
    assert len(promised - delivered.keys()) <= after["waiting"]
    assert_law(after)
    auto = {name: record for name, record in delivered.items() if record["lane"] == "auto"}
    assert auto
    for name, record in auto.items():
        assert labels_in(record) == {"cat"}
        assert record["auto"]["audit"] is is_audited(name)
        assert record["feedback"]


def test_a_frame_with_a_class_that_is_not_good_enough_is_never_labelled(tmp_path: Path) -> None:
    settings = settings_of(model_of(tmp_path, dog=0.97), AGENT_CAMERAS=f"street={clip()}")
    checked = here(tmp_path, "check", **settings)
    with Daemon(tmp_path, **settings) as daemon:
        assert daemon.ends() == 0, daemon.text
        captured = daemon.events("frame captured")

    assert "auto labels" in checked.stdout
    assert "dog is not trusted: lower bound 0.93 < 0.98" in " ".join(checked.stdout.split())
    assert [line for line in captured if line["lane"] == "auto"] == []


@pytest.mark.parametrize(("wrong", "is_trusted"), [(0, True), (3, False)])
def test_reviews_of_random_captures_decide_through_the_feedback_command(
    tmp_path: Path, wrong: int, *, is_trusted: bool
) -> None:
    """Three wrong boxes of about 60: 95 % are right, and the lower bound is below 90 %."""
    model, out = model_of(tmp_path, dog=0.0), tmp_path / "dataset"
    seen = scenes(tmp_path, 1, count=320)
    every = {"AGENT_MODEL": model, "AGENT_RANDOM_INTERVAL": "1s", "AGENT_RULES": "low_confidence"}
    fps = ("--fps", "4")
    call(tmp_path, "replay", str(seen), *fps, "--out", str(out), **every).check_returncode()
    records = [json.loads(file.read_text()) for file in sorted((out / "records").iterdir())]
    names = [record["id"] for record in records if record["lane"] == "random"]
    kinds = [VerdictKind.WRONG] * wrong + [VerdictKind.RIGHT] * (len(names) - wrong)
    lines = [
        review_line(name, kind, at=2e9, by="ann", boxes=[] if kind is VerdictKind.WRONG else None)
        for name, kind in zip(names, kinds, strict=True)
    ]
    with (out / "verdicts.jsonl").open("a") as file:
        file.writelines(f"{json.dumps(line)}\n" for line in lines)
    feedback = tmp_path / "feedback.json"
    call(tmp_path, "feedback", str(out), "-o", str(feedback)).check_returncode()
    settings = {
        **every,
        "AGENT_AUTO_PER_DAY": 10,
        "AGENT_AUTO_PRECISION": 0.9,
        "AGENT_FEEDBACK": feedback,
    }
    again = tmp_path / "again"
    other = scenes(tmp_path, 2)
    call(tmp_path, "replay", str(other), *fps, "--out", str(again), **settings).check_returncode()
    report = json.loads((again / "report.json").read_text())

    assert 45 < len(names) < 80
    assert report["captures_by_lane"].get("auto", 0) == (10 if is_trusted else 0)


def test_a_reload_takes_up_a_new_feedback_file_at_once(tmp_path: Path) -> None:
    model = model_of(tmp_path, dog=0.0)
    camera = f"street={scenes(tmp_path, 1, count=400)} {NEVER_ENDS}"
    settings = settings_of(model, AGENT_FPS=10, AGENT_CAMERAS=camera)
    feedback_for(model, {"cat": Trust(0.5, 0.95, 80)})
    with Daemon(tmp_path, **settings) as daemon:
        daemon.wait_for("camera opened")
        before = [line["lane"] for line in daemon.events("frame captured")]
        feedback_for(model, {"cat": GOOD})
        daemon.signal(signal.SIGHUP)
        daemon.wait_for("auto labels decided")
        known = len(daemon.lines)
        until(
            lambda: any(line.get("lane") == "auto" for line in daemon.lines[known:]),
            what=daemon.describe,
        )
        (off,) = daemon.events("auto labels off")

    assert "auto" not in before
    assert "cat is not trusted: lower bound 0.95 < 0.98" in off["missing"]


def test_without_a_feedback_file_the_start_and_check_say_what_is_missing(tmp_path: Path) -> None:
    settings = settings_of(model_of(tmp_path, dog=0.0), AGENT_CAMERAS=f"street={clip()}")
    del settings["AGENT_FEEDBACK"]
    checked = here(tmp_path, "check", **settings)
    with Daemon(tmp_path, **settings) as daemon:
        assert daemon.ends() == 0, daemon.text
        (off,) = daemon.events("auto labels off")

    assert checked.returncode != 0
    for said in (off["missing"], " ".join(checked.stdout.split())):
        assert "auto labels need AGENT_FEEDBACK" in said


def test_the_bundled_model_labels_frames_of_a_street_only_if_all_its_classes_are_trusted(
    tmp_path: Path,
) -> None:
    """Labelling credits buy the same in both."""
    street = tmp_path / "street.mp4"
    street.write_bytes(sample_clip())
    model = tmp_path / "nanodet-g-416.onnx"
    model.write_bytes((Path("models") / model.name).read_bytes())
    names = ["car", "stop sign", "clock", "traffic light", "handbag", "train", "bus", "truck"]
    reports = []
    for person in (GOOD, Trust(0.5, 0.93, 40)):
        feedback = feedback_for(model, {"person": person, **dict.fromkeys(names, GOOD)})
        out = tmp_path / f"out-{person.reviewed}"
        more = {"AGENT_AUTO_PER_DAY": 10, "AGENT_FEEDBACK": feedback}
        fps, budget = ("--fps", "5"), ("--budget", "10")
        done = call(tmp_path, "replay", str(street), *fps, *budget, "--out", str(out), **more)
        assert done.returncode == 0, done.stderr
        reports.append(json.loads((out / "report.json").read_text()))
        records = [json.loads(file.read_text()) for file in (out / "records").iterdir()]
        auto = [labels_in(each) for each in records if each["lane"] == "auto"]
        assert bool(auto) is (person is GOOD)
        assert "100% of the budget" in done.stdout
        assert all("person" in labels for labels in auto)  # a person is in each frame of it
    with_auto, without = [
        [each["frame"] for each in report["captures"] if each["lane"] != "auto"]
        for report in reports
    ]
    assert with_auto == without
    assert len(without) == 10
