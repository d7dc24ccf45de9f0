"""Every setting, once: its name, default, bounds and meaning.

The parser, the error messages, the commented env file and the README table are all made from
the declarations in `Settings`; a test fails when a copy drifts. A setting is read from the
environment alone; systemd reads the env file.
"""

import os
import shlex
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Le
from pydantic import (
    BeforeValidator,
    ByteSize,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    SettingsConfigDict,
)

from agent.camera.address import CameraAddress, parse_cameras, without_secrets
from agent.detector.formats import AUTO, FORMAT_NAMES
from agent.detector.model_file.input_spec import ALLOWED as INPUT_WORDS
from agent.detector.model_file.input_spec import InputSpec
from agent.domain import Thresholds
from agent.errors import ConfigurationError
from agent.selection.rules import RULE_NAMES
from agent.settings.describe import OWN_WORDS
from agent.settings.units import one_line, parse_duration, parse_size
from agent.upload.targets.registry import address_description
from agent.upload.upload_window import UploadWindow, parse_upload_window

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


def _off(word: str) -> BeforeValidator:
    """Accept a word in place of None."""
    return BeforeValidator(lambda value: None if value == word else value)


def _words(value: object) -> object:
    """Split a list given as one string: spaces and commas separate, quotes group."""
    if not isinstance(value, str):
        return value
    return tuple(dict.fromkeys(shlex.split(value.replace(",", " "))))


