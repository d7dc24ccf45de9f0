"""What contradicts a format in the outputs of a trial run: one check for all formats.

Shapes and names say which formats are possible. Their numbers say which are not: a format that
misreads a model makes boxes outside of the image, boxes as large as the image, confidences above 1,
or class ids without a label. A format is used only if it passes this check.
"""

from collections.abc import Sequence

import numpy as np

from agent.detector.formats.class_ids import label_table
from agent.detector.formats.contract import (
    AnyFormat,
    ClassNumbering,
    Layout,
    ModelSignature,
    ObjectFormat,
)
from agent.detector.formats.decoded import CONFIDENCE_LIMIT, DecodedDetections
from agent.detector.formats.geometry import add_up_to_one
from agent.detector.letterbox import Size
from agent.domain import FloatArray, Task

MOST = 0.9
HALF = 0.5
FEW = 0.25
MANY = 20  # numbers; fewer may be so by chance
SEVERAL = 10  # boxes; one object may be in several, each of another class
FAINT = 1e-6  # rows of unused places have a confidence of 0
CELLS = 100  # boxes; before NMS, most are not objects
OBJECT = 0.25  # confidence
SEEN = 0.05  # confidence of a box that would be shown
TINY = 1.5  # pixels: normalized coordinates that are read as pixels end below it
WHOLE = 0.9  # share of the image
OVERHANG = 0.1  # share of a side; the centre of a box may lie outside of the image by this much


def contradiction(
    known: AnyFormat, layout: Layout, model: ModelSignature, labels: Sequence[str] | None = None
) -> str | None:
    """Return what in the trial run contradicts this format, in a few words; None if nothing does.

    NaN and infinite values contradict nothing: a damaged model has them in every format.

    Args:
        known: The format.
        layout: How it reads the model's outputs.
        model: With the output values of the trial run; without them nothing is contradicted.
        labels: The model's labels, if they are known.
    """
    if not model.values:
        return None
    outputs = [model.values[index] for index in layout.outputs]
    if known.task is Task.CLASSIFY:
        return _logits(outputs, layout)
    finite = all(bool(np.isfinite(each).all()) for each in outputs)
    with np.errstate(all="ignore"):  # the numbers may be anything
        raw = known.decode(outputs, size=model.size, floor=FAINT)
        shown = known.decode(outputs, size=model.size, floor=SEEN)
        everything = known.decode(outputs, size=model.size, floor=-np.inf)
    return (
        _logits(outputs, layout)
        or _confidences(outputs, layout)
        or (_rows(raw, shown) if finite else None)
        or _everywhere(raw, known)
        or _boxes(raw, model.size)
        or _class_ids(raw, layout, labels)
        or _negative(everything)
    )


def lowest_confidence(known: AnyFormat, layout: Layout, model: ModelSignature) -> float | None:
    """Return the lowest confidence above 0 of the trial run; None if it detected nothing."""
    if not model.values or known.task is Task.CLASSIFY:
        return None
    outputs = [model.values[index] for index in layout.outputs]
    with np.errstate(all="ignore"):
        raw = known.decode(outputs, size=model.size, floor=FAINT)
    return float(raw.confidences.min()) if len(raw.confidences) else None


def misplaced(raw: DecodedDetections, size: Size) -> tuple[int, int]:
    """Return how many boxes are tiny, and how many have their centre outside of the image."""
    boxes = raw.boxes.astype(np.float64)
    sides = boxes[:, 2:] - boxes[:, :2]
    limit = np.array([size.width, size.height])
    centres = boxes[:, :2] + sides / 2
    outside = ((centres < -OVERHANG * limit) | (centres > (1 + OVERHANG) * limit)).any(axis=1)
    return int((sides < TINY).all(axis=1).sum()), int(outside.sum())


def all_misplaced(raw: DecodedDetections, size: Size) -> bool:
    """Whether there are boxes, and all are tiny, or all have their centre outside of the image."""
    if not len(raw.boxes):
        return False
    left, top, right, bottom = raw.boxes[0].tolist()
    is_inside = 0 <= left + right <= 2 * size.width and 0 <= top + bottom <= 2 * size.height
    if is_inside and max(right - left, bottom - top) >= TINY:
        return False  # as in nearly all frames
    return len(raw.boxes) in misplaced(raw, size)


