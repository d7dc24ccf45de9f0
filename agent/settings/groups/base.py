"""What the groups of settings share: types of values, and how a name becomes a variable."""

from typing import Annotated

from pydantic import BeforeValidator, ByteSize, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from agent.quoted_words import split_words
from agent.settings.units import parse_duration, parse_size

PREFIX = "AGENT_"

DAY_S = 86400.0
KB = 1000
MB = 1000**2
GB = 1000**3
PB = 1000**5

Duration = Annotated[float, BeforeValidator(parse_duration)]
Size = Annotated[ByteSize, BeforeValidator(parse_size)]


def variable(field: str) -> str:
    """The environment variable of a field."""
    return PREFIX + field.upper()


def off(word: str) -> BeforeValidator:
    """Accept a word in place of None."""
    return BeforeValidator(lambda value: None if value == word else value)


def words(value: object) -> object:
    """Split a list given as one string: spaces and commas separate, quotes group."""
    if not isinstance(value, str):
        return value
    return tuple(dict.fromkeys(split_words(value.replace(",", " "))))


class SettingsGroup(BaseSettings):
    """How each group reads its variables."""

    model_config = SettingsConfigDict(
        alias_generator=variable,
        allow_inf_nan=False,
        case_sensitive=True,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )

    @field_validator("*", mode="before")
    @classmethod
    def _strip(cls, value: object) -> object:
        return value.strip() if isinstance(value, str) else value
