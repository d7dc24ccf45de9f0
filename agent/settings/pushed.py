"""What does not fit together in settings with `push:` cameras. Pure."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent.camera.address import SourceKind
from agent.domain import OBJECT_TASKS

if TYPE_CHECKING:
    from agent.settings.declarations import Settings


def pushed_problems(settings: "Settings") -> Iterator[str]:
    """Yield each problem, with the fix."""
    pushed = [each for each in settings.cameras if each.kind is SourceKind.PUSH]
    names = " and ".join(each.name for each in pushed)
    if pushed and settings.api is None:
        yield (
            f"the application sends the frames of {names} to AGENT_API, which is off; set "
            "AGENT_API=unix:/run/capture-agent/api.sock, or AGENT_API=127.0.0.1:8787"
        )
    tasks = dict.fromkeys(each.task for each in pushed if each.task is not None)
    if len(tasks) > 1:
        yield (
            f"{names} have the tasks {' and '.join(tasks)}, and one daemon has rules for one "
            "task; run a daemon for each task"
        )
    if settings.redact and any(task not in OBJECT_TASKS for task in tasks):
        yield (
            f"the classifier of {names} says nowhere where something is, so that AGENT_REDACT "
            "could hide nothing; unset AGENT_REDACT and hide regions with AGENT_MASKS"
        )
