"""For each format, a graph that returns planted objects for every image."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from tests.detector.planted_models import save_model

SIDES = (96, 160)  # height and width of the planted inputs, both multiples of 32
LABELS = "ant bee cat"
CLASSES = 3

Outputs = dict[str, NDArray[Any]]
TYPES = {
    "float32": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
    "uint8": TensorProto.UINT8,
    "int64": TensorProto.INT64,
}


@dataclass(frozen=True)
class Planted:
    """An object in the input: corners in pixels, label index, confidence."""

    box: tuple[float, float, float, float]
    label: int
    confidence: float


def centre_boxes(objects: Sequence[Planted]) -> NDArray[np.float32]:
    corners = np.array([each.box for each in objects], np.float32).reshape(-1, 4)
    sides = corners[:, 2:] - corners[:, :2]
    return np.concatenate([corners[:, :2] + sides / 2, sides], axis=1)


def normalized(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(boxes / np.array([SIDES[1], SIDES[0]] * 2), np.float32)


def scores(objects: Sequence[Planted], classes: int = CLASSES) -> NDArray[np.float32]:
    table = np.zeros((len(objects), classes), np.float32)
    for row, each in enumerate(objects):
        table[row, each.label] = each.confidence
    return table


def logits(objects: Sequence[Planted], classes: int = CLASSES) -> NDArray[np.float32]:
    table = np.clip(scores(objects, classes), 1e-4, 1 - 1e-4)
    return np.asarray(np.log(table / (1 - table)), np.float32)


def filled(rows: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Append rows of zeros."""
    table = np.zeros((count, rows.shape[1]), np.float32)
    table[: len(rows)] = rows
    return table


