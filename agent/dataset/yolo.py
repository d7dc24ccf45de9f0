"""YOLO labels: one text row for each object, and a `data.yaml` with the class names.

Pure text in, text out. No YAML library: names are written as JSON strings, which YAML reads too.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.domain import OBJECT_TASKS, Task
from agent.record.shapes import (
    COCO_KEYPOINTS,
    KEYPOINTS_MAX,
    Visibility,
    area,
    keypoint_count,
    task_of,
    visibility,
    within,
)
from agent.record.summary import LabelledBox, labelled_box

_WRITTEN_BY = "# Written by capture-agent."
_NAME = re.compile(r" {2}(\d{1,9}): (\".*\")")
_TASK = re.compile(r"task: (\w+)")
_COUNT = re.compile("[0-9]{0,4}")
_KEYPOINTS = re.compile(r"kpt_shape: \[(\d{1,4}), 3\]")


@dataclass(frozen=True, slots=True)
class LabelForm:
    """The form of all rows of one dataset, as trainers want it."""

    task: Task = Task.DETECT
    keypoints: int = 0  # of each object of a pose model; 0 while nothing says it

    def takes(self, other: "LabelForm") -> bool:
        """Whether rows of `other` fit a dataset of this form."""
        known = {self.keypoints, other.keypoints} - {0}
        return self.task is other.task and len(known) <= 1

    @property
    def folder(self) -> str:
        """The name of a folder for labels of this form: `pose-17`, or `segment`."""
        return f"{self.task}-{self.keypoints}" if self.keypoints else str(self.task)

    @classmethod
    def of_folder(cls, name: str) -> "LabelForm | None":
        """Return the form that a folder's name states; None for any other folder."""
        task, _, count = name.partition("-")
        if task not in OBJECT_TASKS or not _COUNT.fullmatch(count):
            return None
        form = cls(Task(task), int(count or "0"))
        return form if form.folder == name else None


def form_of_record(record: Mapping[str, Any]) -> LabelForm:
    """Return the form in which the labels of a record are written."""
    task = task_of(record)
    return LabelForm(task, keypoint_count(record) if task is Task.POSE else 0)


def rows(
    detections: Sequence[Mapping[str, Any]],
    classes: Sequence[int],
    *,
    width: int,
    height: int,
    form: LabelForm = LabelForm(),
) -> str:
    """Return a row for each object, in normalized coordinates, as the task wants it.

    | task | row |
    | --- | --- |
    | detect | `class x_centre y_centre width height` |
    | segment | `class x1 y1 x2 y2 x3 y3 ...`; an object without a mask has its box as polygon |
    | pose | `class x_centre y_centre width height`, then `x y visibility` of each keypoint |
    | obb | `class x1 y1 x2 y2 x3 y3 x4 y4`; an object without rotation has its upright box |

    `classes` has the class of each detection. Everything is cut at the edges of the image; of an
    object that is outside of it nothing remains. Raises `ValueError` for a box that is not four
    finite numbers.
    """
    boxes, numbers = [], []
    for detection, number in zip(detections, classes, strict=True):
        box = labelled_box(detection, width, height)
        if box is not None:
            boxes.append(box)
            numbers.append(number)
    return rows_of(boxes, numbers, width=width, height=height, form=form)


def rows_of(
    boxes: Sequence[LabelledBox],
    classes: Sequence[int],
    *,
    width: int,
    height: int,
    form: LabelForm,
) -> str:
    """Return a row for each box, as `rows` does."""
    return "".join(
        f"{number} {' '.join(_numbers(box, width, height, form))}\n"
        for box, number in zip(boxes, classes, strict=True)
    )


def data_yaml(names: Sequence[str], form: LabelForm = LabelForm()) -> str:
    """Return the `data.yaml` of a dataset whose class i is `names[i]`.

    Without `path`, trainers look beside the file, so the folder may be moved or read elsewhere.
    """
    lines = [
        f"{_WRITTEN_BY} The numbers are the model's own; a label keeps its number.",
        "# train and val are the same images here: split them by `capture-agent dataset export`.",
        "train: images",
        "val: images",
        *_form_lines(form),
        *_name_lines(names),
    ]
    return "\n".join(lines) + "\n"


