"""Models that classify a whole image."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.detector.detector import load_detector
from agent.detector.preprocessing import centre_crop
from agent.domain import Task
from tests.detector.planted_families import constant_output_model

FRAME = np.full((90, 160, 3), 120, np.uint8)
LABELS = "ant bee cat dog elk fox"
LOGITS = np.log(np.array([[0.05, 0.4, 0.1, 0.2, 0.01, 0.24]], np.float32))
METADATA = {
    "task": "classify",
    "names": "['ant','bee','cat','dog','elk','fox']",
    "imgsz": "[64, 64]",
}


@pytest.mark.parametrize(
    ("output", "metadata", "known_as"),
    [
        (LOGITS, None, "classifier-logits"),
        (LOGITS + 7, None, "classifier-logits"),
        (LOGITS[:, :, None, None], None, "classifier-logits"),
        (np.exp(LOGITS), None, "classifier-probabilities"),
        (np.exp(LOGITS), METADATA, "ultralytics-classify"),
    ],
    ids=["logits", "shifted", "four axes", "probabilities", "ultralytics"],
)
@pytest.mark.parametrize("kind", ["float32", "float16"])
def test_the_best_five_classes_come_best_first(
    output: np.ndarray, metadata: dict[str, str] | None, known_as: str, kind: str, tmp_path: Path
) -> None:
    path = constant_output_model(tmp_path / "a.onnx", {"out": output}, kind=kind, metadata=metadata)
    detector = load_detector(path, labels="auto" if metadata else LABELS)

    prediction = detector.detect(FRAME)

    assert detector.decided.startswith(f"{known_as}: ")
    assert detector.info.task is Task.CLASSIFY
    assert [each.label for each in prediction.classes] == ["bee", "fox", "dog", "cat", "ant"]
    assert [each.class_id for each in prediction.classes] == [1, 5, 3, 2, 0]
    assert prediction.classes[0].confidence == pytest.approx(0.4, abs=2e-3)
    assert (prediction.detections, prediction.invalid) == ((), False)
    assert {type(each.confidence) for each in prediction.classes} == {float}


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["classifier-logits", "classifier-probabilities"])
def test_a_nan_or_infinite_output_gives_an_invalid_prediction(
    name: str, bad: float, tmp_path: Path
) -> None:
    output = np.full((1, 6), bad, np.float32)
    path = constant_output_model(tmp_path / "a.onnx", {"out": output})

    prediction = load_detector(path, model_format=name, labels=LABELS).detect(FRAME)

    assert (prediction.classes, prediction.invalid) == ((), True)


def test_probabilities_that_do_not_add_up_to_one_are_invalid(tmp_path: Path) -> None:
    path = constant_output_model(tmp_path / "a.onnx", {"out": np.full((1, 6), 0.9, np.float32)})

    prediction = load_detector(path, model_format="classifier-probabilities", labels=LABELS).detect(
        FRAME
    )

    assert prediction.invalid


def test_a_background_class_before_those_of_imagenet_is_skipped(tmp_path: Path) -> None:
    output = np.zeros((1, 1001), np.float32)
    output[0, [0, 1, 5]] = [9, 8, 7]
    path = constant_output_model(tmp_path / "a.onnx", {"out": output})
    labels = ",".join(f"class {number}" for number in range(1000))

    prediction = load_detector(path, labels=labels).detect(FRAME)

    assert [each.label for each in prediction.classes[:2]] == ["class 0", "class 4"]
    assert len(prediction.classes) == 5


@given(
    st.integers(1, 3000),
    st.integers(1, 3000),
    st.integers(1, 700),
    st.integers(1, 700),
    st.sampled_from([0.5, 0.875, 1.0]),
)
def test_the_centre_crop_has_the_aspect_ratio_of_the_input(
    rows: int, columns: int, height: int, width: int, share: float
) -> None:
    frame = np.broadcast_to(np.zeros(3, np.uint8), (rows, columns, 3))

    kept_rows, kept_columns = centre_crop(frame, width=width, height=height, share=share).shape[:2]

    assert 1 <= kept_rows <= rows
    assert 1 <= kept_columns <= columns
    wanted = min(rows / height, columns / width) * share
    assert abs(kept_rows - max(1, height * wanted)) <= 0.51
    assert abs(kept_columns - max(1, width * wanted)) <= 0.51
