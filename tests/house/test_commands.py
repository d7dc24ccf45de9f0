"""What holds for every command, the next one included."""

import os

from typer.testing import CliRunner

from agent.cli import COMMANDS, app, command_app, summary
from agent.cli.console import errors_shown


def commands() -> dict[str, object]:
    """Every command and subcommand by the words that call it."""
    found: dict[str, object] = {}
    for name in COMMANDS:
        registered = command_app(name).registered_commands
        for info in registered:
            own = str(info.name or (info.callback and info.callback.__name__))
            found[name if own == name else f"{name} {own}"] = info.callback
    return found


def test_every_command_writes_for_its_user_alone() -> None:
    """`errors_shown` sets the umask, and stands around each of them."""
    wrapped = {name: hasattr(command, "__wrapped__") for name, command in commands().items()}
    assert len(wrapped) > 10
    assert [name for name, is_wrapped in wrapped.items() if not is_wrapped] == []

    before = os.umask(0o022)
    try:
        errors_shown(lambda: None)()
        assert os.umask(0o022) == 0o077
    finally:
        os.umask(before)


def test_the_list_of_commands_shows_what_each_help_begins_with() -> None:
    """It is read without importing the commands."""
    for name in COMMANDS:
        help_text = CliRunner().invoke(app, [name, "--help"]).output
        first = summary(name).split()[:4]
        assert summary(name).endswith((".", "it"))
        if name != "rejected":
            assert " ".join(first) in " ".join(help_text.split())
