"""`capture-agent env`."""

from agent.settings.render import env_file


def env() -> None:
    """Print the env file: every setting, its meaning and its default.

    Example: capture-agent env > capture-agent.env
    """
    print(env_file(), end="")
