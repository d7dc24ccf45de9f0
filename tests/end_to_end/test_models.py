"""Models of other kinds than the bundled one, through the real command line."""

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from command import Daemon, call, clip
from far_side import FarSide

sys.path.append(str(Path(__file__).parents[1] / "detector"))

from planted_families import FAMILIES, Planted, answering_model, family_model

UNSURE = np.log(np.array([[0.35, 0.4, 0.25]], np.float32))
LABELS = "ant bee cat"


def test_a_classifier_s_records_carry_classes_and_are_delivered(
    tmp_path: Path, far_side: Callable[..., FarSide]
) -> None:
    model = answering_model(tmp_path / "kinds.onnx", {"logits": UNSURE})
    settings = {
        "AGENT_CAMERAS": f"street={clip()}",
        "AGENT_FPS": 0,
        "AGENT_MODEL": model,
        "AGENT_MODEL_LABELS": LABELS,
        "AGENT_EVERY_NTH_FRAME": 50,
    }
    with Daemon(tmp_path, **settings) as daemon:
        assert daemon.ends() == 0, daemon.text
        [left_out] = daemon.events("rules left out")
    far = far_side()
    flushed = call(tmp_path, "flush", **settings, AGENT_UPLOAD_URL=far.url)
    assert flushed.returncode == 0, flushed.stderr

    records = list(far.records.values())
    rules = {rule["name"] for record in records for rule in record["rules"]}
    assert "flicker" in left_out["rules"]
    assert "low_margin" not in left_out["rules"]
    assert {"low_confidence", "low_margin"} <= rules
    for record in records:
        assert "detections" not in record
        assert record["model"]["task"] == "classify"
        assert [each["label"] for each in record["classes"]] == ["bee", "ant", "cat"]
        assert record["classes"][0] == {"label": "bee", "class_id": 1, "confidence": 0.4}


def test_an_output_that_is_none_is_captured_at_full_value(
    tmp_path: Path, far_side: Callable[..., FarSide]
) -> None:
    broken = {"output0": np.full((1, 7, 315), np.nan, np.float32)}
    settings = {
        "AGENT_CAMERAS": f"street={clip()}",
        "AGENT_FPS": 0,
        "AGENT_MODEL": answering_model(tmp_path / "broken.onnx", broken),
        "AGENT_MODEL_LABELS": LABELS,
    }
    with Daemon(tmp_path, **settings) as daemon:
        assert daemon.ends() == 0, daemon.text
    far = far_side()
    call(tmp_path, "flush", **settings, AGENT_UPLOAD_URL=far.url)

    records = list(far.records.values())
    invalid = [r for r in records if "invalid_output" in {rule["name"] for rule in r["rules"]}]
    assert invalid
    assert {record["value"] for record in invalid} == {1.0}
    assert all(record["detections"] == [] for record in records)


def test_a_new_model_is_taken_up_and_a_broken_one_is_not(tmp_path: Path) -> None:
    objects = [Planted((20, 30, 60, 70), 1, 0.75)]
    path = family_model(tmp_path / "model.onnx", FAMILIES["ultralytics"], objects)
    settings = {
        "AGENT_CAMERAS": f"street={clip()}",
        "AGENT_FPS": 2,
        "AGENT_MODEL": path,
        "AGENT_MODEL_LABELS": LABELS,
    }
    with Daemon(tmp_path, **settings) as daemon:
        daemon.wait_for("camera opened")
        (tmp_path / "text").write_text("<html>")
        (tmp_path / "text").rename(path)
        daemon.signal(signal.SIGHUP)
        daemon.wait_for("model kept")
        family_model(tmp_path / "new", FAMILIES["rtdetr"], objects).rename(path)
        daemon.signal(signal.SIGHUP)
        daemon.wait_for("model changed")
        daemon.signal(signal.SIGTERM)
        assert daemon.ends() == 0, daemon.text

    [kept], [changed] = daemon.events("model kept"), daemon.events("model changed")
    assert "cannot load the model" in kept["error"]
    assert changed["before"] == kept["sha256"]


def test_check_tells_the_model_its_task_and_where_its_nodes_run(tmp_path: Path) -> None:
    model = answering_model(tmp_path / "kinds.onnx", {"logits": UNSURE})

    answer = call(
        tmp_path,
        "check",
        "--json",
        AGENT_CAMERAS=f"street={clip()}",
        AGENT_MODEL=model,
        AGENT_MODEL_LABELS=LABELS,
    )

    [line] = [each for each in json.loads(answer.stdout)["checks"] if each["name"] == "model"]
    assert line["ok"], line
    assert "classifier-logits: one row of 3 numbers" in line["fact"]
    assert "classify, 3 labels, CPUExecutionProvider" in line["fact"]
