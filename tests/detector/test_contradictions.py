"""A format is used only if nothing in the numbers of the trial run contradicts it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from agent.detector.detector import load_detector
from agent.detector.formats import FORMAT_NAMES, choose, formats
from agent.detector.formats.class_ids import label_table
from agent.detector.formats.contract import Metadata, ModelSignature, Tensor
from agent.detector.letterbox import Letterbox, Padding, Size
from agent.detector.nms import non_maximum_suppression
from agent.domain import Task
from agent.errors import ConfigurationError, ModelUnusable
from tests.detector.planted_families import (
    FAMILIES,
    RECOGNISED,
    SIDES,
    Family,
    Outputs,
    Planted,
    constant_output_model,
)
from tests.search import examples

SIZE = Size(SIDES[1], SIDES[0])
OBJECTS = [
    Planted((20, 30, 60, 70), 1, 0.75),
    Planted((70, 24, 90, 80), 0, 0.5),
    Planted((100, 40, 140, 64), 2, 0.25),
]
LABELS = ("ant", "bee", "cat")


def signature(
    outputs_by_name: Outputs, metadata: Metadata | None = None, *, has_size_input: bool = False
) -> ModelSignature:
    """Return the signature of a model that had these outputs in its trial run."""
    outputs = tuple(
        Tensor(name, array.shape, "int64" if array.dtype.kind == "i" else "float32")
        for name, array in outputs_by_name.items()
    )
    values = tuple(np.asarray(array, np.float32) for array in outputs_by_name.values())
    image = Tensor("images", (1, 3, *SIDES), "float32")
    return ModelSignature(image, outputs, SIZE, metadata or Metadata(), values, has_size_input)


def error_of(name: str, model: ModelSignature) -> str:
    with pytest.raises(ConfigurationError) as caught:
        choose(name, model, labels=LABELS)
    return str(caught.value)


def probabilities(rows: int, classes: int = 4) -> NDArray[np.float32]:
    """Return `[1, rows, classes]` with the background first; each row adds up to 1."""
    table = np.full((rows, classes), 0.1 / (classes - 1), np.float32)
    table[:, 0] = 0.9
    return table[None]


def rows_of(*columns: float, count: int = 300) -> Outputs:
    return {"output0": np.tile(np.array(columns, np.float32), (count, 1))[None]}


SHARES = np.tile(np.array([0.5, 0.5, 0.2, 0.2], np.float32), (90, 1))[None]


@pytest.mark.parametrize(
    ("name", "outputs", "words"),
    [
        ("rtdetr", {"s": probabilities(90), "b": SHARES}, "add up to 1, so they are not logits"),
        ("detr", {"s": probabilities(90), "b": SHARES}, "add up to 1, so they are not logits"),
        ("rtdetr", {"s": probabilities(90) / 2, "b": SHARES}, "all between 0 and 1, so they are"),
        ("classifier-logits", {"s": probabilities(1)[0]}, "add up to 1, so they are not logits"),
        ("classifier-logits", {"s": np.linspace(0, 1, 30)[None]}, "between 0 and 1, so they are"),
        (
            "rtdetr",
            {"s": -probabilities(3000), "b": np.tile(SHARES[:, :1], (1, 3000, 1))},
            "3000 rows are not queries",
        ),
        ("rtdetr-joined", rows_of(*[0.5] * 7, count=8400), "at most 1000 queries"),
        ("rtdetr-joined", rows_of(0.5, 0.5, 0.1, 0.1, 0.6, 1), "last column has class ids"),
        (
            "rtdetr",
            {"s": np.full((1, 90, 3), 2.0), "b": SHARES * 0 + [0.5, 0.5, 1.0, 1.0]},
            "90 of 90 boxes would be as large as the image",
        ),
        ("rtdetr", {"s": np.full((1, 90, 3), -2.0), "b": SHARES * 200}, "outside of the image"),
        ("end2end", rows_of(0.2, 0.2, 0.4, 0.4, 0.9, 1), "smaller than 1.5 pixels"),
        ("end2end", rows_of(200, 200, 240, 240, 0.9, 1), "outside of the image"),
        ("end2end", rows_of(20, 20, 40, 40, 0.9, 3), "class id 3 would have no label of 3"),
        ("end2end", rows_of(20, 20, 40, 40, 0.9, 0.5), "class ids that are not whole"),
        ("end2end", rows_of(40, 40, 20, 20, 0.9, 1), "inverted boxes"),
        ("end2end", rows_of(20, 20, 40, 40, 7.0, 1), "confidences above 1"),
        ("end2end", rows_of(20, 20, 40, 40, -7.0, 1), "confidences would be below 0"),
        ("end2end", rows_of(0, 0, 160, 96, 0.9, 1), "300 of 300 boxes would be as large"),
    ],
)
def test_a_named_format_is_refused_if_the_trial_run_contradicts_it(
    name: str, outputs: Outputs, words: str
) -> None:
    assert words in error_of(name, signature(outputs))


def test_numbers_that_are_nan_or_infinite_contradict_nothing() -> None:
    """A damaged model runs if there is no other, and its frames are captured."""
    outputs = rows_of(np.nan, np.inf, np.nan, np.nan, np.nan, np.nan)

    assert choose("end2end", signature(outputs)).format.name == "end2end"


def test_a_few_inverted_boxes_of_background_contradict_nothing() -> None:
    """YOLO26 regresses the sides of a box directly: in empty places they may be negative."""
    rows = np.zeros((7, 315), np.float32)
    rows[:4] = np.array([[80], [48], [20], [20]])
    rows[4:] = 0.001
    rows[2, :50] = -3

    assert choose("auto", signature({"output0": rows[None]})).format.name == "ultralytics"

    rows[4, 0] = 0.3  # it would be shown
    assert "inverted boxes" in error_of("auto", signature({"output0": rows[None]}))


def test_auto_says_which_format_is_contradicted_and_does_not_offer_it() -> None:
    outputs = {"s": probabilities(90), "b": SHARES}

    error = error_of("auto", signature(outputs))

    assert "not rtdetr: its scores add up to 1" in error
    assert "could be" not in error


def unnamed_ssd(class_ids: list[int]) -> ModelSignature:
    """Return a model of final detections in normalized coordinates, without telling names."""
    count = len(class_ids)
    return signature(
        {
            "a": np.tile(np.array([0.1, 0.2, 0.3, 0.4], np.float32), (1, count, 1)),
            "b": np.array([class_ids]),
            "c": np.full((1, count), 0.9, np.float32),
        }
    )


@pytest.mark.parametrize(
    ("class_ids", "chosen"),
    [([0, 1], "custom-vision"), ([1, 3], "ssd")],
    ids=["a class id of 0", "as many as there are labels"],
)
def test_the_class_ids_of_the_trial_run_say_where_they_start(
    class_ids: list[int], chosen: str
) -> None:
    assert choose("auto", unnamed_ssd(class_ids), labels=LABELS).format.name == chosen


def unnamed_pixels(class_ids: list[int]) -> ModelSignature:
    """Return the same with boxes in pixels and without a batch axis."""
    count = len(class_ids)
    return signature(
        {
            "a": np.tile(np.array([10, 20, 30, 40], np.float32), (count, 1)),
            "b": np.array(class_ids, np.int64),
            "c": np.full(count, 0.9, np.float32),
        }
    )


@pytest.mark.parametrize(
    ("class_ids", "chosen"), [([0, 1], "yolo-nas-batched"), ([1, 3], "torchvision")]
)
def test_the_same_holds_for_boxes_in_pixels(class_ids: list[int], chosen: str) -> None:
    assert choose("auto", unnamed_pixels(class_ids), labels=LABELS).format.name == chosen


@pytest.mark.parametrize("class_ids", [[1, 2], []], ids=["both fit", "nothing detected"])
def test_boxes_in_pixels_whose_numbering_is_unknown_are_not_guessed(class_ids: list[int]) -> None:
    error = error_of("auto", unnamed_pixels(class_ids))

    assert "yolo-nas-batched" in error
    assert "torchvision" in error
    assert "fit its outputs; set AGENT_MODEL_FORMAT" in error


def test_an_ssd_with_its_channels_last_could_also_be_of_tensorflow() -> None:
    """Which has y before x."""
    model = unnamed_ssd([1, 2])
    last = replace(model, input=Tensor("images", (1, *SIDES, 3), "float32"))

    assert "tf-ssd and ssd and custom-vision fit" in error_of("auto", last)


def test_two_formats_that_fit_are_both_named_with_the_setting() -> None:
    error = error_of("auto", unnamed_ssd([1, 2]))

    assert error == "ssd and custom-vision fit its outputs; set AGENT_MODEL_FORMAT to the right one"


def test_detections_of_class_id_0_contradict_a_format_that_counts_from_1() -> None:
    assert "class id 0, which is the background" in error_of("ssd", unnamed_ssd([0, 1]))


@pytest.mark.parametrize("family", RECOGNISED.values(), ids=RECOGNISED)
def test_exactly_one_format_fits_each_family(family: Family) -> None:
    """Also without labels, unless only they tell; no format depends on the order of the others."""
    model = signature(
        family.plant(OBJECTS),
        Metadata(entries=family.metadata),
        has_size_input=family.has_size_input,
    )
    if family.has_size_input:
        model.values[1][:] *= [SIZE.width, SIZE.height] * 2

    assert choose("auto", model).format.name == family.name


@pytest.mark.parametrize("task", ["semantic", "depth", "<b>track</b>"])
@pytest.mark.parametrize("name", ["auto", "ultralytics", "ultralytics-segment", "end2end"])
def test_another_task_is_refused_by_its_name(name: str, task: str) -> None:
    model = signature(
        {"output0": np.full((1, 56, 315), 0.5, np.float32)}, Metadata(("person",), task=task)
    )

    error = error_of(name, model)

    assert f"its metadata says `task: {task}`" in error
    assert "could be" not in error
    assert "yolov5" not in error


@pytest.mark.parametrize("task", ["segment", "pose", "obb", "classify"])
@pytest.mark.parametrize("name", ["ultralytics", "end2end", "yolov5", "torchvision"])
def test_a_format_of_another_task_is_refused(name: str, task: str) -> None:
    model = signature(
        {"output0": np.full((1, 56, 315), 0.5, np.float32)}, Metadata(("person",), task=task)
    )

    assert f"this model's task is {task}" in error_of(name, model)


@pytest.mark.parametrize("task", ["segment", "pose", "obb"])
def test_outputs_that_contradict_the_task_in_the_metadata_are_refused(task: str) -> None:
    """No detection format gets them: it would take something else for confidences."""
    model = signature({"output0": np.full((1, 5, 6, 7), 0.5)}, Metadata(LABELS, task=task))

    error = error_of("auto", model)

    assert f"its metadata says `task: {task}`, but no format of this task fits: " in error
    assert "ultralytics-" in error or "pose model" in error


def test_a_class_for_each_pixel_is_refused_without_metadata() -> None:
    maps = np.zeros((1, 19, *SIDES))

    assert "its only output is an image" in error_of("auto", signature({"output0": maps}))


def keypoints() -> Outputs:
    """Return a box, a confidence and 17 keypoints for each cell, as Ultralytics' pose models."""
    rows = np.zeros((56, 315), np.float32)
    rows[:4] = np.array([[80], [48], [20], [20]])
    rows[4] = 0.001
    rows[5::3], rows[6::3], rows[7::3] = 80, 48, 0.5
    return {"output0": rows[None]}