class Settings(BaseSettings):
    """All that an operator can choose. Read it with `load`, which explains what is wrong."""

    model_config = SettingsConfigDict(
        alias_generator=variable,
        allow_inf_nan=False,
        case_sensitive=True,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
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
        json_schema_extra={"shown": "host name", "allowed": "1 to 128 characters"},
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
    model_format: str = Field(
        AUTO,
        description="How the model's outputs are read.",
        json_schema_extra={
            "allowed": f"one of {', '.join((AUTO, *FORMAT_NAMES))}",
            "choices": [AUTO, *FORMAT_NAMES],
        },
    )
    model_labels: str = Field(
        "auto",
        description="Labels by class: `auto` takes them from the model's metadata, else from a "
        "file beside it; `coco`; or a list, or the path of a file with one label a line.",
    )
    model_input: Annotated[InputSpec | None, NoDecode] = Field(
        None,
        description="How frames become the model's input, where it differs from what the format "
        "says.",
        json_schema_extra={"shown": "none", "allowed": INPUT_WORDS},
    )
    model_sha256: str | None = Field(
        None,
        pattern=r"^[0-9a-fA-F]{64}$",
        description="Refuse a model file with another SHA-256.",
        json_schema_extra={"shown": "none", "allowed": "64 hexadecimal digits"},
    )
    providers: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)] = Field(
        ("auto",),
        min_length=1,
        description="onnxruntime execution providers, best first, with options after colons: "
        "`cuda:device_id=1`. One that is named and cannot be used is an error, never a silent "
        "fall-back.",
        json_schema_extra={
            "shown": "auto",
            "allowed": "auto, or names such as CUDAExecutionProvider CPUExecutionProvider",
        },
    )
    inference_workers: Annotated[int, Ge(1), Le(64)] | Literal["auto"] = Field(
        "auto",
        description="Frames analysed at once; `auto` = one per processor.",
        json_schema_extra={"allowed": "auto, or a whole number between 1 and 64"},
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
        description="Thresholds of single labels.",
        json_schema_extra={
            "shown": "none",
            "allowed": "label=number pairs with numbers between 0 and 1, such as car=0.6 "
            "'traffic light'=0.4",
        },
    )
    floor: float = Field(
        0.05,
        ge=0,
        le=1,
        validate_default=True,  # a threshold may be lowered below it
        description="Detections below it do not exist; at most the lowest threshold.",
    )
    rules: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)] = Field(
        RULE_NAMES,
        description="Rules that look for informative frames; `none` = random and regular "
        "captures only.",
        json_schema_extra={
            "shown": "all",
            "allowed": f"none, or any of {', '.join(RULE_NAMES)}",
            "choices": ["none", *RULE_NAMES],
        },
    )
    random_interval: Annotated[Duration, Ge(0.001), Le(365 * DAY_S)] | Literal["auto", "off"] = (
        Field(
            "auto",
            description="Mean time between random captures of one camera; `auto` spreads the "
            "random credits over the day and the cameras (15 min without a budget); `off` "
            "disables.",
            json_schema_extra={"allowed": "auto, off, or a duration between 1ms and 365d"},
        )
    )
    every_nth_frame: int = Field(
        0, ge=0, description="Also capture each nth analysed frame; `0` = off."
    )

    budget_per_day: int = Field(
        100,
        ge=0,
        le=1_000_000,
        description="Labelling credits: captures that the whole device may deliver a day; they "
        "accrue evenly. `0` = no limit.",
    )
    random_share: float = Field(
        0.2,
        ge=0,
        le=1,
        description="Share of the credits that is kept for random captures, as far as they "
        "need it.",
    )
    rule_weights: Annotated[dict[str, Annotated[float, Ge(0), Le(1)]], NoDecode] = Field(
        {},
        description="Weights of rules other than their own, such as `flicker=0.8 clash=0`.",
        json_schema_extra={
            "shown": "none",
            "example": "flicker=0.8 clash=0",
            "allowed": f"rule=weight pairs, weights between 0 and 1; rules {', '.join(RULE_NAMES)}",
        },
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
            "shown": "`$STATE_DIRECTORY/spool`, else `./capture-agent-state/spool`",
        },
    )
    spool_max: Size = Field(
        ByteSize(2 * GB),
        ge=10 * MB,
        le=PB,
        description="Disk budget of the spool, in bytes on disk.",
    )
    spool_min_free: Size = Field(
        ByteSize(512 * MB), ge=0, le=PB, description="Free disk space left to others."
    )

    upload_url: str | None = Field(
        None,
        repr=False,  # may hold a key
        description=address_description(),
        json_schema_extra={"shown": "none", "group": "Upload"},
    )
    upload_token: SecretStr | None = Field(
        None,
        description="Secret that the endpoint expects. The file `upload_token` in "
        "`$CREDENTIALS_DIRECTORY` wins.",
        json_schema_extra={"shown": "none"},
    )
    upload_workers: int = Field(4, ge=1, le=64, description="Connections at once, kept alive.")
    upload_timeout: Duration = Field(30.0, ge=1, le=3600, description="Limit of one whole request.")
    upload_max_rate: Size = Field(
        ByteSize(0),
        le=PB,
        description="Bytes per second that all connections together may send; `0` = no limit.",
        json_schema_extra={"shown": "`0`", "allowed": "0, or a size of at least 1kB"},
    )
    upload_window: Annotated[UploadWindow | None, BeforeValidator(parse_upload_window)] = Field(
        None,
        description="When captures may be sent: `always`, or a span of local time such as "
        "`01:00-05:00`, over midnight too. It stays closed while the clock was never set.",
        json_schema_extra={
            "shown": "always",
            "allowed": "always, or local time from-to such as 01:00-05:00",
        },
    )
    upload_ca: Path | None = Field(
        None,
        description="PEM file of the certificate authorities to trust instead of the system's.",
        json_schema_extra={"shown": "system"},
    )
    upload_client_cert: Path | None = Field(
        None,
        description="PEM file with the device's own certificate and its key, for an endpoint that "
        "asks for one.",
        json_schema_extra={"shown": "none"},
    )
    upload_proxy: SecretStr | None = Field(
        None,
        description="Proxy as `http://[USER:PASSWORD@]HOST:PORT`. `HTTP_PROXY` and the like are "
        "not read.",
        json_schema_extra={"shown": "none"},
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least level that is printed.", json_schema_extra={"group": "Logs"}
    )
    log_format: Literal["auto", "logfmt", "console", "json"] = Field(
        "auto",
        description="`auto` = `console` on a terminal, else `logfmt`.",
    )
    metrics_file: Path | None = Field(
        None,
        description="File that gets the daemon's figures for Prometheus, at most each 15 s: a name "
        "ending in `.prom` in the folder of the node exporter's textfile collector.",
        json_schema_extra={"shown": "none"},
    )

    @field_validator("*", mode="before")
    @classmethod
    def _strip(cls, value: object) -> object:
        return value.strip() if isinstance(value, str) else value

    @field_validator("cameras", mode="before")
    @classmethod
    def _parse_cameras(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return parse_cameras(value)
        except ValueError as error:
            context = {"why": f"{error} (in {one_line(without_secrets(value))})"}
            raise PydanticCustomError(OWN_WORDS, "{why}", context) from None

    @field_validator("rule_weights")
    @classmethod
    def _weights_of_rules(cls, value: dict[str, float]) -> dict[str, float]:
        if not set(value) <= set(RULE_NAMES):
            raise ValueError("not a rule")
        return value

    @field_validator("thresholds", "rule_weights", mode="before")
    @classmethod
    def _parse_thresholds(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        thresholds: dict[str, str] = {}
        for part in shlex.split(value):
            label, _, number = part.partition("=")
            if not label or label in thresholds:
                raise ValueError(f"no label, or the label {label!r} twice")
            thresholds[label] = number
        return thresholds

    @field_validator("model_format")
    @classmethod
    def _known_format(cls, value: str) -> str:
        if value.lower() not in (AUTO, *FORMAT_NAMES):
            raise ValueError("not a format")
        return value.lower()

    @field_validator("model_input", mode="before")
    @classmethod
    def _parse_input(cls, value: object) -> object:
        return InputSpec.parse(value) if isinstance(value, str) else value

    @field_validator("floor")
    @classmethod
    def _not_above_a_threshold(cls, value: float, others: ValidationInfo) -> float:
        thresholds = [
            others.data.get("threshold", 1.0),
            *others.data.get("thresholds", {}).values(),
        ]
        if value > min(thresholds):
            context = {
                "why": f"must not be above the lowest threshold, {min(thresholds):g}, "
                f"not {value:g}: what lies between them is what low_confidence looks for"
            }
            raise PydanticCustomError(OWN_WORDS, "{why}", context)
        return value

    @field_validator("rules")
    @classmethod
    def _known_rules(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if value == ("none",):
            return ()
        if not value or not set(value) <= set(RULE_NAMES):
            raise ValueError("not a rule")
        return value

    @field_validator("upload_max_rate")
    @classmethod
    def _a_rate_that_delivers(cls, value: int) -> int:
        if 0 < value < KB:
            raise ValueError("too slow for pictures")
        return value

    @field_validator("spool_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.absolute()

    @property
    def all_thresholds(self) -> Thresholds:
        """Threshold, per-label thresholds and floor as the selection uses them."""
        return Thresholds(self.threshold, self.thresholds, self.floor)

    @property
    def state_dir(self) -> Path:
        """Where else than in the spool things are kept that can be made again."""
        state = os.environ.get("STATE_DIRECTORY")
        return Path(state.split(":")[0]) if state else self.spool_dir.parent

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
