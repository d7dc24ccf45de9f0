"""The environment, read into settings, or all that is wrong with it."""

import os
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from agent.errors import ConfigurationError
from agent.redaction import redact
from agent.settings.declarations import PREFIX, Settings, variable
from agent.settings.describe import explain
from agent.settings.units import closest, one_line

_SECRETS = frozenset({"upload_token", "upload_proxy"})
_VARIABLES = tuple(variable(field) for field in Settings.model_fields)


def load(
    *, needs_cameras: bool = False, further: Callable[[Settings], object] | None = None
) -> Settings:
    """Read the environment.

    `further` looks at what no declaration can tell, such as whether an address names a target that
    exists, and raises `ConfigurationError`; it is asked even when other settings are wrong, as if
    those were not set.

    Raises `ConfigurationError` that lists every problem, one a line: the variable, what is
    allowed, and the value.
    """
    problems = [_unknown(name) for name in sorted(os.environ) if _is_unknown(name)]
    if needs_cameras and not os.environ.get(variable("cameras")):
        problems.append(
            f"{variable('cameras')}: required; set it to a camera such as /dev/video0, "
            "rtsp://host/path, or a video file"
        )
    settings = None
    wrong: set[str] = set()
    try:
        settings = Settings()
    except ValidationError as error:
        problems += [_problem(dict(item)) for item in error.errors()]
        wrong = {_field(dict(item)) for item in error.errors()}
    if further is not None:
        try:
            further(settings or _right_ones(wrong))
        except ConfigurationError as error:
            problems += str(error).splitlines()
    if problems or settings is None:
        raise ConfigurationError("\n".join(dict.fromkeys(problems)))
    return settings


def without_environment(**values: Any) -> Settings:
    """Settings with these values and the defaults, whatever the environment says."""

    class Given(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            del settings_cls, env_settings, dotenv_settings, file_secret_settings
            return (init_settings,)

    return Given(**{variable(name): value for name, value in values.items()})


def _right_ones(wrong: set[str]) -> Settings:
    """What the environment says, but for the wrong ones."""
    if "floor" in wrong:  # the default may be above such a threshold as well
        wrong = wrong | {"threshold", "thresholds"}
    given = {field: os.environ.get(variable(field)) for field in Settings.model_fields}
    return without_environment(
        **{field: value for field, value in given.items() if value and field not in wrong}
    )


def _field(item: dict[str, Any]) -> str:
    return str(item["loc"][0]).removeprefix(PREFIX).lower()


def _problem(item: dict[str, Any]) -> str:
    """One validation error as a line for the operator."""
    name = _field(item)
    raw = os.environ.get(variable(name), "").strip()
    shown = "***" if name in _SECRETS else one_line(redact(raw))
    return f"{variable(name)}: {explain(item, Settings.model_fields[name], raw, shown)}"


def _is_unknown(name: str) -> bool:
    """Whether the name is meant for us and is none of ours, such as one in lower case."""
    return name.upper().startswith(PREFIX) and name not in _VARIABLES


def _unknown(name: str) -> str:
    near = closest(name.upper(), _VARIABLES)
    hint = f"did you mean {near}?" if near else "see `capture-agent env` for all names"
    return f"{one_line(name)}: unknown; {hint}"
