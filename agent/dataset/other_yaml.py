"""A `data.yaml` that another program or a person wrote: the classes and the form of the labels."""

from typing import Any

import yaml

from agent.dataset.yolo import LabelForm
from agent.domain import Task
from agent.record.shapes import KEYPOINTS_MAX


def read_yaml(text: str) -> tuple[list[str], LabelForm]:
    """Return the class names, by class, and the form of the labels.

    Raises `ValueError` where it does not name all classes from 0 on, each once.
    """
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError("it is not valid YAML") from error
    if not isinstance(content, dict):
        raise ValueError("it has no `names`")  # noqa: TRY004
    return _names(content.get("names")), _form(content)


def _names(stated: Any) -> list[str]:
    if isinstance(stated, dict):
        if set(stated) != set(range(len(stated))):
            raise ValueError("its `names` are not numbered 0, 1, 2, ...")
        stated = [stated[number] for number in range(len(stated))]
    if not isinstance(stated, list) or not all(isinstance(name, str) for name in stated):
        raise ValueError("its `names` must be a list of texts, or a text for each number")
    if len(set(stated)) < len(stated):
        raise ValueError("its `names` have a name twice")
    return stated


def _form(content: dict[Any, Any]) -> LabelForm:
    shape = content.get("kpt_shape")
    keypoints = shape[0] if isinstance(shape, list) and shape else 0
    task = Task(content.get("task") or (Task.POSE if keypoints else Task.DETECT))
    if not isinstance(keypoints, int) or not 0 <= keypoints <= KEYPOINTS_MAX:
        raise ValueError(f"its `kpt_shape` must begin with a number up to {KEYPOINTS_MAX}")
    if task is Task.CLASSIFY:
        raise ValueError(f"it has no labels of the task {task}")
    return LabelForm(task, keypoints)