def split_yaml(names: Sequence[str], form: LabelForm, images: Mapping[str, str]) -> str:
    """Return the `data.yaml` of an export; `images` has the folder of each split."""
    is_person = form.task is Task.POSE and form.keypoints == len(COCO_KEYPOINTS)
    lines = [
        "# Written by `capture-agent dataset export`; see dataset.json for its version and splits.",
        *(f"{split}: {folder}" for split, folder in images.items()),
        *_form_lines(form),
        *([f"flip_idx: {_mirrored()}"] if is_person else []),
        *_name_lines(names),
    ]
    return "\n".join(lines) + "\n"


def _form_lines(form: LabelForm) -> list[str]:
    return [
        *([f"task: {form.task}"] if form.task is not Task.DETECT else []),
        *([f"kpt_shape: [{form.keypoints}, 3]"] if form.keypoints else []),
    ]


def _name_lines(names: Sequence[str]) -> list[str]:
    return [
        "names:" if names else "names: {}",
        *(f"  {index}: {_quoted(name)}" for index, name in enumerate(names)),
    ]


def _mirrored() -> list[int]:
    """Return the number of each keypoint of a person in the mirror image."""
    other = {"left": "right", "right": "left"}
    sides = (name.partition("_") for name in COCO_KEYPOINTS)
    mirrored = [f"{other.get(side, side)}{dash}{part}" for side, dash, part in sides]
    return [COCO_KEYPOINTS.index(name) for name in mirrored]


def is_own(text: str) -> bool:
    """Whether a `data.yaml` is, or was before somebody changed it, one that the agent wrote."""
    return text.startswith(_WRITTEN_BY)


def names_of(text: str) -> list[str]:
    """Return the class names of a `data.yaml` that the agent wrote, by class.

    Raises `ValueError` for any other text: labels numbered otherwise would be silently wrong.
    """
    lines = text.splitlines()
    if "names: {}" in lines:
        return []
    if "names:" not in lines:
        raise ValueError("it has no line `names:`")
    names: list[str] = []
    for line in lines[lines.index("names:") + 1 :]:
        match = _NAME.fullmatch(line)
        if match is None or int(match[1]) != len(names):
            raise ValueError(f"the line {line!r} is not ours")
        names.append(json.loads(match[2]))
    return names


def form_of(text: str) -> LabelForm:
    """Return the form of the labels by a `data.yaml` that the agent wrote.

    One without a task is of boxes, as are all that older versions wrote. Raises `ValueError` for a
    task that this version cannot write.
    """
    head = text.splitlines()
    head = head[: next((n for n, line in enumerate(head) if line.startswith("names:")), None)]
    task, keypoints = Task.DETECT, 0
    for line in head:
        if stated := _TASK.fullmatch(line):
            task = Task(stated[1])
        elif shape := _KEYPOINTS.fullmatch(line):
            keypoints = int(shape[1])
    if task is Task.CLASSIFY or keypoints > KEYPOINTS_MAX:
        raise ValueError(f"it has no labels of the task {task}")
    return LabelForm(task, keypoints)


def _numbers(box: LabelledBox, width: int, height: int, form: LabelForm) -> Iterator[str]:
    """Return the numbers of a row after its class."""
    if form.task is Task.SEGMENT:
        yield from _positions(box.outline, width, height)
        return
    if form.task is Task.OBB:
        corners = within(box.corners, width, height)
        # What is left of a corner in the image can be a line, which is no object to a trainer.
        outline = corners if corners and area(corners) > 0 else box.rectangle
        yield from _positions(outline, width, height)
        return
    left, right = box.x_min / width, box.x_max / width
    top, bottom = box.y_min / height, box.y_max / height
    for share in ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top):
        yield f"{share:.6f}"
    if form.task is Task.POSE:
        missing = (0.0, 0.0, 0.0)
        found = box.keypoints[: form.keypoints]
        for x, y, confidence in (*found, *[missing] * (form.keypoints - len(found))):
            seen = visibility(confidence)
            if seen is Visibility.NOT_LABELLED:
                x = y = 0.0  # noqa: PLW2901 (as COCO writes it)
            yield from (f"{x / width:.6f}", f"{y / height:.6f}", f"{seen:d}")


def _positions(points: Sequence[tuple[float, float]], width: int, height: int) -> Iterator[str]:
    for x, y in points:
        yield from (f"{x / width:.6f}", f"{y / height:.6f}")


def _quoted(text: str) -> str:
    # YAML takes letters of any language as they are, but wants invisible characters escaped; its
    # escapes of up to four digits are JSON's.
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(
        c if c.isprintable() or ord(c) > 0xFFFF else f"\\u{ord(c):04x}"  # noqa: PLR2004
        for c in quoted
    )
