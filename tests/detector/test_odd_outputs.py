"""Any outputs of a model are decoded to valid detections or refused; nothing crashes."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from agent.detector.formats import FORMAT_NAMES, choose, formats
from agent.detector.formats.contract import AnyFormat, Metadata, ModelSignature, Tensor
from agent.detector.formats.geometry import rows_of
from agent.detector.letterbox import Size
from agent.detector.nms import non_maximum_suppression
from agent.domain import FloatArray, Task
from agent.errors import ConfigurationError
from tests.search import examples

SIZE = Size(64, 32)
CELLS = (32, 8, 2, 42, 126)
SIDES = st.sampled_from([1, 2, 3, 4, 5, 6, 7, 9, 44, 85, *CELLS])
SHAPES = st.lists(SIDES, min_size=0, max_size=4).map(tuple)
NAMES = st.sampled_from(["output0", "logits", "pred_boxes", "dets", "labels", "boxes", "scores"])
NUMBERS = st.one_of(
    st.floats(width=32), st.sampled_from([0.0, 1.0, 0.5, 3e38, -3e38, 1e30, 63.0, -1.0])
)


@st.composite
def models(draw: Any) -> ModelSignature:
    """Draw a model with up to six outputs, most with a batch axis, and any values."""
    count = draw(st.integers(1, 6))
    outputs, values = [], []
    for _ in range(count):
        shape = draw(SHAPES)
        if draw(st.booleans()):
            shape = (1, *shape[:2])
        kind = draw(st.sampled_from(["float32", "float32", "int64"]))
        outputs.append(Tensor(draw(NAMES), shape, kind))
        elements = draw(arrays.arrays(np.float32, 16, elements=NUMBERS))
        values.append(np.resize(elements, shape).astype(np.float32))
    image = Tensor("images", (1, 3, SIZE.height, SIZE.width), "float32")
    metadata = draw(st.sampled_from([Metadata(), Metadata(("a", "b"), task="detect")]))
    return ModelSignature(image, tuple(outputs), SIZE, metadata, tuple(values), draw(st.booleans()))


def check(known: AnyFormat, outputs: list[FloatArray]) -> None:
    """Check that the results are valid, or NaN for a classifier."""
    if known.task is Task.CLASSIFY:
        probabilities = known.probabilities(outputs)
        assert (
            np.isnan(probabilities).any() or ((probabilities >= 0) & (probabilities <= 1.03)).all()
        )
        return
    raw = non_maximum_suppression(known.decode(outputs, size=SIZE, floor=0.05), iou=known.nms_iou)
    assert np.isfinite(raw.boxes).all()
    assert (raw.boxes[:, 2:] > raw.boxes[:, :2]).all()
    assert ((raw.confidences >= 0.049) & (raw.confidences <= 1)).all()
    assert (raw.class_ids >= 0).all()


@settings(max_examples=examples(150), deadline=None)
@given(models())
def test_any_model_is_decoded_or_refused_by_auto(model: ModelSignature) -> None:
    try:
        choice = choose("auto", model)
    except ConfigurationError:
        return
    layout = choice.format.layout(model)
    check(choice.format, [model.values[index] for index in layout.outputs])


@settings(max_examples=examples(150), deadline=None)
@given(models(), st.sampled_from(sorted(FORMAT_NAMES)))
def test_any_model_is_decoded_or_refused_by_a_named_format(
    model: ModelSignature, name: str
) -> None:
    known = formats()[name]
    try:
        layout = known.layout(model)
    except ConfigurationError:
        return
    check(known, [model.values[index] for index in layout.outputs])


@pytest.mark.parametrize("shape", [(1, 6, 5), (5, 12), (1, 30, 1), (36,)])
def test_an_output_whose_columns_changed_is_not_read_as_other_numbers(
    shape: tuple[int, ...],
) -> None:
    with pytest.raises(ValueError, match=r"not \[n, 6\]"):
        rows_of(np.zeros(shape, np.float32), 6)


@pytest.mark.parametrize("shape", [(1, 0, 6), (0,), (0, 5), (1, 1, 6), (2, 6)])
def test_rows_and_none_are_read(shape: tuple[int, ...]) -> None:
    assert rows_of(np.zeros(shape, np.float32), 6).shape[1] == 6
