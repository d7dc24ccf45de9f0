"""`capture-agent dataset`: export, import, merge, check or extend a dataset folder.

The modules of the subcommands import what is large inside of their functions: all of them are
imported when one runs.
"""

import typer

from agent.cli import CommandGroup
from agent.cli.dataset.export import export
from agent.cli.dataset.health import health
from agent.cli.dataset.import_ import import_
from agent.cli.dataset.merge import merge
from agent.cli.dataset.synthesize import synthesize

app = typer.Typer(
    cls=CommandGroup,
    help="Export, import, merge, check or extend a dataset folder.",
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
)


@app.callback()
def _group() -> None:
    """Keep the names of subcommands even while there is only one."""


app.command()(export)
app.command("import")(import_)
app.command()(merge)
app.command()(health)
app.command()(synthesize)