CELLS = sum((SIDES[0] // s) * (SIDES[1] // s) for s in (8, 16, 32))


def ultralytics(objects: Sequence[Planted]) -> Outputs:
    rows = np.concatenate([centre_boxes(objects), scores(objects)], axis=1)
    return {"output0": filled(rows, CELLS).T[None]}


def yolov5(objects: Sequence[Planted]) -> Outputs:
    objectness = np.full((len(objects), 1), 0.8, np.float32)
    rows = np.concatenate([centre_boxes(objects), objectness, scores(objects) / 0.8], axis=1)
    return {"output0": filled(rows, 3 * CELLS)[None]}


def yolov6(objects: Sequence[Planted]) -> Outputs:
    objectness = np.ones((len(objects), 1), np.float32)
    rows = filled(
        np.concatenate([centre_boxes(objects), objectness, scores(objects)], axis=1), CELLS
    )
    rows[:, 4] = 1
    return {"outputs": rows[None]}


def yolox(objects: Sequence[Planted]) -> Outputs:
    """Put each object into its own cell, starting with the first of stride 16."""
    table = np.zeros((CELLS, 5 + CLASSES), np.float32)
    first = (SIDES[0] // 8) * (SIDES[1] // 8)
    columns = SIDES[1] // 16
    for index, (box, confidences) in enumerate(
        zip(centre_boxes(objects), scores(objects), strict=True)
    ):
        row, column = divmod(index, columns)
        offset = box[:2] / 16 - [column, row]
        table[first + index] = [*offset, *np.log(box[2:] / 16), 0.8, *(confidences / 0.8)]
    return {"output": table[None]}


def yolox_decoded(objects: Sequence[Planted]) -> Outputs:
    objectness = np.full((len(objects), 1), 0.8, np.float32)
    rows = np.concatenate([centre_boxes(objects), objectness, scores(objects) / 0.8], axis=1)
    return {"output": filled(rows, CELLS)[None]}


def final_rows(objects: Sequence[Planted], scale: float = 1.0) -> NDArray[np.float32]:
    return np.array(
        [[*(side / scale for side in each.box), each.confidence, each.label] for each in objects],
        np.float32,
    ).reshape(-1, 6)


def end2end(objects: Sequence[Planted]) -> Outputs:
    return {"output0": filled(final_rows(objects), 300)[None]}


def end2end_flat(objects: Sequence[Planted]) -> Outputs:
    return {"detections": final_rows(objects)}


def centernet(objects: Sequence[Planted]) -> Outputs:
    """Add peaks below the floor: the graph always returns a fixed number."""
    spread = np.linspace(1, SIDES[1] / 4 - 1, 90, dtype=np.float32)
    faint = np.stack([spread - 1, spread / 2, spread, spread / 2 + 1, spread * 0, spread * 0], 1)
    return {"peaks": np.concatenate([final_rows(objects, 4), faint])[None]}


def rtdetr(objects: Sequence[Planted]) -> Outputs:
    return {
        "logits": with_empty(logits(objects), -9)[None],
        "pred_boxes": with_empty(normalized(centre_boxes(objects)), 0.5)[None],
    }


def with_empty(rows: NDArray[np.float32], number: float, count: int = 20) -> NDArray[np.float32]:
    rest = np.full((count - len(rows), rows.shape[1]), number, np.float32)
    return np.concatenate([rows, rest]).astype(np.float32)


def rtdetr_joined(objects: Sequence[Planted]) -> Outputs:
    rows = np.concatenate([normalized(centre_boxes(objects)), scores(objects)], axis=1)
    return {"output0": filled(rows, 300)[None]}


def rtdetr_rows(objects: Sequence[Planted]) -> Outputs:
    """Return 300 pairs, the most confident first, as the graph's search for them does."""
    rows = np.array(
        [
            [*box, each.confidence, each.label]
            for box, each in zip(normalized(centre_boxes(objects)), objects, strict=True)
        ],
        np.float32,
    ).reshape(-1, 6)
    rest = np.tile(np.array([0.5, 0.5, 0.1, 0.2, 0.001, 1], np.float32), (300 - len(rows), 1))
    return {"output0": np.concatenate([rows, rest])[None]}


def rtdetr_rows_unsorted(objects: Sequence[Planted]) -> Outputs:
    """Return 300 pairs, the most confident last."""
    return {"output0": rtdetr_rows(objects)["output0"][:, ::-1]}


def rfdetr(objects: Sequence[Planted]) -> Outputs:
    return {
        "dets": with_empty(normalized(centre_boxes(objects)), 0.5)[None],
        "labels": with_empty(logits(objects, CLASSES + 1), -9)[None],
    }


def rfdetr_coco(objects: Sequence[Planted]) -> Outputs:
    """Use the class ids of the COCO data set: person 1, bicycle 2, car 3."""
    moved = [Planted(each.box, each.label + 1, each.confidence) for each in objects]
    return {
        "dets": with_empty(normalized(centre_boxes(objects)), 0.5)[None],
        "labels": with_empty(logits(moved, 91), -9)[None],
    }


def detr(objects: Sequence[Planted]) -> Outputs:
    """The last class, "no object", has the rest of each softmax."""
    table = np.full((len(objects), CLASSES + 1), 1e-9)
    for row, each in enumerate(objects):
        table[row, each.label], table[row, -1] = each.confidence, 1 - each.confidence
    empty = np.log([[1e-9] * CLASSES + [1.0]] * (20 - len(objects))) + 3
    return {
        "logits": np.concatenate([np.log(table) + 3, empty])[None].astype(np.float32),
        "pred_boxes": with_empty(normalized(centre_boxes(objects)), 0.5)[None],
    }


def boxes_classes_scores(
    boxes: NDArray[np.float32], objects: Sequence[Planted], first: int
) -> tuple[NDArray[Any], ...]:
    numbers = np.array([each.label + first for each in objects])
    return boxes, numbers, np.array([each.confidence for each in objects], np.float32)


def ssd(objects: Sequence[Planted]) -> Outputs:
    corners = normalized(np.array([each.box for each in objects], np.float32).reshape(-1, 4))
    boxes, class_ids, confidences = boxes_classes_scores(corners, objects, 1)
    return {"bboxes": boxes[None], "labels": class_ids[None], "scores": confidences[None]}


def custom_vision(objects: Sequence[Planted]) -> Outputs:
    corners = normalized(np.array([each.box for each in objects], np.float32).reshape(-1, 4))
    boxes, class_ids, confidences = boxes_classes_scores(corners, objects, 0)
    return {
        "detected_boxes": boxes[None],
        "detected_classes": class_ids[None],
        "detected_scores": confidences[None],
    }


def ssd_priors(objects: Sequence[Planted]) -> Outputs:
    """A row for each of 3000 prior boxes; the background, first, has the rest of each softmax."""
    table = np.zeros((3000, CLASSES + 1), np.float32)
    table[: len(objects), 1:] = scores(objects)
    table[:, 0] = 1 - table[:, 1:].sum(axis=1)
    corners = np.tile(np.array([0.2, 0.3, 0.4, 0.5], np.float32), (3000, 1))
    planted = np.array([each.box for each in objects], np.float32).reshape(-1, 4)
    corners[: len(objects)] = normalized(planted)
    return {"scores": table[None], "boxes": corners[None]}


def ssd_prior_logits(objects: Sequence[Planted]) -> Outputs:
    """The same before the softmax."""
    outputs = ssd_priors(objects)
    return outputs | {"scores": np.log(np.maximum(outputs["scores"], 1e-9)) + 3}


def tf_ssd(objects: Sequence[Planted]) -> Outputs:
    """Return a fixed number of rows, and the count of valid ones."""
    corners = normalized(np.array([each.box for each in objects], np.float32).reshape(-1, 4))
    _, class_ids, confidences = boxes_classes_scores(corners, objects, 1)
    rest = 10 - len(objects)
    return {
        "detection_boxes": filled(corners[:, [1, 0, 3, 2]], 10)[None],
        "detection_classes": np.append(class_ids, [1.0] * rest).astype(np.float32)[None],
        "detection_scores": np.append(confidences, [0.9] * rest).astype(np.float32)[None],
        "num_detections": np.array([len(objects)], np.float32),
    }


def torchvision(objects: Sequence[Planted]) -> Outputs:
    corners = np.array([each.box for each in objects], np.float32).reshape(-1, 4)
    boxes, class_ids, confidences = boxes_classes_scores(corners, objects, 1)
    return {"boxes": boxes, "labels": class_ids, "scores": confidences}


def rtdetr_deployed(objects: Sequence[Planted]) -> Outputs:
    """Return normalized boxes; the graph multiplies them by its size input."""
    corners = normalized(np.array([each.box for each in objects], np.float32).reshape(-1, 4))
    boxes, class_ids, confidences = boxes_classes_scores(corners, objects, 0)
    return {"labels": class_ids[None], "boxes": boxes[None], "scores": confidences[None]}


def nanodet_plus(objects: Sequence[Planted]) -> Outputs:
    return nanodet_table(objects, (8, 16, 32, 64), bins=8, centre=0.0)


def nanodet_m(objects: Sequence[Planted]) -> Outputs:
    return nanodet_table(objects, (8, 16, 32), bins=8, centre=0.5)


def nanodet_g(objects: Sequence[Planted]) -> Outputs:
    return nanodet_table(objects, (8, 16, 32), bins=11, centre=0.5)


def nanodet_table(
    objects: Sequence[Planted], strides: Sequence[int], *, bins: int, centre: float
) -> Outputs:
    """Put each object into a cell of stride 16 near its centre, with interpolated distances."""
    grids = [-(-SIDES[0] // stride) * -(-SIDES[1] // stride) for stride in strides]
    table = np.full((sum(grids), CLASSES + 4 * bins), -1, np.float32)
    table[:, :CLASSES] = 0
    for each in objects:
        column, row = (int(middle // 16) for middle in centre_boxes([each])[0, :2])
        cell = table[grids[0] + row * (SIDES[1] // 16) + column]
        cell[:CLASSES] = scores([each])[0]
        begin = (np.array([column, row] * 2) + centre) * 16
        for side, distance in enumerate(np.abs(np.array(each.box) - begin) / 16):
            low = int(distance)
            logits = cell[CLASSES + bins * side :][:bins]
            logits[:] = -30
            logits[low] = np.log(max(1e-9, 1 - (distance - low)))
            logits[low + 1] = np.log(max(1e-9, distance - low))
    return {"output": table[None]}


def yunet(objects: Sequence[Planted]) -> Outputs:
    """Put each face into its own cell of stride 16."""
    outputs: Outputs = {}
    columns = SIDES[1] // 16
    for stride in (8, 16, 32):
        count = (SIDES[0] // stride) * (SIDES[1] // stride)
        for name, width in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            outputs[f"{name}_{stride}"] = np.zeros((1, count, width), np.float32)
        outputs[f"bbox_{stride}"][..., 2:] = 1
    for index, (box, each) in enumerate(zip(centre_boxes(objects), objects, strict=True)):
        row, column = divmod(index, columns)
        outputs["cls_16"][0, index] = each.confidence / 0.9
        outputs["obj_16"][0, index] = each.confidence * 0.9
        outputs["bbox_16"][0, index] = [*(box[:2] / 16 - [column, row]), *np.log(box[2:] / 16)]
    return outputs


def picodet(objects: Sequence[Planted]) -> Outputs:
    """The table of NanoDet-Plus with origins at the cells' centres, split by stride."""
    strides = (8, 16, 32, 64)
    table = nanodet_table(objects, strides, bins=8, centre=0.5)["output"][0]
    ends = np.cumsum([-(-SIDES[0] // each) * -(-SIDES[1] // each) for each in strides])
    levels = np.split(table, ends[:-1])
    scores = {f"scores {index}": level[None, :, :CLASSES] for index, level in enumerate(levels)}
    bins = {f"bins {index}": level[None, :, CLASSES:] for index, level in enumerate(levels)}
    return scores | bins


def paddle_nms(objects: Sequence[Planted]) -> Outputs:
    rows = final_rows(objects)[:, [5, 4, 0, 1, 2, 3]]
    return {"bbox": rows, "bbox_num": np.array([len(rows)])}


def picodet_boxes(objects: Sequence[Planted]) -> Outputs:
    return paddle_boxes(objects, CELLS + -(-SIDES[0] // 64) * -(-SIDES[1] // 64))


def ppyoloe_boxes(objects: Sequence[Planted]) -> Outputs:
    return paddle_boxes(objects, CELLS)


def paddle_boxes(objects: Sequence[Planted], count: int) -> Outputs:
    """Every cell has a box; most have a confidence of 0."""
    corners = np.tile(np.array([20, 30, 60, 70], np.float32), (count, 1))
    corners[: len(objects)] = np.array([each.box for each in objects], np.float32).reshape(-1, 4)
    return {"bbox": corners[None], "scores": filled(scores(objects), count).T[None]}


def yolo_nas(objects: Sequence[Planted]) -> Outputs:
    """Every cell has a box around it; most have a confidence of 0."""
    corners = np.array([each.box for each in objects], np.float32).reshape(-1, 4)
    middles = np.linspace(8, SIDES[0] - 8, CELLS - len(objects), dtype=np.float32)
    around = np.stack([middles - 8, middles - 8, middles + 8, middles + 8], axis=1)
    return {
        "904": np.concatenate([corners, around])[None],
        "897": filled(scores(objects), CELLS)[None],
    }


def yolo_nas_batched(objects: Sequence[Planted]) -> Outputs:
    """Return a fixed number of rows, and the count of valid ones."""
    corners = np.array([each.box for each in objects], np.float32).reshape(-1, 4)
    _, class_ids, confidences = boxes_classes_scores(corners, objects, 0)
    rest = 10 - len(objects)
    return {
        "graph2_num_predictions": np.array([[len(objects)]]),
        "graph2_pred_boxes": filled(corners, 10)[None],
        "graph2_pred_scores": np.append(confidences, [0.9] * rest).astype(np.float32)[None],
        "graph2_pred_classes": np.append(class_ids, [0] * rest)[None],
    }


def yolo_nas_flat(objects: Sequence[Planted]) -> Outputs:
    return {"graph2_flat_predictions": with_image_index(final_rows(objects))}


def yolov7_nms(objects: Sequence[Planted]) -> Outputs:
    return {"output": with_image_index(final_rows(objects)[:, [0, 1, 2, 3, 5, 4]])}


def with_image_index(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Prepend the image index to each row, and add a row of another image."""
    ours = np.insert(rows, 0, 0, axis=1)
    return np.concatenate([ours, [[1, 2, 3, 40, 50, *ours[0, 5:]]]]).astype(np.float32)


PROTOTYPES = 8
STEP = 4  # pixels of the input for each of a prototype
KEYPOINTS = 4
UNITS = 100.0  # pixels; half-precision numbers are exact enough around 1


def coefficients(objects: Sequence[Planted]) -> NDArray[np.float32]:
    """Return `[n, prototypes]`: each mask is the left half of its box."""
    rows = np.zeros((len(objects), PROTOTYPES), np.float32)
    rows[:, 0] = centre_boxes(objects)[:, 0] / UNITS
    rows[:, 1] = -1
    return rows


def prototypes() -> NDArray[np.float32]:
    """Return prototypes: the first is 1, the second grows with x."""
    maps = np.zeros((1, PROTOTYPES, SIDES[0] // STEP, SIDES[1] // STEP), np.float32)
    maps[0, 0] = 1
    maps[0, 1] = (np.arange(SIDES[1] // STEP) + 0.5) * STEP / UNITS
    return maps


def joined(*parts: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate(parts, axis=1)


def ultralytics_segment(objects: Sequence[Planted]) -> Outputs:
    rows = joined(centre_boxes(objects), scores(objects), coefficients(objects))
    return {"output0": filled(rows, CELLS).T[None], "output1": prototypes()}


def end2end_segment(objects: Sequence[Planted]) -> Outputs:
    rows = joined(final_rows(objects), coefficients(objects))
    return {"output0": filled(rows, 300)[None], "output1": prototypes()}


def yolov5_segment(objects: Sequence[Planted]) -> Outputs:
    objectness = np.full((len(objects), 1), 0.8, np.float32)
    parts = centre_boxes(objects), objectness, scores(objects) / 0.8, coefficients(objects)
    return {"output0": filled(joined(*parts), 3 * CELLS)[None], "output1": prototypes()}


def keypoint_rows(objects: Sequence[Planted], numbers: int = 3) -> NDArray[np.float32]:
    """Return `[n, keypoints * numbers]`: the corners of each box, clockwise from the top left.

    Their visibilities are 0.9, 0.8, 0.7 and 0.6.
    """
    rows = [
        [(x_min, y_min, 0.9), (x_max, y_min, 0.8), (x_max, y_max, 0.7), (x_min, y_max, 0.6)]
        for x_min, y_min, x_max, y_max in (each.box for each in objects)
    ]
    points = np.array(rows, np.float32).reshape(-1, KEYPOINTS, 3)
    return points[:, :, :numbers].reshape(len(objects), -1)


def ultralytics_pose(objects: Sequence[Planted]) -> Outputs:
    rows = joined(centre_boxes(objects), scores(objects), keypoint_rows(objects))
    return {"output0": filled(rows, CELLS).T[None]}


def ultralytics_pose_places(objects: Sequence[Planted]) -> Outputs:
    rows = joined(centre_boxes(objects), scores(objects), keypoint_rows(objects, 2))
    return {"output0": filled(rows, CELLS).T[None]}


def end2end_pose(objects: Sequence[Planted]) -> Outputs:
    return {"output0": filled(joined(final_rows(objects), keypoint_rows(objects)), 300)[None]}


def rotated_rows(objects: Sequence[Planted]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the boxes and angles of upright boxes: every second one lies on its side."""
    boxes = centre_boxes(objects)
    angles = np.zeros((len(boxes), 1), np.float32)
    boxes[1::2] = boxes[1::2][:, [0, 1, 3, 2]]
    angles[1::2] = np.pi / 2
    return boxes, angles


def ultralytics_obb(objects: Sequence[Planted]) -> Outputs:
    boxes, angles = rotated_rows(objects)
    rows = filled(joined(boxes, scores(objects), angles), CELLS)
    rows[len(objects) :, -1] = -0.5
    return {"output0": rows.T[None]}


def end2end_obb(objects: Sequence[Planted]) -> Outputs:
    boxes, angles = rotated_rows(objects)
    rows = joined(boxes, final_rows(objects)[:, 4:], angles)
    return {"output0": filled(rows, 300)[None]}


def torchvision_masks(objects: Sequence[Planted]) -> Outputs:
    masks = np.zeros((len(objects), 1, *SIDES), np.float32)
    for mask, each in zip(masks, objects, strict=True):
        x_min, y_min, x_max, y_max = each.box
        mask[0, int(y_min) : int(y_max), int(x_min) : int(x_min + x_max) // 2] = 0.9
    return torchvision(objects) | {"masks": masks}


def torchvision_box_masks(objects: Sequence[Planted]) -> Outputs:
    masks = np.zeros((len(objects), 1, 28, 28), np.float32)
    masks[:, :, :, :14] = 0.9
    return torchvision(objects) | {"masks": masks}


def torchvision_keypoints(objects: Sequence[Planted]) -> Outputs:
    points = keypoint_rows(objects).reshape(-1, KEYPOINTS, 3)
    heights = np.log(points[:, :, 2] / (1 - points[:, :, 2]))
    points[:, :, 2] = 1
    return torchvision(objects) | {"keypoints": points, "keypoints_scores": heights}


@dataclass(frozen=True)
class Family:
    """One format, and the properties of its planted graph."""

    name: str
    plant: Callable[[Sequence[Planted]], Outputs]
    fit: str  # letterbox, corner or stretch
    kind: str = "float32"
    shape: tuple[int | str | None, ...] = (1, 3, *SIDES)
    labels: str = LABELS
    has_size_input: bool = False
    metadata: dict[str, str] = field(default_factory=dict)
    only_named: bool = False  # another format has the same outputs, and `auto` asks


FAMILIES = {
    "ultralytics": Family("ultralytics", ultralytics, "letterbox"),
    "ultralytics half": Family("ultralytics", ultralytics, "letterbox", "float16"),
    "ultralytics free batch": Family(
        "ultralytics", ultralytics, "letterbox", shape=("batch", 3, *SIDES)
    ),
    "yolov5": Family("yolov5", yolov5, "letterbox"),
    "yolov6": Family("yolov5", yolov6, "letterbox"),
    "yolox": Family("yolox", yolox, "corner"),
    "yolox decoded": Family("yolox-decoded", yolox_decoded, "corner"),
    "v10": Family("end2end", end2end, "letterbox"),
    "NMS in the graph": Family("end2end", end2end_flat, "letterbox"),
    "centernet": Family("centernet", centernet, "letterbox"),
    "rtdetr": Family("rtdetr", rtdetr, "stretch"),
    "rtdetr half": Family("rtdetr", rtdetr, "stretch", "float16"),
    "rtdetr joined": Family("rtdetr-joined", rtdetr_joined, "stretch"),
    "rtdetr rows": Family(
        "rtdetr-rows", rtdetr_rows, "stretch", metadata={"head": "RTDETRDecoder", "task": "detect"}
    ),
    "rtdetr rows without metadata": Family("rtdetr-rows", rtdetr_rows, "stretch"),
    "rtdetr rows unsorted": Family("rtdetr-rows", rtdetr_rows_unsorted, "stretch"),
    "rtdetr deployed": Family("rtdetr-deployed", rtdetr_deployed, "stretch", has_size_input=True),
    "rfdetr": Family("rfdetr", rfdetr, "stretch"),
    "rfdetr of coco": Family("rfdetr", rfdetr_coco, "stretch", labels="coco"),
    "detr": Family("detr", detr, "stretch"),
    "ssd": Family("ssd", ssd, "stretch"),
    "ssd-priors": Family("ssd-priors", ssd_priors, "stretch"),
    "ssd-priors half": Family("ssd-priors", ssd_priors, "stretch", "float16"),
    "ssd-priors logits": Family("ssd-priors", ssd_prior_logits, "stretch"),
    "ssd-priors with a background": Family(
        "ssd-priors", ssd_priors, "stretch", labels="BACKGROUND ant bee cat"
    ),
    "custom-vision": Family("custom-vision", custom_vision, "stretch"),
    "tf-ssd": Family("tf-ssd", tf_ssd, "stretch", "uint8", (1, *SIDES, 3)),
    "tf-ssd of coco": Family("tf-ssd", tf_ssd, "stretch", "uint8", (1, *SIDES, 3), "coco"),
    "tf-ssd with a background": Family(
        "tf-ssd", tf_ssd, "stretch", "uint8", (None, *SIDES, 3), "background ant bee cat"
    ),
    "nanodet-plus": Family("nanodet-plus", nanodet_plus, "stretch"),
    "nanodet-m": Family("nanodet-m", nanodet_m, "corner"),
    "nanodet-g": Family("nanodet-g", nanodet_g, "corner"),
    "picodet": Family("picodet", picodet, "stretch"),
    "picodet before NMS": Family("picodet-boxes", picodet_boxes, "stretch"),
    "picodet with NMS": Family("picodet-nms", paddle_nms, "stretch", only_named=True),
    "ppyoloe before NMS": Family("ppyoloe-boxes", ppyoloe_boxes, "stretch"),
    "ppyoloe with NMS": Family("ppyoloe-nms", paddle_nms, "stretch", only_named=True),
    "yunet": Family("yunet", yunet, "corner", labels="face"),
    "yolo-nas": Family("yolo-nas", yolo_nas, "letterbox"),
    "yolo-nas batched": Family(
        "yolo-nas-batched", yolo_nas_batched, "letterbox", "uint8", (1, 3, *SIDES)
    ),
    "yolo-nas flat": Family("yolo-nas-flat", yolo_nas_flat, "letterbox"),
    "yolov7 with NMS": Family("yolov7-nms", yolov7_nms, "letterbox"),
    "torchvision": Family("torchvision", torchvision, "corner"),
    "torchvision without a batch": Family("torchvision", torchvision, "corner", shape=(3, *SIDES)),
    "segment": Family("ultralytics-segment", ultralytics_segment, "letterbox"),
    "segment half": Family("ultralytics-segment", ultralytics_segment, "letterbox", "float16"),
    "segment after NMS": Family("end2end-segment", end2end_segment, "letterbox"),
    "segment v5": Family("yolov5-segment", yolov5_segment, "letterbox"),
    "pose": Family(
        "ultralytics-pose", ultralytics_pose, "letterbox", metadata={"kpt_shape": "[4, 3]"}
    ),
    "pose without visibility": Family(
        "ultralytics-pose", ultralytics_pose_places, "letterbox", metadata={"kpt_shape": "(4, 2)"}
    ),
    "pose after NMS": Family("end2end-pose", end2end_pose, "letterbox"),
    "obb": Family("ultralytics-obb", ultralytics_obb, "letterbox"),
    "obb after NMS": Family("end2end-obb", end2end_obb, "letterbox"),
    "mask R-CNN": Family("torchvision-masks", torchvision_masks, "corner"),
    "mask R-CNN, masks over boxes": Family("torchvision-masks", torchvision_box_masks, "corner"),
    "keypoint R-CNN": Family("torchvision-keypoints", torchvision_keypoints, "corner"),
}


RECOGNISED = {title: family for title, family in FAMILIES.items() if not family.only_named}


def family_model(path: Path, family: Family, objects: Sequence[Planted]) -> Path:
    """Write a graph that returns these objects for every image."""
    return constant_output_model(
        path,
        family.plant(objects),
        kind=family.kind,
        shape=family.shape,
        has_size_input=family.has_size_input,
        metadata=family.metadata,
    )


def constant_output_model(
    path: Path,
    outputs_by_name: Outputs,
    *,
    kind: str = "float32",
    shape: tuple[int | str | None, ...] = (1, 3, *SIDES),
    has_size_input: bool = False,
    metadata: dict[str, str] | None = None,
    more_nodes: Sequence[NodeProto] = (),
) -> Path:
    """Write a graph that returns these arrays plus a zero computed from its image.

    `more_nodes` are added to the graph; nothing uses their outputs.
    """
    nodes = [
        *more_nodes,
        helper.make_node("Cast", ["images"], ["seen"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["seen"], ["peak"], keepdims=0),
        helper.make_node("Sub", ["peak", "peak"], ["zero"]),
    ]
    inputs = [helper.make_tensor_value_info("images", TYPES[kind], shape)]
    outputs, constants = [], []
    if has_size_input:
        sizes = [shape[0], 2]
        inputs.append(helper.make_tensor_value_info("orig_target_sizes", TensorProto.INT64, sizes))
        constants.append(numpy_helper.from_array(np.array([-1, 1, 4]), "a row for all boxes"))
        nodes += [
            helper.make_node("Cast", ["orig_target_sizes"], ["size"], to=TensorProto.FLOAT),
            helper.make_node("Concat", ["size", "size"], ["both"], axis=1),
            helper.make_node("Reshape", ["both", "a row for all boxes"], ["corners"]),
        ]
    for name, array in outputs_by_name.items():
        plain = name == "boxes" and has_size_input
        stored = array.astype(np.int64 if array.dtype.kind == "i" else np.float32)
        to = kind if stored.dtype.kind == "f" and kind != "uint8" else stored.dtype.name
        constants.append(numpy_helper.from_array(stored, f"{name} known"))
        nodes += [
            helper.make_node("Cast", ["zero"], [f"{name} zero"], to=TYPES[stored.dtype.name]),
            helper.make_node("Add", [f"{name} known", f"{name} zero"], [f"{name} raw"]),
        ]
        if plain:
            nodes.append(helper.make_node("Mul", [f"{name} raw", "corners"], [f"{name} sum"]))
        last = f"{name} sum" if plain else f"{name} raw"
        nodes.append(helper.make_node("Cast", [last], [name], to=TYPES[to]))
        outputs.append(helper.make_tensor_value_info(name, TYPES[to], stored.shape))
    return save_model(path, nodes, inputs, outputs, constants=constants, metadata=metadata)
