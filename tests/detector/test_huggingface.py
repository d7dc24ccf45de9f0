"""A model folder from the exporters of the Hugging Face hub works unchanged."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent.detector.detector import load_detector
from agent.detector.formats.contract import ChannelOrder
from agent.detector.model_file.huggingface import hub_input, hub_labels
from agent.errors import ModelUnusable
from tests.detector.planted_families import FAMILIES, Planted, family_model

OBJECTS = [Planted((20, 30, 60, 70), 1, 0.75)]
NORMALIZED: dict[str, Any] = {
    "do_rescale": True,
    "rescale_factor": 0.00392156862745098,
    "do_normalize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.25, 0.125],
}


def test_labels_and_preprocessing_come_from_the_files_beside_the_model(tmp_path: Path) -> None:
    path = family_model(tmp_path / "model.onnx", FAMILIES["rtdetr"], OBJECTS)
    labels = {"id2label": {"0": "ant", "2": "cat", "1": "bee"}}
    (tmp_path / "config.json").write_text(json.dumps(labels))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(NORMALIZED))

    detector = load_detector(path)

    assert detector.info.labels == ("ant", "bee", "cat")
    assert detector.preprocessing.mean == pytest.approx((127.5,) * 3)
    assert detector.preprocessing.std == pytest.approx((127.5, 63.75, 31.875))
    assert detector.preprocessing.channel_order is ChannelOrder.RGB


@pytest.mark.parametrize(
    ("changed", "mean", "std", "keep"),
    [
        ({"do_normalize": False}, (0.0,) * 3, (1.0,) * 3, None),
        (
            {"do_center_crop": True, "size": {"shortest_edge": 256}, "crop_size": {"height": 224}},
            (0.5,) * 3,
            (0.5, 0.25, 0.125),
            0.875,
        ),
        ({"do_center_crop": True, "size": {"height": 9}}, (0.5,) * 3, (0.5, 0.25, 0.125), None),
    ],
)
def test_disabled_normalization_and_a_centre_crop_are_read(
    changed: dict[str, Any], mean: Any, std: Any, keep: float | None, tmp_path: Path
) -> None:
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(NORMALIZED | changed))

    words = hub_input(tmp_path / "model.onnx")

    assert words is not None
    assert (words.mean, words.std, words.keep) == (mean, std, keep)
    assert words.scale == pytest.approx(255)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"id2label": {"1": "a"}}',
        '{"id2label": {"0": 5}}',
        '{"id2label": {}}',
        '{"id2label": []}',
    ],
)
def test_labels_that_cannot_be_understood_are_ignored(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text)

    assert hub_labels(tmp_path / "model.onnx") is None


def test_a_file_without_preprocessing_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "preprocessor_config.json").write_text('{"size": {"height": 640}}')

    assert hub_input(tmp_path / "model.onnx") is None
    assert hub_input(tmp_path / "elsewhere" / "model.onnx") is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"{", "not valid JSON"),
        (b"", "not valid JSON"),
        (b"[" * 5000, "nested|recursion"),
        (b"[]", "not a JSON object"),
        (b"\xff\xfe", "not UTF-8"),
        (b'{"do_normalize": true}', "`image_mean` and `image_std`"),
        (b'{"image_mean": [1, 2], "image_std": [1, 1, 1]}', "three numbers each"),
        (b'{"image_mean": [1, 2, 3], "image_std": [0, 1, 1]}', "at least 1e-06"),
        (b'{"image_mean": [1e400, 1, 1], "image_std": [1, 1, 1]}', "three numbers"),
        (b'{"image_mean": [NaN, 1, 1], "image_std": [1, 1, 1]}', "three numbers"),
        (b'{"image_mean": [1%s, 1, 1], "image_std": [1, 1, 1]}' % (b"0" * 400), "three numbers"),
        (b'{"do_rescale": true, "rescale_factor": 0}', "`rescale_factor`"),
        (b'{"do_rescale": true, "rescale_factor": 1%s}' % (b"0" * 5000), "digits|rescale"),
    ],
    ids=lambda value: value[:30] if isinstance(value, bytes) else None,
)
def test_a_preprocessing_that_cannot_be_used_is_an_error(
    text: bytes, why: str, tmp_path: Path
) -> None:
    (tmp_path / "preprocessor_config.json").write_bytes(text)

    with pytest.raises(ModelUnusable, match=why) as raised:
        hub_input(tmp_path / "model.onnx")
    assert "preprocessor_config.json" in str(raised.value)
    assert "copy it again" in str(raised.value)


@pytest.mark.parametrize("label", ["ca\\ud800t", "a\\u001b[2J", "", "x" * 500])
def test_labels_that_no_record_can_hold_are_ignored(label: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(f'{{"id2label": {{"0": "{label}"}}}}')

    assert hub_labels(tmp_path / "model.onnx") is None
