"""A new model is tried in a process of its own, so that one that kills its process kills only that.

A driver that does not bear a graph, or a model too large for the memory, ends a process without a
word. A device whose daemon tried such a model would start again and again.
"""

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from agent.errors import ModelUnusable

COMMAND = (sys.executable, "-m", "agent.cli.load_model")


def try_apart(path: Path, limit: float, command: Sequence[str] = COMMAND) -> None:
    """Load and run the settings' model in another process, for at most `limit` seconds.

    What it raises there it raises for the caller too, who loads it next; here only its end counts.

    Raises:
        ModelUnusable: The process was killed, or did not end in time.
    """
    quiet = subprocess.DEVNULL
    try:
        ended = subprocess.run(  # noqa: S603  # our own interpreter and module
            command, stdin=quiet, stdout=quiet, stderr=quiet, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ModelUnusable(
            f"cannot use the model {path}: it was not loaded within {limit:.0f} s"
        ) from error
    except OSError:
        return  # no process can be made: the caller finds out by itself
    if ended.returncode < 0:
        raise ModelUnusable(
            f"cannot use the model {path}: it ended the process that tried it "
            f"({signal.Signals(-ended.returncode).name}); it may need more memory than there is, "
            "or another version of onnxruntime or of the driver"
        )
