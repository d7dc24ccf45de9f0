"""Models of other kinds than the bundled one, through the real command line."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.detector.planted_families import FAMILIES, Planted, constant_output_model, family_model
from tests.detector.planted_models import METADATA, failing_model, planted_rows
from tests.end_to_end.command import NEVER_ENDS, Daemon, call, clip, here, status, until
from tests.end_to_end.endpoint import LocalEndpoint

UNSURE = np.log(np.array([[0.35, 0.4, 0.25]], np.float32))
LABELS = "ant bee cat"


def test_a_classifier_s_records_carry_classes_and_are_delivered(
    tmp_path: Path, endpoint: Callable[..., LocalEndpoint]
) -> None:
    model = constant_output_model(tmp_path / "kinds.onnx", {"logits": UNSURE})
    settings = {
        "AGENT_CAMERAS": f"street={clip()}",
        "AGENT_FPS": 0,
        "AGENT_MODEL": model,
        "AGENT_MODEL_LABELS": LABELS,
        "AGENT_EVERY_NTH_FRAME": 50,
    }
    with Daemon(tmp_path, **settings) as daemon:
        assert daemon.ends() == 0, daemon.text
        [left_out] = daemon.events("rules disabled")
    server = endpoint()
    flushed = call(tmp_path, "flush", **settings, AGENT_UPLOAD_URL=server.url)
    assert flushed.returncode == 0, flushed.stderr

    records = list(server.records.values())
    rules = {rule["name"] for record in records for rule in record["rules"]}
    assert "flicker" in left_out["rules"]
    assert "low_margin" not in left_out["rules"]
    assert {"low_confidence", "low_margin"} <= rules
    for record in records:
        assert "detections" not in record
        assert record["model"]["task"] == "classify"
        assert [each["label"] for each in record["classes"]] == ["bee", "ant", "cat"]
        assert record["classes"][0] == {"label": "bee", "class_id": 1, "confidence": 0.4}


def test_an_output_that_is_none_is_a_suspect(
    tmp_path: Path, endpoint: Callable[..., LocalEndpoint]
) -> None:
    broken = {"output0": np.full((1, 7, 315), np.nan, np.float32)}
    settings = {
        "AGENT_CAMERAS": f"street={clip()}",
        "AGENT_FPS": 0,
        "AGENT_MODEL": constant_output_model(tmp_path / "broken.onnx", broken),
        "AGENT_MODEL_LABELS": LABELS,
    }
    with Daemon(tmp_path, **settings) as daemon:
        assert daemon.ends() == 0, daemon.text
    server = endpoint()
    call(tmp_path, "flush", **settings, AGENT_UPLOAD_URL=server.url)

    records = list(server.records.values())
    invalid = [r for r in records if "invalid_output" in {rule["name"] for rule in r["rules"]}]
    assert invalid
    assert max(record["value"] for record in invalid) >= 0.5
    assert {s["p"] for r in invalid for s in r["suspects"] if s["rule"] == "invalid_output"} == {
        0.5
    }
    assert all(record["detections"] == [] for record in records)


def test_frames_on_which_the_model_fails_are_captured_and_the_daemon_goes_on(
    tmp_path: Path, endpoint: Callable[..., LocalEndpoint]
) -> None:
    rows = planted_rows([(10, 10, 20, 20)], [[0.9, 0.1, 0.1]])
    model = failing_model(tmp_path / "some.onnx", rows, metadata=METADATA)
    settings = {
        "AGENT_CAMERAS": f"street={clip()} yard={clip()}",
        "AGENT_FPS": 0,
        "AGENT_MODEL": model,
        "AGENT_INFERENCE_WORKERS": 2,
    }
    with Daemon(tmp_path, **settings) as daemon:
        assert daemon.ends() == 0, daemon.text
    server = endpoint()
    flushed = call(tmp_path, "flush", **settings, AGENT_UPLOAD_URL=server.url)

    [failed] = daemon.events("model run failed")
    assert failed["level"] == "warning"
    assert failed["camera"] in {"street", "yard"}
    assert "Gather" in failed["error"]
    assert flushed.returncode == 0, flushed.stderr
    rules = [{rule["name"] for rule in r["rules"]} for r in server.records.values()]
    assert any("invalid_output" in names for names in rules)
    assert "Traceback" not in daemon.text
    assert "onnxruntime:" not in daemon.text  # its own lines do not reach the log


def test_a_new_model_is_taken_up_and_a_broken_one_is_not(tmp_path: Path) -> None:
    objects = [Planted((20, 30, 60, 70), 1, 0.75)]
    path = family_model(tmp_path / "model.onnx", FAMILIES["ultralytics"], objects)
    settings = {
        "AGENT_CAMERAS": f"street={clip()} {NEVER_ENDS}",
        "AGENT_FPS": 2,
        "AGENT_MODEL": path,
        "AGENT_MODEL_LABELS": LABELS,
    }
    with Daemon(tmp_path, **settings) as daemon:
        daemon.wait_for("camera opened")
        (tmp_path / "text").write_text("<html>")
        (tmp_path / "text").rename(path)
        daemon.signal(signal.SIGHUP)
        daemon.wait_for("model reload failed")
        family_model(tmp_path / "new", FAMILIES["rtdetr"], objects).rename(path)
        daemon.signal(signal.SIGHUP)
        daemon.wait_for("model changed")
        daemon.signal(signal.SIGHUP)
        daemon.wait_for("model unchanged")
        daemon.signal(signal.SIGTERM)
        assert daemon.ends() == 0, daemon.text

    [kept], [changed] = daemon.events("model reload failed"), daemon.events("model changed")
    assert "cannot load the model" in kept["error"]
    assert changed["before"] == kept["sha256"]


@pytest.mark.slow
def test_a_restart_with_a_bad_new_file_runs_the_known_good_model(tmp_path: Path) -> None:
    objects = [Planted((20, 30, 60, 70), 1, 0.75)]
    path = family_model(tmp_path / "street.onnx", FAMILIES["ultralytics"], objects)
    settings = {
        "AGENT_CAMERAS": f"street={clip()} {NEVER_ENDS}",
        "AGENT_FPS": 2,
        "AGENT_MODEL": path,
        "AGENT_MODEL_LABELS": LABELS,
        "AGENT_EVERY_NTH_FRAME": 1,
    }
    with Daemon(tmp_path, **settings) as daemon:
        [good] = [daemon.wait_for("model loaded")]
        until(lambda: [*tmp_path.glob("models/spool-*/known-good.json")], what=daemon.describe)
        daemon.signal(signal.SIGTERM)
        assert daemon.ends() == 0, daemon.text
    (tmp_path / "text").write_text("<html>")
    (tmp_path / "text").rename(path)

    planted = tmp_path / "agent"  # in the working directory of the daemon
    planted.mkdir()
    (planted / "__init__.py").write_text(f"open({str(tmp_path / 'planted ran')!r}, 'w')")
    checked = call(tmp_path, "check", **settings)
    with Daemon(tmp_path, **settings) as daemon:
        daemon.wait_for("capture stored")
        until(lambda: status(tmp_path)["model_error"], what=daemon.describe)
        told, shown = status(tmp_path), call(tmp_path, "status").stdout
        family_model(tmp_path / "new", FAMILIES["rtdetr"], objects).rename(path)
        daemon.signal(signal.SIGHUP)
        daemon.wait_for("model changed")
        until(lambda: status(tmp_path)["model_error"] is None, what=daemon.describe)
        daemon.signal(signal.SIGTERM)
        assert daemon.ends() == 0, daemon.text

    [kept], [loaded] = daemon.events("model reload failed"), daemon.events("model loaded")
    assert kept["level"] == "error"
    assert kept["model"] == loaded["model"] == told["model"] == "street"
    assert kept["sha256"] == loaded["sha256"] == good["sha256"]
    assert "cannot load the model" in kept["error"]
    assert "cannot load the model" in told["model_error"]
    used = f"street ({good['sha256']}), the known-good model: cannot load the model"
    assert used in " ".join(shown.split())
    assert not (tmp_path / "planted ran").exists()
    assert checked.returncode == 78
    assert "`run` uses the known-good model, street" in checked.stdout.replace("\n", " ")


def test_a_first_start_with_a_bad_file_ends_with_its_cause(tmp_path: Path) -> None:
    (tmp_path / "street.onnx").write_text("<html>")
    settings = {"AGENT_CAMERAS": f"street={clip()}", "AGENT_MODEL": tmp_path / "street.onnx"}

    result = call(tmp_path, "run", **settings)

    assert result.returncode == 78
    assert "cannot load the model" in result.stderr
    assert "model reload failed" not in result.stderr


def test_check_tells_what_the_model_does_not_have(tmp_path: Path) -> None:
    rows = planted_rows([(10, 10, 20, 20)], [[0.9, 0.1, 0.1]])
    model = failing_model(tmp_path / "some.onnx", rows, metadata=METADATA)

    result = here(
        tmp_path,
        "check",
        "--json",
        AGENT_CAMERAS=f"street={clip()}",
        AGENT_MODEL=model,
        AGENT_THRESHOLDS="Cat=0.8 lorry=0.3 dog=0.4",
    )

    [line] = [each for each in json.loads(result.stdout)["checks"] if each["name"] == "model"]
    assert line["ok"], line
    assert "AGENT_THRESHOLDS: the model has no label Cat (did you mean cat?), lorry" in line["fact"]
    assert "its run fails on some images" in line["fact"]
    assert "Gather" in line["fact"]


def test_check_tells_the_model_its_task_and_where_its_nodes_run(tmp_path: Path) -> None:
    model = constant_output_model(tmp_path / "kinds.onnx", {"logits": UNSURE})

    result = here(
        tmp_path,
        "check",
        "--json",
        AGENT_CAMERAS=f"street={clip()}",
        AGENT_MODEL=model,
        AGENT_MODEL_LABELS=LABELS,
    )

    [line] = [each for each in json.loads(result.stdout)["checks"] if each["name"] == "model"]
    assert line["ok"], line
    assert "classifier-logits: one row of 3 numbers" in line["fact"]
    assert "classify, 3 labels, CPUExecutionProvider" in line["fact"]
