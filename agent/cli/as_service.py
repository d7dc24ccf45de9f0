"""`capture-agent as-service`."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from agent.cli import console
from agent.errors import ConfigurationError
from agent.install.plan import ENV_FILE, UNIT_NAME, hidden_from_the_service
from agent.settings.declarations import PREFIX

_OF_THE_DAEMON = ("Exec", "KillMode", "Notify", "PIDFile", "Restart", "Standard", "Timeout", "Type")
_WATCH = ("Watchdog", "SuccessExit")


def as_service(
    words: Annotated[list[str], typer.Argument(metavar="COMMAND...", show_default=False)],
    writable: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder into which the command may write, a mounted stick for example; it must "
            "belong to the service's user.",
            exists=True,
            file_okay=False,
            resolve_path=True,
        ),
    ] = None,
) -> None:
    """Run another command as the installed service runs: its settings, token, user and sandbox.

    Example: sudo capture-agent as-service check

    What works here works in the service: `check` tries its cameras, with its rights; `status` looks
    at its captures. Options of the other command stand behind its name.
    """
    folders = [str(path) for path in writable or ()]
    for folder in filter(hidden_from_the_service, folders):
        raise ConfigurationError(f"--writable: the service's sandbox hides {folder}")
    tool = shutil.which("systemd-run")
    if tool is None:
        raise ConfigurationError("cannot run as the service: this computer has no systemd-run")
    if os.geteuid() != 0:
        raise ConfigurationError("cannot run as the service: only root may. Run it with sudo")
    command = transient(_unit(), words, writable=folders, terminal=os.isatty(0) and os.isatty(1))
    sys.stdout.flush()
    console.return_stderr()
    os.execv(tool, command)  # noqa: S606 (no shell; its exit code becomes ours)


def hint(command: str) -> str | None:
    """What to say to somebody who looks for the service in a terminal that knows nothing of it."""
    told = any(name.startswith(PREFIX) or name == "STATE_DIRECTORY" for name in os.environ)
    if told or not Path(ENV_FILE).exists():
        return None
    return f"a service is installed here; sudo capture-agent as-service {command} looks at it"


def transient(
    unit: str, words: Sequence[str], *, writable: Sequence[str] = (), terminal: bool
) -> list[str]:
    """The words that run a command in a unit of its own, made as the service's is."""
    service = list(_settings(unit))
    starts = [value for key, value in service if key == "ExecStart" and value]
    if not starts:
        raise ConfigurationError(f"cannot run as the service: {UNIT_NAME} starts nothing")
    program = shlex.split(starts[-1].replace("%%", "%"))[0]
    kept = [(k, v) for k, v in service if not k.startswith((*_OF_THE_DAEMON, *_WATCH))]
    kept += [("ReadWritePaths", _quoted(folder)) for folder in writable]
    properties = [f"--property={key}={value}" for key, value in kept]
    how = "--pty" if terminal else "--pipe"
    return ["systemd-run", "--quiet", "--wait", "--collect", how, *properties, program, *words]


def _quoted(path: str) -> str:
    """As systemd reads a path with blanks in it."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _settings(unit: str) -> list[tuple[str, str]]:
    """Keys and values of all [Service] sections, those of drop-ins too, in their order."""
    found, section = [], ""
    for raw in unit.replace("\\\n", " ").splitlines():
        line = raw.strip()
        if line.startswith("["):
            section = line
        elif section == "[Service]" and "=" in line and not line.startswith(("#", ";")):
            key, _, value = line.partition("=")
            found.append((key.strip(), value.strip()))
    return found


def _unit() -> str:
    """The unit with its drop-ins, as systemd reads it."""
    words = ("systemctl", "cat", "--no-pager", UNIT_NAME)
    # The words are ours; no shell reads them.
    done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise ConfigurationError(
            f"cannot run as the service: {done.stderr.strip()} Install it first: "
            "capture-agent install"
        )
    return done.stdout
