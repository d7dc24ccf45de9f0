"""`capture-agent install` and `capture-agent uninstall`."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from agent.errors import ConfigurationError
from agent.install import apply as installer
from agent.install.plan import (
    ENV_FILE,
    SETTINGS_FOLDER,
    TOKEN_FILE,
    UNIT,
    Message,
    Step,
    hidden_from_the_service,
    plan_install,
    plan_uninstall,
)

DryRun = Annotated[bool, typer.Option("--dry-run", help="Print each step and change nothing.")]
Root = Annotated[
    Path,
    typer.Option(
        "--root", help="Root folder of an image to work on.", exists=True, file_okay=False
    ),
]

_NEXT = f"""
Next:
  1. Name your cameras and the endpoint:  nano {ENV_FILE}
  2. If the endpoint wants a token, put it into {TOKEN_FILE}
  3. Try all of it as the service would:  {{executable}} as-service check
  4. Start it, now and at each boot:      systemctl enable --now capture-agent
     After a change of the settings:      systemctl restart capture-agent
  5. Watch it:                            journalctl -fu capture-agent
"""
_NEXT_IN_IMAGE = f"""
Next:
  1. Settings of the image: {{root}}{ENV_FILE}, the token in {{root}}{TOKEN_FILE}
  2. The agent itself must be in the image as {{executable}}
  3. Start it at each boot: systemctl --root={{root}} enable capture-agent
"""


def install(
    root: Root = Path("/"),
    executable: Annotated[
        str | None,
        typer.Option(help="The capture-agent to start, as the machine sees it. Default: this one."),
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Install this capture-agent as a service: user, folders, settings, unit.

    Example: sudo /opt/capture-agent/bin/capture-agent install

    May be repeated, after an update for example: settings and token that exist are never touched.
    """
    root = root.resolve()
    _only_root_may(root, dry_run=dry_run)
    if executable is None:
        own = installer.own_executable()
        inside = Path(own).is_relative_to(root) and root != Path("/")
        executable = f"/{Path(own).relative_to(root)}" if inside else own
    elif not executable.startswith("/"):
        raise ConfigurationError(f"--executable: must be a path from the root, not {executable}")
    elif hidden_from_the_service(executable):
        raise ConfigurationError(f"--executable: the service's sandbox hides {executable}")
    steps = plan_install(installer.look(root, executable))
    _go(steps, root, dry_run=dry_run)
    if not dry_run:
        text = _NEXT if root == Path("/") else _NEXT_IN_IMAGE
        print(text.format(root=root, executable=executable), end="")


def uninstall(
    root: Root = Path("/"),
    purge: Annotated[
        bool, typer.Option("--purge", help="Delete captures, settings and the user too.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Stop the service and remove it; captures and settings stay unless --purge.

    Example: sudo /opt/capture-agent/bin/capture-agent uninstall --dry-run
    """
    root = root.resolve()
    _only_root_may(root, dry_run=dry_run)
    _go(plan_uninstall(installer.look(root, ""), purge=purge), root, dry_run=dry_run)


def _go(steps: Sequence[Step], root: Path, *, dry_run: bool) -> None:
    os.umask(0o022)  # the folders above ours are everybody's; ours get their modes
    for step in steps:
        mark = "note" if isinstance(step, Message) else "would" if dry_run else "done"
        if not dry_run:
            installer.carry_out(step, root)
        print(f"{mark:<5} {installer.shown(step)}")


def _only_root_may(root: Path, *, dry_run: bool) -> None:
    if root == Path("/") and os.geteuid() != 0 and not dry_run:
        raise ConfigurationError(
            f"cannot change {UNIT} and {SETTINGS_FOLDER}: only root may. Run it with sudo, or look "
            "at what it would do with --dry-run."
        )
