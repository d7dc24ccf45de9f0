"""The command line in this process: a process of its own costs half a second each time."""

import contextlib
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from unittest import mock

from typer.testing import CliRunner

from agent.cli import app


def call_here(
    *words: object, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; a bug raises here.

    `environment` replaces that of this process; the command works in `folder`.
    """
    arguments = [*map(str, words)]
    with contextlib.ExitStack() as stack:
        if environment is not None:
            stack.enter_context(mock.patch.dict(os.environ, environment, clear=True))
        if folder is not None:
            stack.enter_context(contextlib.chdir(folder))
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    return subprocess.CompletedProcess(arguments, result.exit_code, result.stdout, result.stderr)