def _logits(outputs: Sequence[FloatArray], layout: Layout) -> str | None:
    if layout.logits is None:
        return None
    scores = outputs[layout.logits]
    rows = scores.reshape(-1, layout.classes or 1)
    if len(rows) and rows.shape[1] > 1 and add_up_to_one(rows):
        return "its scores add up to 1, so they are not logits"
    if scores.size >= MANY and bool(((scores >= 0) & (scores <= 1)).all()):
        return "its scores are all between 0 and 1, so they are not logits"
    return None


def _confidences(outputs: Sequence[FloatArray], layout: Layout) -> str | None:
    for columns in layout.confidences:
        part = [slice(None)] * outputs[columns.output].ndim
        part[columns.axis] = slice(columns.begin, columns.end)
        numbers = outputs[columns.output][tuple(part)]
        numbers = numbers[np.isfinite(numbers)]
        if bool((numbers < 1 - CONFIDENCE_LIMIT).any()):
            return f"confidences would be below 0: {numbers.min():g}"
        if bool((numbers > CONFIDENCE_LIMIT).any()):
            return f"confidences would be above 1: {numbers.max():g}"
    return None


def _rows(raw: DecodedDetections, shown: DecodedDetections) -> str | None:
    """Say that rows are no detections; those of background may be, if they are few.

    Heads that regress the sides of a box directly have inverted boxes in empty places.
    """
    if shown.invalid or raw.removed > FEW * (raw.removed + len(raw.boxes)):
        return (
            "it would have inverted boxes, confidences above 1, or class ids that are not whole "
            "numbers"
        )
    return None


def _everywhere(raw: DecodedDetections, known: ObjectFormat) -> str | None:
    """Say that nearly every cell has an object: then another number was taken for a confidence."""
    count = len(raw.confidences)
    if known.nms_iou is None or count < CELLS:
        return None
    objects = int((raw.confidences >= OBJECT).sum())
    return (
        f"{objects} of {count} boxes would have a confidence of at least {OBJECT}, in an image "
        "without objects"
        if objects >= MOST * count
        else None
    )


def _boxes(raw: DecodedDetections, size: Size) -> str | None:
    count = len(raw.boxes)
    if not count:
        return None
    tiny, outside = misplaced(raw, size)
    if tiny >= MOST * count:
        return f"{tiny} of {count} boxes would be smaller than {TINY:g} pixels"
    if outside > HALF * count:
        return f"{outside} of {count} boxes would be outside of the image"
    limit = np.array([size.width, size.height])
    boxes = raw.boxes.astype(np.float64)
    seen = raw.confidences >= SEEN
    inner = np.clip(boxes[seen], 0, np.tile(limit, 2))
    areas = (inner[:, 2:] - inner[:, :2]).prod(axis=1)
    whole = areas >= WHOLE * limit.prod()
    if len(whole) >= SEVERAL and whole.mean() >= MOST:
        return f"{int(whole.sum())} of {len(whole)} boxes would be as large as the image"
    return None


def _class_ids(raw: DecodedDetections, layout: Layout, labels: Sequence[str] | None) -> str | None:
    class_ids = raw.class_ids[raw.confidences >= SEEN]
    if not labels or not len(class_ids):
        return None
    table = label_table(layout, tuple(labels))
    if table is None:
        return None  # the caller compares the numbers of labels
    if class_ids.max() >= len(table):
        return f"class id {class_ids.max()} would have no label of {len(labels)}"
    if layout.numbering is ClassNumbering.FROM_ONE and (class_ids == 0).any():
        return "boxes would be shown of class id 0, which is the background"
    return None


def _negative(raw: DecodedDetections) -> str | None:
    if bool((raw.confidences < 1 - CONFIDENCE_LIMIT).any()):
        return "confidences would be below 0"
    return None
