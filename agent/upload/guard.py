"""Keeps a bug in a target from ending more than deliveries."""

from collections.abc import Iterator
from contextlib import contextmanager

from agent.errors import (
    CaptureRejected,
    StatusRefused,
    TargetBlocked,
    TargetFailed,
    TargetUnavailable,
)
from agent.printable import printable
from agent.progress import Stopping


@contextmanager
def target_errors_only(target: str) -> Iterator[None]:
    """Turn what a target must not raise into `TargetFailed`, with the cause in its traceback.

    `Stopping` passes: the worker was asked to stop while it waited for its turn.

    `target` is the name of the target, as it may be shown.
    """
    try:
        yield
    except (TargetUnavailable, TargetBlocked, CaptureRejected, StatusRefused, Stopping):
        raise
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # a library in Rust raises its panics as a BaseException
        raise TargetFailed(
            f"cannot deliver captures: a bug in the agent's code for {target}: "
            f"{type(error).__name__}: {printable(error)}; report it with its traceback"
        ) from error
