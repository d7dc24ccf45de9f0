"""A new model is loaded in a subprocess first, so that a crash does not end the daemon.

A driver that cannot run a graph, or a model too large for the memory, kills its process without an
error message. A daemon that loaded such a model itself would restart for ever.
"""

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from agent.errors import ModelUnusable

COMMAND = (sys.executable, "-m", "agent.cli.load_model")


def check_in_subprocess(path: Path, limit: float, command: Sequence[str] = COMMAND) -> None:
    """Load and run the settings' model in a subprocess, for at most `limit` seconds.

    Only a crash or a timeout counts here. The caller loads the model next and gets the errors
    that it raises.

    Raises:
        ModelUnusable: The subprocess was killed, or did not end in time.
    """
    quiet = subprocess.DEVNULL
    try:
        ended = subprocess.run(  # noqa: S603  # our own interpreter and module
            command, stdin=quiet, stdout=quiet, stderr=quiet, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ModelUnusable(
            f"cannot use the model {path}: loading it took longer than {limit:.0f} s"
        ) from error
    except OSError:
        return  # no subprocess can be started: the caller loads the model without this check
    if ended.returncode < 0:
        raise ModelUnusable(
            f"cannot use the model {path}: it crashed the process that loaded it "
            f"({signal.Signals(-ended.returncode).name}); it may need more memory, or another "
            "version of onnxruntime or of the driver"
        )
