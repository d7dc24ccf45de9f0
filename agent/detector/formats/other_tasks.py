"""Refuses models of tasks that the agent cannot read: masks, keypoints, rotated boxes.

Their outputs look like those of detectors with other columns behind the classes, so a detection
format would take mask coefficients, coordinates or an angle for confidences.
"""

from agent.detector.formats.contract import ModelSignature
from agent.domain import Task
from agent.errors import ConfigurationError
from agent.printable import printable

TASKS = {
    "segment": "segmentation",
    "pose": "keypoints",
    "obb": "rotated boxes",
}
MASKS = 32  # mask coefficients of each box


def refuse_other_tasks(model: ModelSignature) -> None:
    """Raise if the metadata, or the shapes, are those of a model that is not read.

    Raises:
        ConfigurationError: The model's task is neither detection nor classification.
    """
    task = model.metadata.task
    if task is None and _has_masks(model):
        raise ConfigurationError(
            f"it is a segmentation model: an output of mask prototypes [1, {MASKS}, h, w] and "
            f"{MASKS} more columns than a detector; {_advice()}"
        )
    if task is not None and task not in (Task.DETECT, Task.CLASSIFY):
        words = f" ({TASKS[task]})" if task in TASKS else ""
        raise ConfigurationError(
            f"its metadata says `task: {printable(task, 40)}`{words}, which cannot be read yet; "
            f"{_advice()}"
        )


def _advice() -> str:
    return "export a model that was trained for detection or classification"


def _has_masks(model: ModelSignature) -> bool:
    shapes = [output.shape for output in model.outputs]
    prototypes = [shape for shape in shapes if len(shape) == 4 and shape[1] == MASKS]  # noqa: PLR2004  # axes
    tables = [shape for shape in shapes if len(shape) == 3]  # noqa: PLR2004  # axes
    return (
        len(shapes) == len(prototypes) + len(tables) == 2  # noqa: PLR2004  # one of each
        and len(prototypes) == 1
        and min(side or 0 for side in tables[0][1:]) > MASKS
    )
