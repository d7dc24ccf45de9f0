"""The command line: one file per command, imported only when that command runs.

A device runs `status` often, and on a slow processor each import is felt: listing the commands
reads their docstrings without importing them, and a command imports only what it needs.
"""

from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from agent import __version__

COMMANDS = {
    "run": "run:run",
    "flush": "flush:flush",
    "check": "check:check",
    "status": "status:status",
    "export": "export:export",
    "request": "request:request",
    "look": "look:look",
    "demo": "demo:demo",
    "replay": "replay:replay",
    "pool": "pool:pool",
    "evaluate": "evaluate:evaluate",
    "feedback": "feedback:feedback",
    "receive": "receive:receive",
    "fleet": "fleet:fleet",
    "review": "review:review",
    "dataset": "dataset.group:app",
    "install": "install:install",
    "uninstall": "install:uninstall",
    "env": "env:env",
    "as-service": "as_service:as_service",
    "rejected": "rejected:app",
}
"""Each command, in the order of `--help`, with its module in this folder and its function there, or
the group of its subcommands."""

_OPTIONS_OF_ANOTHER_COMMAND = {"ignore_unknown_options": True, "allow_interspersed_args": False}


def command_app(name: str) -> typer.Typer:
    """Import a command; return its own Typer application, with subcommands where it has some."""
    from importlib import import_module

    from agent.cli.console import errors_shown

    module, _, attribute = COMMANDS[name].partition(":")
    found = getattr(import_module(f"{__name__}.{module}"), attribute)
    if isinstance(found, typer.Typer):
        return found
    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    settings = _OPTIONS_OF_ANOTHER_COMMAND if name == "as-service" else None
    single.command(name, context_settings=settings)(errors_shown(found))
    return single


def summary(name: str) -> str:
    """The docstring of a command up to its first blank line, read without importing the command."""
    import ast

    module, _, attribute = COMMANDS[name].partition(":")
    path = Path(__file__).parent.joinpath(*module.split(".")).with_suffix(".py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == attribute:
            text = ast.get_docstring(node) or ""
            break
    else:  # a group: its module says what it is, after "`capture-agent NAME`: "
        text = (ast.get_docstring(tree) or "").partition(": ")[2].capitalize()
    return " ".join(text.split("\n\n")[0].split())


class _LazyCommands(MutableMapping[str, Any]):
    """Commands by name; each is imported when it is looked up."""

    def __init__(self) -> None:
        self._added: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name in self._added:
            return self._added[name]
        if name not in COMMANDS:
            raise KeyError(name)
        command = typer.main.get_command(command_app(name))
        command.name = name
        return command

    def __setitem__(self, name: str, command: Any) -> None:
        self._added[name] = command

    def __delitem__(self, name: str) -> None:
        del self._added[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**COMMANDS, **self._added})

    def __len__(self) -> int:
        return len(COMMANDS | self._added)


class CommandGroup(TyperGroup):
    """A group whose help shows the whole first paragraph of each command."""

    def summaries(self) -> dict[str, str]:
        """The first paragraph of each command."""
        return {
            name: " ".join((command.help or "").split("\n\n")[0].split())
            for name, command in self.commands.items()
        }

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(self.summaries().items()))


class _LazyGroup(CommandGroup):
    """The group of all commands."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.commands = _LazyCommands()

    def summaries(self) -> dict[str, str]:
        """The first paragraph of each command, read without importing it."""
        return {name: summary(name) for name in COMMANDS}


app = typer.Typer(
    cls=_LazyGroup,
    name="capture-agent",
    help="Captures the frames that a vision model gets wrong, keeps them safe on disk, and "
    "delivers each exactly once. Configured by AGENT_* environment variables: see "
    "`capture-agent env`.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
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


def main() -> None:
    """The console script."""
    from agent.cli.streams import bugs_shown, open_streams, refused_output_shown

    open_streams()
    with bugs_shown(), refused_output_shown():
        app()
