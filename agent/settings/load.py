"""Reads the environment into settings, or lists every problem in it."""

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from agent.errors import ConfigurationError
from agent.mqtt.address import parse_mqtt
from agent.printable import printable
from agent.redaction import MASK, redact, remember_secrets, secrets_of_camera, secrets_of_endpoint
from agent.settings.declarations import PREFIX, Settings, variable
from agent.settings.describe import OWN_WORDS, explain, is_secret
from agent.settings.expected_names import EXPECTED
from agent.settings.foreign import is_foreign
from agent.settings.pushed import pushed_problems
from agent.settings.reach import unreachable
from agent.settings.secret_file import read_secret
from agent.settings.units import closest_name

PATH_SETTINGS = (
    "api_tls_cert",
    "model",
    "spool_dir",
    "state_dir",
    "metrics_file",
    "upload_ca",
    "upload_client_cert",
)
_OTHER_SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_PROBLEM_MAX = 2000  # characters of one problem, whose value may have any length
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
    foreign = foreign_variables()
    problems = [
        _unknown(name) for name in sorted(os.environ) if _is_unknown(name) and name not in foreign
    ]
    if needs_cameras and not os.environ.get(variable("cameras")):
        problems.append(
            f"{variable('cameras')}: required; set it to a camera such as /dev/video0, "
            "rtsp://HOST/stream, or a video file"
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
    if settings is not None:
        problems += _unreachable_paths(settings)
        problems += (f"{variable('cameras')}: {each}" for each in pushed_problems(settings))
    if further is not None:
        try:
            further(settings or _valid_ones(wrong))
        except ConfigurationError as error:
            problems += str(error).splitlines()
    if settings is not None:
        remember_secrets(_secrets(settings))
    if problems or settings is None:
        lines = [printable(problem, _PROBLEM_MAX) for problem in dict.fromkeys(problems)]
        raise ConfigurationError("\n".join(lines))
    return settings


def foreign_variables() -> list[str]:
    """Return the names of variables that begin as ours do and that other programs set."""
    return [
        name
        for name, value in sorted(os.environ.items())
        if _is_unknown(name) and is_foreign(name, value)
    ]


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
    return _credential_file("upload_token")


def api_token_file() -> Path | None:
    """Return where systemd puts the token of the API; None outside of a service."""
    return _credential_file("api_token")


def api_token() -> str | None:
    """Return the token that clients of the API must have; None where there is none.

    Raises `ConfigurationError` when the file exists and cannot be used.
    """
    return _secret_of(api_token_file()) or None


def _secrets(settings: Settings) -> Iterator[str]:
    """Yield every secret in the settings; the name of a camera is none."""
    names = {camera.name for camera in settings.cameras}
    for camera in settings.cameras:
        yield from (each for each in secrets_of_camera(camera.source) if each not in names)
    proxy = settings.upload_proxy.get_secret_value() if settings.upload_proxy else ""
    for address in (settings.upload_url or "", proxy):
        yield from secrets_of_endpoint(address)
    broker = settings.mqtt_url.get_secret_value() if settings.mqtt_url else ""
    yield from parse_mqtt(broker).secrets() if broker else ()
    yield from filter(None, [settings.token, *map(os.environ.get, _OTHER_SECRETS)])
    with contextlib.suppress(ConfigurationError):  # who needs it says what is wrong with it
        yield api_token() or ""


def _valid_ones(wrong: set[str]) -> Settings:
    """Settings from the environment; the invalid ones have their defaults."""
    if "floor" in wrong:  # the default may be above such a threshold as well
        wrong = wrong | {"threshold", "thresholds"}
    if {"fps", "cameras"} & wrong:  # the default may be too many frames for such a clip
        wrong = wrong | {"clip"}
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

    Raises `ConfigurationError` when the file exists and cannot be used.
    """
    text = _secret_of(token_file())
    return {variable("upload_token"): text} if text else {}


def _credential_file(name: str) -> Path | None:
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    return Path(directory) / name if directory else None


def _secret_of(file: Path | None) -> str:
    """Return what a credential holds, empty where there is none."""
    return read_secret(file, what="the credential") if file and os.path.lexists(file) else ""


def _unreachable_paths(settings: Settings) -> Iterator[str]:
    """Yield a problem for each path that this process cannot get to."""
    paths: list[tuple[str, Path | None]] = [
        (variable(name), getattr(settings, name))
        for name in PATH_SETTINGS
        if name != "state_dir" or os.environ.get(variable(name))  # else it is above the spool
    ]
    paths += [
        (variable("cameras"), Path(camera.source)) for camera in settings.cameras if not camera.live
    ]
    if "/" in settings.model_labels:
        paths.append((variable("model_labels"), Path(settings.model_labels)))
    if (settings.upload_url or "").startswith("dir:"):
        paths.append((variable("upload_url"), Path((settings.upload_url or "")[4:])))
    for name, path in paths:
        why = unreachable(path) if path is not None else None
        if why:
            yield f"{name}: cannot reach {printable(path)}: {why}"


def _name(variable_name: str) -> str:
    return variable_name.removeprefix(PREFIX).lower()


def _field(item: dict[str, Any]) -> str:
    return _name(str(item["loc"][0]))


def _problem(item: dict[str, Any]) -> str:
    """One validation error as a line for the operator."""
    name = _field(item)
    raw = os.environ.get(variable(name), "").strip()
    field = Settings.model_fields[name]
    shown = MASK if is_secret(field) else _shown(raw)
    comment = "; systemd knows no comment behind a value: move it to a line of its own"
    text = explain(item, field, raw, shown)
    has_comment = item["type"] != OWN_WORDS and re.search(r"\s#", raw)
    return f"{variable(name)}: {text}{comment if has_comment else ''}"


def _shown(raw: str) -> str:
    """The value as a message may show it."""
    text = redact(raw)
    return printable(text) if text.isprintable() else f"'{printable(text)}'"


def _is_unknown(name: str) -> bool:
    """Whether the name has our prefix, in any case, but is not one of our variables."""
    return name.upper().startswith(PREFIX) and name not in _VARIABLES


def _unknown(name: str) -> str:
    if name.upper() in EXPECTED:
        return f"{printable(name)}: unknown; {EXPECTED[name.upper()]}"
    near = closest_name(_name(name.upper()).upper(), [_name(each).upper() for each in _VARIABLES])
    if near:
        return f"{printable(name)}: unknown; did you mean {PREFIX}{near}?"
    shown = printable(name)
    return (
        f"{shown}: unknown; see `capture-agent env` for all names. If another program needs it, "
        f"start this one without it: env -u {shown} capture-agent ..."
    )
