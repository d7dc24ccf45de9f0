"""Reads the environment into settings, or lists every problem in it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from agent.errors import ConfigurationError
from agent.redaction import MASK, redact, remember_secrets, secrets_of
from agent.settings.declarations import PREFIX, Settings, variable
from agent.settings.describe import explain, is_secret
from agent.settings.units import closest, one_line

_VARIABLES = tuple(variable(field) for field in Settings.model_fields)


def load(
    *, needs_cameras: bool = False, further: Callable[[Settings], object] | None = None
) -> Settings:
    """Read the environment.

    `further` checks what no declaration can, such as whether an address names a target that exists,
    and raises `ConfigurationError`. It is called even when other settings are invalid; those then
    have their defaults.

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
        settings = Settings(**(_state_folders() | _credential()))
    except ConfigurationError as error:  # of the credential
        problems.append(str(error))
    except ValidationError as error:
        problems += [_problem(dict(item)) for item in error.errors()]
        wrong = {_field(dict(item)) for item in error.errors()}
    if further is not None:
        try:
            further(settings or _valid_ones(wrong))
        except ConfigurationError as error:
            problems += str(error).splitlines()
    if settings is not None:
        remember_secrets(_secrets(settings))
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


def token_file() -> Path | None:
    """Return where systemd puts the upload secret; None outside of a service."""
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    return Path(directory) / "upload_token" if directory else None


def _secrets(settings: Settings) -> Iterator[str]:
    """Yield every secret in the settings; the name of a camera is none."""
    names = {camera.name for camera in settings.cameras}
    addresses = [camera.source for camera in settings.cameras]
    if settings.upload_proxy:
        addresses.append(settings.upload_proxy.get_secret_value())
    for address in addresses:
        yield from (each for each in secrets_of(address) if each not in names)
    if settings.token:
        yield settings.token


def _valid_ones(wrong: set[str]) -> Settings:
    """Settings from the environment; the invalid ones have their defaults."""
    if "floor" in wrong:  # the default may be above such a threshold as well
        wrong = wrong | {"threshold", "thresholds"}
    given = {field: os.environ.get(variable(field)) for field in Settings.model_fields}
    kept = {field: value for field, value in given.items() if value and field not in wrong}
    folders = {_name(each): folder for each, folder in _state_folders().items()}
    return without_environment(**(folders | kept))


def _state_folders() -> dict[str, Any]:
    """Return the folders under the one that systemd made, where no variable names another."""
    state = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if not state:
        return {}
    folders = {variable("spool_dir"): Path(state) / "spool", variable("state_dir"): Path(state)}
    return {name: folder for name, folder in folders.items() if not os.environ.get(name)}


def _credential() -> dict[str, str]:
    """Return the upload secret of systemd's credentials folder, which overrides the variable.

    Raises `ConfigurationError` when the file exists and cannot be read.
    """
    file = token_file()
    try:
        text = file.read_text(encoding="utf-8").strip() if file and file.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read the credential {file}: {error}") from error
    return {variable("upload_token"): text} if text else {}


def _name(variable_name: str) -> str:
    return variable_name.removeprefix(PREFIX).lower()


def _field(item: dict[str, Any]) -> str:
    return _name(str(item["loc"][0]))


def _problem(item: dict[str, Any]) -> str:
    """One validation error as a line for the operator."""
    name = _field(item)
    raw = os.environ.get(variable(name), "").strip()
    field = Settings.model_fields[name]
    shown = MASK if is_secret(field) else one_line(redact(raw))
    return f"{variable(name)}: {explain(item, field, raw, shown)}"


def _is_unknown(name: str) -> bool:
    """Whether the name has our prefix, in any case, but is not one of our variables."""
    return name.upper().startswith(PREFIX) and name not in _VARIABLES


def _unknown(name: str) -> str:
    near = closest(name.upper(), _VARIABLES)
    hint = f"did you mean {near}?" if near else "see `capture-agent env` for all names"
    return f"{one_line(name)}: unknown; {hint}"
