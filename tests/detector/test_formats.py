import math
from collections.abc import Sequence

import numpy as np
import pytest

from agent.detector.formats import FORMAT_NAMES, choose, formats
from agent.detector.formats.contract import Metadata, ModelSignature, Tensor
from agent.detector.formats.decoded import DecodedDetections
from agent.detector.formats.nanodet import NanoDet
from agent.detector.formats.ultralytics import Ultralytics
from agent.detector.letterbox import Size
from agent.domain import FloatArray
from agent.errors import ConfigurationError

SQUARE = Size(640, 640)
SMALL = Size(64, 32)  # NanoDet's cells: 8x4, 4x2, 2x1
THREE = ("cat", "dog", "hen")


def signature(
    *shapes: tuple[int, ...], size: Size = SQUARE, metadata: Metadata | None = None
) -> ModelSignature:
    outputs = tuple(Tensor(f"out{i}", shape, "float32") for i, shape in enumerate(shapes))
    image = Tensor("images", (1, 3, size.height, size.width), "float32")
    return ModelSignature(image, outputs, size, metadata or Metadata())


def rows(raw: DecodedDetections) -> list[tuple[list[float], float, int]]:
    return [
        (box, round(confidence, 3), class_id)
        for box, confidence, class_id in zip(
            raw.boxes.round(3).tolist(),
            raw.confidences.tolist(),
            raw.class_ids.tolist(),
            strict=True,
        )
    ]


NANODET_416 = [(1, n, width) for n in (2704, 676, 169) for width in (80, 44)]


@pytest.mark.parametrize(
    ("model", "chosen"),
    [
        (signature(*NANODET_416, size=Size(416, 416)), "nanodet"),
        (signature(*NANODET_416[::-1], size=Size(416, 416)), "nanodet"),
        (signature((1, 84, 8400)), "ultralytics"),
        (signature((1, 5, 8400)), "ultralytics"),
        (signature((1, 84, 5040), size=Size(640, 384)), "ultralytics"),
        (signature((1, 84, 34000)), "ultralytics"),
        (signature((1, 84, 8500)), "ultralytics"),
        (signature((1, 7, 1), metadata=Metadata(labels=THREE, task="detect")), "ultralytics"),
    ],
    ids=["nanodet", "outputs reversed", "v8", "one class", "rectangle", "p2", "p6", "metadata"],
)
def test_auto_recognises_a_model_by_its_outputs_and_metadata(
    model: ModelSignature, chosen: str
) -> None:
    choice = choose("auto", model)

    assert choice.format.name == chosen
    assert choice.reason


@pytest.mark.parametrize(
    "model",
    [
        signature((1, 25201, 85)),
        signature((1, 300, 6)),
        signature((1, 1000)),
        signature(()),
        signature((1, 4, 8400)),
        signature((4, 84, 8400)),
        signature((1, 300, 84), metadata=Metadata(labels=THREE, task="detect")),
        signature(*NANODET_416[:4], size=Size(416, 416)),
        signature(*NANODET_416, (1, 5), size=Size(416, 416)),
        signature(*NANODET_416, size=Size(320, 320)),
        signature(*NANODET_416[:5], (1, 169, 32), size=Size(416, 416)),
    ],
    ids=lambda model: ",".join(str(output.shape) for output in model.outputs),
)
def test_auto_refuses_an_ambiguous_model(model: ModelSignature) -> None:
    with pytest.raises(ConfigurationError, match="AGENT_MODEL_FORMAT"):
        choose("auto", model)


def test_a_named_format_reads_a_model_that_auto_refuses() -> None:
    choice = choose("ultralytics", signature((1, 84, 17)))

    assert choice.format is formats()["ultralytics"]
    assert "AGENT_MODEL_FORMAT" in choice.reason


