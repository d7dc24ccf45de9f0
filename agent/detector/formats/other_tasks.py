"""Refuses models of tasks that the agent does not read, and formats of another task.

The outputs of different tasks look alike: a format of another task would take mask coefficients,
coordinates or an angle for confidences.
"""

from collections.abc import Sequence

from agent.detector.formats.contract import AnyFormat, ModelSignature
from agent.domain import Task
from agent.errors import ConfigurationError
from agent.printable import printable

OTHERS = {
    "semantic": "a class for each pixel",
    "depth": "distances",
}
DECLARED = (Task.SEGMENT, Task.POSE, Task.OBB)
"""Tasks whose formats say what is wrong with a model that declares them."""

MAP_AXES = 4
COARSEST = 8  # pixels of the input for each of the output, in a model that classifies pixels


def refuse_other_tasks(model: ModelSignature) -> None:
    """Raise if the metadata names a task that is not read.

    Raises:
        ConfigurationError: The task is none of `Task`.
    """
    task = model.metadata.task
    if task is not None and task not in list(Task):
        words = f" ({OTHERS[task]})" if task in OTHERS else ""
        raise ConfigurationError(
            f"its metadata says `task: {printable(task, 40)}`{words}, which cannot be read; "
            f"{_advice()}"
        )


def has_task(known: AnyFormat, model: ModelSignature) -> bool:
    """Whether a format is for the task that the model's metadata names, if it names one."""
    return model.metadata.task in (None, known.task)


def require_task(known: AnyFormat, model: ModelSignature) -> None:
    """Raise `ConfigurationError` if the format is for another task than the model."""
    if not has_task(known, model):
        raise ConfigurationError(
            f"{known.name} reads models of the task {known.task}; this model's task is "
            f"{model.metadata.task}"
        )


def refuse_undecided(model: ModelSignature, reasons: Sequence[str]) -> None:
    """Raise if a model that no format recognises has a task that explains it.

    Args:
        model: Without a format.
        reasons: Why the formats of its task do not fit.

    Raises:
        ConfigurationError: The metadata names a task, but the outputs are not those of such a
            model; or the outputs are images.
    """
    if model.metadata.task in DECLARED:
        raise ConfigurationError(
            f"its metadata says `task: {model.metadata.task}`, but no format of this task fits: "
            f"{'; '.join(reasons)}"
        )
    shapes = [output.shape for output in model.outputs]
    if model.metadata.task is None and len(shapes) == 1 and len(shapes[0]) == MAP_AXES:
        _, _, height, width = shapes[0]
        if COARSEST * (height or 0) >= model.size.height > COARSEST and (
            COARSEST * (width or 0) >= model.size.width
        ):
            raise ConfigurationError(
                "its only output is an image, as of a model that says the class of each pixel, or "
                f"its distance; {_advice()}"
            )


def _advice() -> str:
    return "export a model for objects (detect, segment, pose, obb) or for classification"
