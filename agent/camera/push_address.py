"""Parses `push:`: a camera whose frames an application sends. Pure."""

import re

from agent.camera.source_options import read_options
from agent.domain import Task

SCHEME = "push:"

_BEGIN = re.compile(re.escape(SCHEME), re.IGNORECASE)
_TASKS = ", ".join(Task)


def is_push(source: str) -> bool:
    """Whether the frames of a source come from an application."""
    return _BEGIN.match(source) is not None


def push_task(source: str) -> Task | None:
    """Parse `push:` or `push:?task=classify`.

    Returns the task of the predictions that come with each frame; None for `push:`, whose frames
    come with predictions or without.

    Raises:
        ValueError: An option is unknown, or something else stands behind the colon.
    """
    rest = _BEGIN.sub("", source, count=1)
    if not rest:
        return None
    if not rest.startswith("?"):
        raise ValueError(
            "push: names no address, because the application sends the frames to AGENT_API; write "
            f"push: or push:?task=TASK, where TASK is one of {_TASKS}. If this is a file, write "
            "./ before it"
        )
    name = read_options(rest[1:], ("task",))["task"]
    try:
        return Task(name)
    except ValueError:
        raise ValueError(f"task={name} is unknown; allowed are {_TASKS}") from None