@pytest.mark.parametrize(
    ("name", "words"),
    [("yolo99", "auto, nanodet, .*centernet"), ("nanodet", "2704|6400"), ("ultralytics", "4 \\+")],
)
def test_an_unknown_or_unfit_format_is_refused_with_the_reason(name: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        choose(name, signature((1, 1000)))


def test_metadata_sets_size_and_stride_of_an_ultralytics_model() -> None:
    model = signature((1, 84, 8400), metadata=Metadata(size=Size(320, 256), stride=64))

    prepared = Ultralytics().preprocessing(model)

    assert (prepared.size, prepared.stride) == (Size(320, 256), 64)
    assert Ultralytics().preprocessing(signature((1, 84, 8400))).size == Size(640, 640)


def ultralytics(*columns: Sequence[float], floor: float = 0.05) -> DecodedDetections:
    output = np.array(columns, np.float32).T[None]
    return Ultralytics().decode([output], size=SQUARE, floor=floor)


def test_ultralytics_boxes_are_centre_and_size() -> None:
    found = ultralytics(
        [100, 50, 20, 10, 0.1, 0.9, 0.2], [30, 40, 10, 20, 0.6, 0, 0], [9, 9, 2, 2, 0, 0, 0.04]
    )

    assert rows(found) == [([90, 45, 110, 55], 0.9, 1), ([25, 30, 35, 50], 0.6, 0)]


def test_a_confidence_at_the_floor_is_kept() -> None:
    assert len(rows(ultralytics([30, 40, 10, 20, 0.25], floor=0.25))) == 1


@pytest.mark.parametrize(
    "bad",
    [
        [math.nan, 50, 20, 10, 0.9],
        [math.inf, 50, 20, 10, 0.9],
        [100, -math.inf, 20, 10, 0.9],
        [100, 50, math.inf, 10, 0.9],
        [100, 50, -20, 10, 0.9],
        [100, 50, 20, 0, 0.9],
        [100, 50, 20, 10, math.nan],
        [100, 50, 20, 10, math.inf],
        [3e38, 50, 3e38, 10, 0.9],
    ],
    ids=str,
)
def test_an_invalid_row_is_dropped_and_others_are_kept(bad: list[float]) -> None:
    found = ultralytics(bad, [30, 40, 10, 20, 0.6])

    assert rows(found) == [([25, 30, 35, 50], 0.6, 0)]


def test_a_confidence_slightly_above_one_becomes_one() -> None:
    assert rows(ultralytics([30, 40, 10, 20, 1.0004]))[0][1] == 1.0


def test_an_output_without_cells_has_no_detections() -> None:
    empty = np.empty((1, 7, 0), np.float32)

    assert rows(Ultralytics().decode([empty], size=SQUARE, floor=0.05)) == []


def nanodet_outputs(classes: int = 80, bins: int = 11) -> list[FloatArray]:
    """Return empty outputs for a small input: scores, then bins, per stride."""
    return [
        np.zeros((1, cells, width), np.float32)
        for cells in (32, 8, 2)
        for width in (classes, 4 * bins)
    ]


def plant(
    outputs: list[FloatArray],
    level: int,
    cell: int,
    reach: Sequence[int],
    class_id: int,
    score: float,
) -> None:
    """Put one object into one cell; `reach` is in strides to the left, top, right, bottom."""
    outputs[2 * level][0, cell, class_id] = score
    sides = outputs[2 * level + 1][0, cell].reshape(4, -1)
    for side, steps in enumerate(reach):
        sides[side, steps] = 40.0


def test_nanodet_distances_start_at_the_centre_of_the_cell() -> None:
    outputs = nanodet_outputs()
    plant(outputs, 0, 10, [1, 1, 2, 3], 7, 0.75)  # stride 8: column 2, row 1, centre 20, 12
    plant(outputs, 1, 6, [0, 1, 1, 0], 0, 0.5)  # stride 16: column 2, row 1, centre 40, 24
    plant(outputs, 2, 1, [1, 0, 0, 1], 79, 0.25)  # stride 32: column 1, row 0, centre 48, 16

    found = NanoDet().decode(outputs, size=SMALL, floor=0.05)

    assert rows(found) == [
        ([12, 4, 36, 36], 0.75, 7),
        ([40, 8, 56, 24], 0.5, 0),
        ([16, 16, 48, 48], 0.25, 79),
    ]


def test_nanodet_distances_are_the_mean_of_their_distribution() -> None:
    outputs = nanodet_outputs()
    plant(outputs, 0, 10, [1, 1, 2, 3], 7, 0.75)
    outputs[1][0, 10, 3] = 40.0  # 1 and 3 strides are equally likely: the mean is 2

    found = NanoDet().decode(outputs, size=SMALL, floor=0.05)

    assert rows(found) == [([4, 4, 36, 36], 0.75, 7)]


def test_nanodet_outputs_may_come_in_any_order() -> None:
    outputs = nanodet_outputs()
    plant(outputs, 0, 10, [1, 1, 2, 3], 7, 0.75)
    shuffled = [outputs[index] for index in (5, 2, 1, 4, 3, 0)]

    found = NanoDet().decode(shuffled, size=SMALL, floor=0.05)

    assert rows(found) == [([12, 4, 36, 36], 0.75, 7)]


@pytest.mark.parametrize(("classes", "bins"), [(44, 11), (32, 11), (44, 8), (32, 8)])
def test_nanodet_distinguishes_scores_and_bins_of_the_same_width(classes: int, bins: int) -> None:
    outputs = nanodet_outputs(classes, bins)
    plant(outputs, 0, 10, [1, 1, 2, 3], 7, 0.75)

    found = NanoDet().decode(outputs, size=SMALL, floor=0.05)

    assert rows(found) == [([12, 4, 36, 36], 0.75, 7)]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_nanodet_drops_only_the_cells_that_are_not_finite(bad: float) -> None:
    outputs = nanodet_outputs()
    plant(outputs, 0, 10, [1, 1, 2, 3], 7, 0.75)
    plant(outputs, 0, 11, [1, 1, 2, 3], 7, 0.75)
    plant(outputs, 0, 12, [1, 1, 2, 3], 7, 0.75)
    outputs[1][0, 11] = bad
    outputs[0][0, 12, 3] = math.nan

    found = NanoDet().decode(outputs, size=SMALL, floor=0.05)

    assert rows(found) == [([12, 4, 36, 36], 0.75, 7)]


def test_nanodet_without_scores_has_no_detections() -> None:
    assert rows(NanoDet().decode(nanodet_outputs(), size=SMALL, floor=0.05)) == []


def test_the_names_in_the_table_are_those_of_the_classes() -> None:
    assert [known.name for known in formats().values()] == list(FORMAT_NAMES)
