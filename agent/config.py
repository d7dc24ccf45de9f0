"""Every setting, once: its name, default, bounds and meaning.

The parser, the error messages, the commented env file and the README table are all made from
the declarations in `Settings`; a test fails when a copy drifts. A setting is read from the
environment alone; systemd reads the env file.
"""

import os
import shlex
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from annotated_types import Ge, Gt, Le
from pydantic import (
    BeforeValidator,
    ByteSize,
    Field,
    PlainSerializer,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from agent.camera.address import CameraAddress, parse_cameras
from agent.config_text import closest, parse_duration, show_duration, show_size
from agent.domain import Thresholds
from agent.errors import ConfigurationError
from agent.logs import redact
from agent.selection.rules import RULES

PREFIX = "AGENT_"

AUTO_RANDOM_INTERVAL_S = 15 * 60.0
MB = 1000**2
GB = 1000**3

Duration = Annotated[
    float, BeforeValidator(parse_duration), PlainSerializer(show_duration, when_used="json")
]


def _off(word: str) -> BeforeValidator:
    """Accept a word in place of None."""
    return BeforeValidator(lambda value: None if value == word else value)


def _words(value: object) -> object:
    """Split a list given as one string: spaces and commas separate, quotes group."""
    if not isinstance(value, str):
        return value
    return tuple(shlex.split(value.replace(",", " ")))


class Settings(BaseSettings):
    """All that an operator can choose. Read it with `load`, which explains what is wrong."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True
    )

    cameras: Annotated[tuple[CameraAddress, ...], NoDecode] = Field(
        (),
        description="Cameras as space-separated `name=source`; the name may be left out for one. "
        "Sources: `/dev/video0`, `0`, `/dev/v4l/by-id/...`, `rtsp://`, `rtsps://`, `http(s)://` "
        "MJPEG, a video file, a folder of images.",
        json_schema_extra={"shown": "required", "example": "/dev/video0", "group": "Cameras"},
    )
    device_id: str = Field(
        default_factory=socket.gethostname,
        min_length=1,
        max_length=128,
        description="Name of this device, stamped on every capture.",
        json_schema_extra={"shown": "host name"},
    )
    fps: float = Field(
        5.0,
        ge=0,
        le=1000,
        description="Frames analysed per second and camera; `0` = as many as arrive.",
    )
    camera_stall: Duration = Field(
        20.0,
        ge=1,
        le=3600,
        description="No fresh frame for so long = reconnect.",
    )

    model: Annotated[Path | None, _off("bundled")] = Field(
        None,
        description="Path to an ONNX file.",
        json_schema_extra={"shown": "bundled", "group": "Model"},
    )
    model_format: Literal["auto", "nanodet", "ultralytics"] = Field(
        "auto", description="How the model's outputs are read."
    )
    model_labels: str = Field(
        "auto",
        description="Labels by class: `auto` takes them from the model's metadata, else from a "
        "text file beside it; or a list, or the path of a file with one label a line.",
    )
    model_sha256: str | None = Field(
        None,
        pattern=r"^[0-9a-fA-F]{64}$",
        description="Refuse a model file with another SHA-256.",
        json_schema_extra={"shown": "none", "allowed": "64 hexadecimal digits"},
    )
    providers: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)] = Field(
        ("auto",),
        description="onnxruntime execution providers, best first. One that is named and cannot "
        "be used is an error, never a silent fall-back.",
        json_schema_extra={"shown": "auto"},
    )
    inference_workers: Annotated[int, Ge(1), Le(64)] | Literal["auto"] = Field(
        "auto",
        description="Frames analysed at once; `auto` = one per processor.",
        json_schema_extra={"allowed": "auto or a whole number between 1 and 64"},
    )
    inference_threads: int = Field(1, ge=1, le=64, description="Processor threads per frame.")

    threshold: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Confidence at which your application acts.",
        json_schema_extra={"group": "Selection"},
    )
    thresholds: Annotated[dict[str, Annotated[float, Ge(0), Le(1)]], NoDecode] = Field(
        {},
        description="Thresholds of single labels, such as `car=0.6 person=0.4`.",
        json_schema_extra={"shown": "none", "example": "car=0.6 person=0.4"},
    )
    floor: float = Field(0.05, ge=0, le=1, description="Detections below it do not exist.")
    rules: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)] = Field(
        tuple(RULES),
        description="Rules that look for informative frames; `none` = random and regular "
        "captures only.",
        json_schema_extra={"allowed": f"none, or any of {', '.join(RULES)}"},
    )
    random_interval: Annotated[Duration, Gt(0)] | Literal["auto", "off"] = Field(
        "auto",
        description="Mean time between random captures of one camera; `auto` = 15 min; `off` "
        "disables.",
        json_schema_extra={"allowed": "auto, off, or a duration such as 90s, 15m, 2h"},
    )
    every_nth_frame: int = Field(
        0, ge=0, description="Also capture each nth analysed frame; `0` = off."
    )

    jpeg_quality: int = Field(
        90,
        ge=1,
        le=100,
        description="Quality of stored images.",
        json_schema_extra={"group": "Storage"},
    )
    max_side: int = Field(
        0, ge=0, description="Longest side of a stored image, in pixels; `0` = as read."
    )
    spool_dir: Path = Field(
        default_factory=lambda: default_spool_dir(os.environ),
        description="Where captures wait. One daemon owns it.",
        json_schema_extra={
            "shown": "$STATE_DIRECTORY/spool, else ./capture-agent-state/spool",
        },
    )
    spool_max: ByteSize = Field(
        ByteSize(2 * GB), ge=10 * MB, description="Disk budget of the spool, in bytes on disk."
    )
    spool_min_free: ByteSize = Field(
        ByteSize(512 * MB), ge=0, description="Free disk space left to others."
    )

    upload_url: str | None = Field(
        None,
        description="Where captures go: `https://...` or `http://...` (generic endpoint), "
        "`dir:/path` (a folder). Without it they stay on disk.",
        json_schema_extra={"shown": "none: keep on disk", "group": "Upload"},
    )
    upload_token: SecretStr | None = Field(
        None,
        description="Secret that the endpoint expects. The file `upload_token` in "
        "`$CREDENTIALS_DIRECTORY` wins.",
        json_schema_extra={"shown": "none"},
    )
    upload_workers: int = Field(4, ge=1, le=64, description="Connections at once, kept alive.")
    upload_timeout: Duration = Field(30.0, ge=1, le=3600, description="Limit of one whole request.")

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least level that is printed.", json_schema_extra={"group": "Logs"}
    )
    log_format: Literal["auto", "logfmt", "console", "json"] = Field(
        "auto",
        description="`auto` = `console` on a terminal, else `logfmt`.",
    )

    @field_validator("cameras", mode="before")
    @classmethod
    def _parse_cameras(cls, value: object) -> object:
        return parse_cameras(value) if isinstance(value, str) else value

    @field_validator("thresholds", mode="before")
    @classmethod
    def _parse_thresholds(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        pairs = [part.rpartition("=") for part in shlex.split(value)]
        for label, _, number in pairs:
            if not label or not _is_number(number):
                raise ValueError("must be label=number pairs such as car=0.6 person=0.4")
        return {label: float(number) for label, _, number in pairs}

    @field_validator("rules")
    @classmethod
    def _known_rules(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if value == ("none",):
            return ()
        for name in value:
            if name not in RULES:
                near = closest(name, RULES)
                hint = f"; did you mean {near}?" if near else ""
                raise ValueError(f"must be none, or any of {', '.join(RULES)}{hint}")
        return value

    @model_validator(mode="after")
    def _floor_below_thresholds(self) -> Self:
        if self.floor > min([self.threshold, *self.thresholds.values()]):
            raise ValueError(
                f"{PREFIX}FLOOR: must not be above a threshold, not {self.floor:g}: "
                "detections between floor and threshold are what low_confidence looks for"
            )
        return self

    @property
    def all_thresholds(self) -> Thresholds:
        """Threshold, per-label thresholds and floor as the selection uses them."""
        return Thresholds(self.threshold, self.thresholds, self.floor)

    @property
    def random_interval_s(self) -> float | None:
        """Seconds between random captures of one camera, None for none."""
        if self.random_interval == "off":
            return None
        if self.random_interval == "auto":
            return AUTO_RANDOM_INTERVAL_S
        return self.random_interval

    def token(self, environ: Mapping[str, str]) -> str | None:
        """The upload secret: from the credentials directory, else from the setting.

        Raises `ConfigurationError` when the credential file exists and cannot be read.
        """
        directory = environ.get("CREDENTIALS_DIRECTORY")
        file = Path(directory) / "upload_token" if directory else None
        try:
            text = file.read_text(encoding="utf-8").strip() if file and file.exists() else ""
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"cannot read the credential {file}: {error}") from error
        if text:
            return text
        return self.upload_token.get_secret_value() if self.upload_token else None


def default_spool_dir(environ: Mapping[str, str]) -> Path:
    """Under the state directory that systemd made, else under the current one."""
    state = environ.get("STATE_DIRECTORY")
    return (
        Path(state.split(":")[0]) if state else Path("capture-agent-state").absolute()
    ) / "spool"


def load(*, needs_cameras: bool = False) -> Settings:
    """Read the environment.

    Raises `ConfigurationError` that lists every problem, one a line: the variable, what is
    allowed, and the value.
    """
    problems = [_unknown(name) for name in sorted(os.environ) if _is_unknown(name)]
    settings = None
    try:
        settings = Settings()
    except ValidationError as error:
        problems += [_explain(dict(item)) for item in error.errors()]
    if needs_cameras and (settings is not None and not settings.cameras):
        problems.append(
            f"{PREFIX}CAMERAS: required; set it to a camera such as /dev/video0, "
            "rtsp://user:password@host/path, or a video file"
        )
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
            **_others: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            del settings_cls
            return (init_settings,)

    return Given(**values)


def variable(field: str) -> str:
    """The environment variable of a field."""
    return PREFIX + field.upper()


def shown_default(field: FieldInfo) -> str:
    """A field's default as an operator would write it."""
    shown = _extra(field).get("shown")
    if shown is not None:
        return str(shown)
    value = field.default
    if isinstance(value, ByteSize):
        return show_size(value)
    if isinstance(value, tuple):
        return " ".join(value)
    if _is_duration(field):
        return show_duration(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def allowed(field: FieldInfo) -> str:
    """What values a field takes, in words; empty where the description says all."""
    explicit = _extra(field).get("allowed")
    if explicit is not None:
        return str(explicit)
    choices = getattr(field.annotation, "__args__", ()) if _is_literal(field.annotation) else ()
    if choices:
        return "one of " + ", ".join(choices)
    low: Any = next((m.ge for m in field.metadata if isinstance(m, Ge)), None)
    high: Any = next((m.le for m in field.metadata if isinstance(m, Le)), None)
    kind = _KINDS.get(field.annotation, "")  # type: ignore[arg-type]
    show: Callable[[Any], str] = show_size if field.annotation is ByteSize else _plain
    if _is_duration(field):
        kind, show = "a duration such as 90s, 15m, 2h,", show_duration
    if low is not None and high is not None:
        return f"{kind} between {show(low)} and {show(high)}".strip()
    if low is not None:
        return f"{kind} of at least {show(low)}".strip()
    return kind


_KINDS: Mapping[type, str] = {
    int: "a whole number",
    float: "a number",
    ByteSize: "a size such as 500MB or 2GB",
}


def _explain(item: dict[str, Any]) -> str:
    """One validation error as a line for the operator."""
    location = item["loc"]
    if not location:  # a check across settings names its variable itself
        return str(item["ctx"]["error"])
    name = str(location[0]).removeprefix(PREFIX).removeprefix(PREFIX.lower()).lower()
    raw = os.environ.get(variable(name), "")
    if name == "upload_token":
        raw = "***"
    expected = allowed(Settings.model_fields[name])
    reason = str(item["ctx"]["error"]) if item["type"] == "value_error" else f"must be {expected}"
    if item["type"] != "value_error" and not expected:
        reason = str(item["msg"]).lower()
    return f"{variable(name)}: {redact(reason)}, not {redact(raw)}"


def _is_unknown(name: str) -> bool:
    return (
        name.startswith(PREFIX) and name.removeprefix(PREFIX).lower() not in Settings.model_fields
    )


def _unknown(name: str) -> str:
    near = closest(name, [variable(field) for field in Settings.model_fields])
    hint = f"; did you mean {near}?" if near else "; see `capture-agent env` for all names"
    return f"{name}: unknown{hint}"


def _extra(field: FieldInfo) -> Mapping[str, Any]:
    extra = field.json_schema_extra
    return extra if isinstance(extra, dict) else {}


def _is_literal(annotation: object) -> bool:
    return getattr(annotation, "__origin__", None) is Literal


def _is_duration(field: FieldInfo) -> bool:
    return field.annotation is float and any(
        isinstance(item, BeforeValidator) for item in field.metadata
    )


def _plain(value: Any) -> str:
    return f"{value:g}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