def rotated_boxes(first: float = -0.7, last: float = 2.3) -> Outputs:
    rows = np.zeros((8, 315), np.float32)
    rows[:4] = np.array([[80], [48], [20], [20]])
    rows[4:7] = 0.001
    rows[7] = np.linspace(first, last, 315)
    return {"output0": rows[None]}


@pytest.mark.parametrize(
    ("outputs", "offered"),
    [(keypoints(), ""), (rotated_boxes(0.3, 0.9), "they could be ultralytics-obb;")],
    ids=["keypoints", "rotated to one side"],
)
def test_keypoints_and_angles_are_never_taken_for_confidences(
    outputs: Outputs, offered: str
) -> None:
    """Without metadata: also not if a person names the format, and the labels count them."""
    error = error_of("auto", signature(outputs))

    assert "not ultralytics: " in error
    assert offered in error
    assert ("could be" in error) == bool(offered)
    assert "does not fit the trial run" in error_of("ultralytics", signature(outputs))


def test_angles_to_both_sides_tell_a_model_of_rotated_boxes() -> None:
    assert choose("auto", signature(rotated_boxes())).format.name == "ultralytics-obb"
    assert "does not fit the trial run" in error_of("ultralytics", signature(rotated_boxes()))


@st.composite
def numbers(draw: Any, outputs_by_name: Outputs) -> Outputs:
    """Draw random numbers in the shapes of these outputs."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    low, high = draw(st.sampled_from([(0, 1), (-1, 1), (-8, 3), (0, 160), (-1000, 1000), (0, 3)]))
    whole = draw(st.booleans())
    drawn = {}
    for name, array in outputs_by_name.items():
        values = random.uniform(low, high, array.shape)
        if whole or array.dtype.kind == "i":
            values = np.rint(values)
        drawn[name] = values.astype(array.dtype)
    return drawn


@settings(max_examples=examples(300), deadline=None)
@given(st.data())
def test_random_numbers_are_refused_or_give_boxes_inside_of_the_image_with_labels(
    data: st.DataObject,
) -> None:
    """For every format, in its own shapes, by `auto` and by its name."""
    family = FAMILIES[data.draw(st.sampled_from(sorted(FAMILIES)))]
    outputs = data.draw(numbers(family.plant(OBJECTS)))
    model = signature(
        outputs, Metadata(entries=family.metadata), has_size_input=family.has_size_input
    )
    name = data.draw(st.sampled_from(["auto", *FORMAT_NAMES]))
    before = [each.copy() for each in model.values]
    try:
        choice = choose(name, model, labels=LABELS)
    except ConfigurationError:
        return
    finally:
        assert all(map(np.array_equal, before, model.values))
    known = choice.format
    if known.task is Task.CLASSIFY:
        return
    layout = known.layout(model)
    raw = known.decode([model.values[each] for each in layout.outputs], size=SIZE, floor=0.05)
    found = non_maximum_suppression(raw, iou=known.nms_iou)
    boxes = Letterbox.fit(SIZE, SIZE, padding=Padding.STRETCH).to_frame(found.boxes)
    table = label_table(layout, LABELS)
    assert ((boxes >= 0) & (boxes <= [SIZE.width, SIZE.height] * 2)).all()
    assert ((found.confidences >= 0.05 - 1e-3) & (found.confidences <= 1)).all()
    if table is not None:
        assert (found.class_ids < len(table)).all()
    sides = boxes[:, 2:] - boxes[:, :2]
    smaller = (sides < np.array([SIZE.width, SIZE.height]) * 0.95).any(axis=1)
    assert len(boxes) < 10 or smaller.any()


def test_a_contradicted_model_is_refused_with_its_outputs(tmp_path: Path) -> None:
    outputs = {"scores": probabilities(90, 2), "boxes": SHARES}
    path = constant_output_model(tmp_path / "faces.onnx", outputs)

    with pytest.raises(ModelUnusable, match=r"faces\.onnx .*not rtdetr: .*it has input images"):
        load_detector(path, labels="face")


def test_every_detection_format_names_its_logits_or_has_none() -> None:
    """The scores of a format with a sigmoid or softmax of its own are logits."""
    with_logits = {"detr", "rfdetr", "rtdetr"}
    pair = signature({"s": np.full((1, 90, 4), -2.0), "b": SHARES})

    named = set()
    for name, known in formats().items():
        try:
            named |= {name} if known.layout(pair).logits is not None else set()
        except ConfigurationError:
            continue

    assert named == with_logits
