"""An environment that holds what an operator has set, and nothing of the computer's own."""

import contextlib
import os
from collections.abc import Iterator, Mapping

from agent.errors import ConfigurationError
from agent.settings.declarations import Settings
from agent.settings.load import load


@contextlib.contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    for name in before:
        if name.upper().startswith("AGENT_") or name in ("STATE_DIRECTORY", "NOTIFY_SOCKET"):
            del os.environ[name]
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def settings_of(**values: str) -> Settings:
    with environment(values):
        return load()


def problems_of(**values: str) -> list[str]:
    """The lines that an operator reads; none when all is well."""
    try:
        settings_of(**values)
    except ConfigurationError as error:
        return str(error).splitlines()
    return []
