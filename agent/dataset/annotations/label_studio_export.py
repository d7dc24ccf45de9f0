"""Reads what people said of captures in a Label Studio project: its JSON export.

A choice says nothing of a box.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.dataset.annotations.boxes import AnnotatedBox
from agent.dataset.annotations.label_studio_shapes import boxes_of
from agent.dataset.annotations.source import ReviewError, Truth, capture_in, require_first
from agent.dataset.records import Records
from agent.printable import printable

_TEXT_MAX = 2000  # characters; a longer value is an image, not the name of one


def is_label_studio(content: Any) -> bool:
    """Whether a JSON file is an export of Label Studio's tasks rather than verdicts."""
    return (
        isinstance(content, list)
        and bool(content)
        and all(
            isinstance(task, dict) and {"data", "annotations"} <= task.keys() for task in content
        )
    )


def label_studio_boxes(file: Path, content: Any, records: Records) -> Truth:
    """Return the boxes of each task that a person annotated; none where nothing is in the image.

    Raises `ReviewError` for a region that is not understood, or two annotations of one capture.
    """
    truth: dict[str, list[AnnotatedBox]] = {}
    try:
        for task in content:
            name = capture_of(task, records)
            said = [each for each in task["annotations"] if not each.get("was_cancelled")]
            if name is None or not said:
                continue
            require_first(name, truth, file)
            if len(said) > 1:
                raise ReviewError(
                    f"cannot use {printable(file)}: it has {len(said)} annotations of the capture "
                    f"{name}; keep the one that counts"
                )
            truth[name] = list(boxes_of(said[0]["result"], records[name]))
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        why = error if type(error) is ValueError else repr(error)
        raise ReviewError(
            f"cannot read {printable(file)} as an export of Label Studio: {printable(why)}"
        ) from error
    return truth


def capture_of(task: Mapping[str, Any], records: Records) -> str | None:
    """Return the capture of a task: by its `capture_id`, else by a name of its image."""
    data = task["data"]
    values = [data.get("capture_id"), *data.values(), task.get("file_upload")]
    texts = (text for text in values if isinstance(text, str) and len(text) <= _TEXT_MAX)
    return next((name for text in texts if (name := capture_in(text, records))), None)
