"""A new model is loaded in a subprocess first, so that a crash does not end the daemon.

A driver that cannot run a graph, or a model too large for the memory, kills its process without an
error message. A daemon that loaded such a model itself would restart for ever.

The subprocess gets what a model needs and no more: its working directory is `/`, Python is isolated
(`-I`: nothing is imported from the current folder, PYTHONPATH or the user's folder), and its
environment has no settings but those of the model, and no secrets.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import agent
from agent.errors import ModelUnusable

PACKAGE_FOLDER = str(Path(agent.__file__).resolve().parents[1])

_START = (
    "import sys; "
    "sys.path += [each for each in sys.argv[1:] if each not in sys.path]; "
    "from agent.cli.load_model import main; "
    "sys.exit(main())"
)

SETTINGS = frozenset(
    {
        "AGENT_FLOOR",
        "AGENT_INFERENCE_THREADS",
        "AGENT_MODEL",
        "AGENT_MODEL_FORMAT",
        "AGENT_MODEL_INPUT",
        "AGENT_MODEL_LABELS",
        "AGENT_MODEL_SHA256",
        "AGENT_PROVIDERS",
        "AGENT_SPOOL_DIR",
        "AGENT_STATE_DIR",
        "AGENT_THRESHOLD",
        "AGENT_THRESHOLDS",
    }
)
"""The settings that decide how a model is loaded, and those that they are checked against."""

_OURS = re.compile(r"AGENT_|NOTIFY_SOCKET|WATCHDOG_|LISTEN_|CREDENTIALS_DIRECTORY|STATE_DIRECTORY")
_SECRET = re.compile(
    r"TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE|AUTH|COOKIE|PROXY|DSN",
    re.IGNORECASE,
)


def command() -> tuple[str, ...]:
    """Return the command of the subprocess.

    The folders of this process's imports are searched last, and the current folder is not among
    them, unless the agent itself is there.
    """
    here = str(Path.cwd())
    folders = [each for each in sys.path if Path(each).is_absolute() and each != here]
    return sys.executable, "-I", "-c", _START, PACKAGE_FOLDER, *folders


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for the subprocess: libraries and drivers read many of them."""
    return {
        name: value
        for name, value in environ.items()
        if name in SETTINGS or not (_OURS.match(name) or _SECRET.search(name))
    }


def check_in_subprocess(
    path: Path,
    limit: float,
    start: Sequence[str] | None = None,
    *,
    settings: Mapping[str, str] | None = None,
) -> None:
    """Load and run the settings' model in a subprocess, for at most `limit` seconds.

    Only a crash or a timeout counts here. The caller loads the model next and gets the errors
    that it raises.

    Args:
        path: The model, for messages.
        limit: Seconds.
        start: The command; `command()` by default.
        settings: Variables that replace those of this process: with absolute paths.

    Raises:
        ModelUnusable: The subprocess was killed, or did not end in time.
    """
    quiet = subprocess.DEVNULL
    try:
        ended = subprocess.run(  # noqa: S603  # our own interpreter and module
            start or command(),
            stdin=quiet,
            stdout=quiet,
            stderr=quiet,
            timeout=limit,
            check=False,
            cwd="/",
            env=environment(os.environ) | dict(settings or {}),
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
