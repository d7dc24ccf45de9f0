"""What the groups of settings share: types of values, and how a name becomes a variable."""

import re
from pathlib import Path
from typing import Annotated, get_args

from pydantic import BeforeValidator, ByteSize, SecretStr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from agent.path_text import path_problem
from agent.printable import printable
from agent.quoted_words import split_words
from agent.redaction import redact
from agent.settings.describe import OWN_WORDS
from agent.settings.secret_file import secret_problem
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
    def _tidy(cls, value: object, info: ValidationInfo) -> object:
        """Strip a text, and refuse what a shell would have changed."""
        if not isinstance(value, str):
            return value
        text = value.strip()
        kind = cls.model_fields[str(info.field_name)].annotation
        kinds = (kind, *get_args(kind))
        problem = None
        if Path in kinds and (problem := path_problem(text)) is not None:
            problem = f"cannot use the path '{printable(text)}': {problem}"
        elif str in kinds and re.search(r"\s#(\s|$)", text):
            problem = (
                f"cannot use '{printable(redact(text))}': what stands behind the # would belong to "
                "the value, because systemd knows no comment behind a value; move it to a line of "
                "its own"
            )
        elif str in kinds and re.fullmatch(r"(['\"])[^'\"]*\1", text):
            problem = (
                f"cannot use {printable(redact(text))}: the quotes would belong to the value; "
                "remove them"
            )
        elif SecretStr in kinds and info.field_name not in {"mqtt_url", "upload_proxy"}:
            problem = secret_problem(text)
        if problem:
            raise PydanticCustomError(OWN_WORDS, "{why}", {"why": problem})
        return text
