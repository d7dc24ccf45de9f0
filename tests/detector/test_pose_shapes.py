"""The number of keypoints of a pose model: from its metadata, or from its shapes and labels."""

from pathlib import Path

import numpy as np
import pytest

from agent.detector.detector import load_detector
from agent.errors import ModelUnusable
from tests.detector.planted_families import (
    FAMILIES,
    LABELS,
    Outputs,
    Planted,
    constant_output_model,
)

OBJECTS = [Planted((20, 30, 60, 70), 1, 0.75), Planted((70, 24, 90, 80), 0, 0.5)]
NAMES = "{0: 'ant', 1: 'bee', 2: 'cat'}"


def pose_model(folder: Path, title: str, metadata: dict[str, str]) -> Path:
    """Write a pose model with 4 keypoints."""
    outputs = FAMILIES[title].plant(OBJECTS)
    return constant_output_model(folder / "model.onnx", outputs, metadata=metadata)


@pytest.mark.parametrize("task", [{}, {"task": "pose"}], ids=["no task", "task"])
@pytest.mark.parametrize("title", ["pose", "pose without visibility", "pose after NMS"])
def test_the_labels_tell_the_number_of_keypoints(
    title: str, task: dict[str, str], tmp_path: Path
) -> None:
    """12 numbers could be 4 keypoints of 3 or 6 of 2: visibilities are never above 1."""
    detector = load_detector(pose_model(tmp_path, title, task), labels=LABELS)

    assert detector.info.keypoint_count == 4
    assert detector.decided.startswith(f"{FAMILIES[title].name}: ")


@pytest.mark.parametrize("name", ["auto", "ultralytics-pose"])
def test_a_pose_model_without_its_number_of_keypoints_is_refused(name: str, tmp_path: Path) -> None:
    path = pose_model(tmp_path, "pose", {"task": "pose"})

    with pytest.raises(ModelUnusable) as refused:
        load_detector(path, model_format=name)

    error = str(refused.value)
    assert "a pose model without its number of keypoints: its metadata has no `kpt_shape`" in error
    assert "export it again" in error
    assert "AGENT_MODEL_LABELS" in error


@pytest.mark.parametrize(
    ("title", "labels", "advice"),
    [
        ("pose", "auto", "or name its labels in AGENT_MODEL_LABELS"),
        ("pose", "ant bee", "19 rows and 2 labels leave 13 numbers"),
        ("detects nothing", LABELS, "could be 6 of 2 numbers or 4 of 3 numbers"),
    ],
)
def test_a_pose_model_without_any_metadata_is_refused_with_its_way_out(
    title: str, labels: str, advice: str, tmp_path: Path
) -> None:
    nothing: Outputs = {"output0": np.zeros((1, 300, 18), np.float32)}
    outputs = FAMILIES[title].plant(OBJECTS) if title in FAMILIES else nothing
    path = constant_output_model(tmp_path / "model.onnx", outputs, metadata={})

    with pytest.raises(ModelUnusable, match="no format recognises its outputs") as refused:
        load_detector(path, labels=labels)

    error = str(refused.value)
    assert "perhaps a pose model without its number of keypoints: its metadata has no" in error
    assert advice in error


@pytest.mark.parametrize(
    ("title", "labels", "words"),
    [
        ("pose", "ant bee", "19 rows and 2 labels leave 13 numbers .* fit no number of them"),
        ("pose", " ".join(f"class{n}" for n in range(20)), "fit no number of them"),
    ],
)
def test_labels_that_leave_no_number_of_keypoints_are_refused(
    title: str, labels: str, words: str, tmp_path: Path
) -> None:
    path = pose_model(tmp_path, title, {"task": "pose"})

    with pytest.raises(ModelUnusable, match=words):
        load_detector(path, labels=labels)


@pytest.mark.parametrize(
    ("title", "metadata", "words"),
    [
        ("pose", {"kpt_shape": "[17, 3]"}, r"4 \+ 3 \+ 51 rows, but it is \[1, 19, 315\]"),
        ("pose", {"kpt_shape": "[3, 3]"}, r"4 \+ 3 \+ 9 rows, but it is \[1, 19, 315\]"),
        ("pose after NMS", {"kpt_shape": "[17, 3]"}, r"6 \+ 51 columns, .* \[1, 300, 18\]"),
        ("pose", {"kpt_shape": "[4, 5]"}, r"must be the number of keypoints and 2 or 3.* \[4, 5\]"),
        ("pose", {"kpt_shape": "[0, 3]"}, "must be the number of keypoints"),
        ("pose", {"kpt_shape": "[9999, 3]"}, "must be the number of keypoints"),
        ("pose", {"kpt_shape": "none"}, "must be the number of keypoints"),
        ("segment", {"kpt_shape": "[4, 3]"}, "no format of this task fits"),
    ],
)
def test_metadata_that_contradicts_the_outputs_is_refused(
    title: str, metadata: dict[str, str], words: str, tmp_path: Path
) -> None:
    path = pose_model(tmp_path, title, {"task": "pose", "names": NAMES} | metadata)

    with pytest.raises(ModelUnusable, match=words):
        load_detector(path)


@pytest.mark.parametrize(
    ("task", "title"),
    [("segment", "pose"), ("segment", "v10"), ("obb", "segment"), ("pose", "v10")],
)
def test_a_task_without_its_outputs_is_refused(task: str, title: str, tmp_path: Path) -> None:
    """Masks without prototypes, for example, after another tool has changed the file."""
    path = constant_output_model(
        tmp_path / "model.onnx",
        FAMILIES[title].plant(OBJECTS),
        metadata={"task": task, "names": NAMES},
    )

    with pytest.raises(ModelUnusable, match=f"`task: {task}`, but no format of this task fits: "):
        load_detector(path)


def test_a_trial_run_that_detects_nothing_cannot_tell_2_numbers_from_3(tmp_path: Path) -> None:
    outputs: Outputs = {"output0": np.zeros((1, 300, 18), np.float32)}
    path = constant_output_model(tmp_path / "model.onnx", outputs, metadata={"task": "pose"})

    with pytest.raises(ModelUnusable, match="could be 6 of 2 numbers or 4 of 3 numbers"):
        load_detector(path, labels=LABELS)
