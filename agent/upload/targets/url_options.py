"""The part of AGENT_UPLOAD_URL after the "?", where a target has options."""

from collections.abc import Collection
from enum import StrEnum
from typing import TypeVar
from urllib.parse import parse_qsl

from agent.errors import ConfigurationError

_Choice = TypeVar("_Choice", bound=StrEnum)


class UrlOptions:
    """Options as `name=value&name=value`, each known by name.

    Raises `ConfigurationError` for any other. A value is never repeated in a message: a key
    that was put there by mistake must not appear in the log.
    """

    def __init__(self, query: str, allowed: Collection[str]) -> None:
        try:
            pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True) if query else []
        except ValueError:
            pairs = [("", "")]
        if not all(name in allowed and value for name, value in pairs):
            raise ConfigurationError(
                'AGENT_UPLOAD_URL: what follows "?" must be name=value, with "&" between two, and '
                f"the names are {', '.join(sorted(allowed))}; a key belongs into AGENT_UPLOAD_TOKEN"
            )
        self._pairs = pairs

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of an option that may stand there several times."""
        return tuple(value for other, value in self._pairs if other == name)

    def one(self, name: str) -> str | None:
        """The value of an option, None where it is not given."""
        values = self.all(name)
        if len(values) > 1:
            raise ConfigurationError(f"AGENT_UPLOAD_URL: the option {name} is there twice")
        return values[0] if values else None

    def choice(self, name: str, default: _Choice) -> _Choice:
        """The value of an option that has a list of values."""
        value = self.one(name)
        if value is None:
            return default
        choices = type(default)
        if value not in list(choices):
            raise ConfigurationError(
                f"AGENT_UPLOAD_URL: the option {name} must be one of {', '.join(choices)}"
            )
        return choices(value)
