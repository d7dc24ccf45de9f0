"""What holds for every command, the next one included."""

import os

import typer

from agent.cli import app
from agent.cli.console import errors_shown


def commands(of: typer.Typer) -> dict[str, object]:
    found: dict[str, object] = {
        str(info.callback and info.callback.__name__): info.callback
        for info in of.registered_commands
    }
    for group in of.registered_groups:
        if group.typer_instance is not None:
            found |= {
                f"{group.name} {name}": command
                for name, command in commands(group.typer_instance).items()
            }
    return found


def test_every_command_writes_for_its_user_alone() -> None:
    """`errors_shown` sets the umask, and stands around each of them."""
    wrapped = {name: hasattr(command, "__wrapped__") for name, command in commands(app).items()}
    assert len(wrapped) > 10
    assert [name for name, is_wrapped in wrapped.items() if not is_wrapped] == []

    before = os.umask(0o022)
    try:
        errors_shown(lambda: None)()
        assert os.umask(0o022) == 0o077
    finally:
        os.umask(before)
