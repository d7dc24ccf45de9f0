"""The command line: one file per command."""

from typing import Annotated

import typer

from agent import __version__
from agent.cli import (
    as_service,
    check,
    demo,
    env,
    estimate,
    export,
    flush,
    install,
    receive,
    rejected,
    replay,
    request,
    run,
    status,
)
from agent.cli.console import errors_shown

app = typer.Typer(
    name="capture-agent",
    help="Captures the frames that a vision model gets wrong, keeps them safe on disk, and "
    "delivers each exactly once. Configured by AGENT_* environment variables: see "
    "`capture-agent env`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    del version  # its callback has printed it


for command in (
    run.run,
    flush.flush,
    check.check,
    status.status,
    export.export,
    request.request,
    demo.demo,
    replay.replay,
    estimate.estimate,
    receive.receive,
    install.install,
    install.uninstall,
    env.env,
):
    app.command()(errors_shown(command))
app.command(context_settings=as_service.WORDS_OF_OTHERS)(errors_shown(as_service.as_service))
app.add_typer(rejected.app, name="rejected")


def main() -> None:
    """The console script."""
    app()
