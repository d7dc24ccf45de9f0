"""Every setting, once: its name, default, bounds and meaning.

The parser, the error messages, the commented env file and the README table are all made from
the declarations in `Settings`; a test fails when a copy drifts. A setting is read from the
environment alone; systemd reads the env file.
"""

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
from agent.selection.rules import RULE_NAMES
from agent.settings.describe import OWN_WORDS
from agent.settings.documentation import SettingDoc
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
    """Every setting of the operator. `load` reads them and reports every problem."""

    model_config = SettingsConfigDict(
        alias_generator=variable,
        allow_inf_nan=False,
        case_sensitive=True,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )

    cameras: Annotated[
        tuple[CameraAddress, ...],
        NoDecode,
        SettingDoc(
            meaning=(
                "Cameras as space-separated `name=source`; the name may be left out for one. "
                "Sources: `/dev/video0`, `0`, `/dev/v4l/by-id/...`, `rtsp://`, `rtsps://`, "
                "`http(s)://` MJPEG, a video file, a folder of images."
            ),
            example="yard=/dev/video0 gate=rtsp://user:password@10.0.0.7/stream1",
            effect=(
                "All cameras share the model, the budget and the spool. The name is in each "
                "capture and each log line, and what a camera has learnt is stored under it: "
                "a new name starts from nothing. A recording plays once; the daemon ends "
                "when all recordings have ended."
            ),
            default="required",
            placeholder="/dev/video0",
            group="Cameras",
            kind="list of cameras",
        ),
    ] = Field(())
    device_id: Annotated[
        str,
        SettingDoc(
            meaning="Name of this device, stamped on every capture.",
            example="gate-07",
            effect=(
                "Distinguishes the devices of a fleet in records, datasets and tags. It is "
                "also the seed of the random captures."
            ),
            default="host name",
            allowed="1 to 128 characters",
        ),
    ] = Field(default_factory=socket.gethostname, min_length=1, max_length=128)
    fps: Annotated[
        float,
        SettingDoc(
            meaning=("Frames analysed per second and camera; `0` = as many as arrive."),
            example="2",
            effect=(
                "More frames find more failures and take more processor time. Below 2 a "
                "second the rules that compare neighbouring frames are disabled. With `0` a "
                "recording is read as fast as it is analysed, and no frame is dropped."
            ),
        ),
    ] = Field(5.0, ge=0, le=1000)
    camera_stall: Annotated[
        Duration,
        SettingDoc(
            meaning="Reconnect after this long without a new frame.",
            example="1m",
            effect=(
                "Shorter finds a dead camera sooner; longer tolerates streams that pause. It "
                "is also the timeout for opening and reading a stream, and how long the "
                "image may stay identical."
            ),
        ),
    ] = Field(20.0, ge=1, le=3600)

    model: Annotated[
        Path | None,
        _off("bundled"),
        SettingDoc(
            meaning="Path to an ONNX file.",
            example="/var/lib/capture-agent/model.onnx",
            effect=(
                "The detector or classifier that analyses the frames. To use a new file in "
                "the same place, run `systemctl reload capture-agent`."
            ),
            default="bundled",
            group="Model",
        ),
    ] = Field(None)
    model_format: Annotated[
        str,
        SettingDoc(
            meaning="How the model's outputs are read.",
            example="ultralytics",
            effect=(
                "`auto` looks at the file, and `capture-agent check` prints what it decided. "
                "Name one where it cannot tell; docs/models.md lists them."
            ),
            allowed=f"one of {', '.join((AUTO, *FORMAT_NAMES))}",
            choices=(AUTO, *FORMAT_NAMES),
            kind="name",
        ),
    ] = Field(AUTO)
    model_labels: Annotated[
        str,
        SettingDoc(
            meaning=(
                "Labels by class: `auto` takes them from the model's metadata, else from a "
                "file beside it; `coco`; or a list, or the path of a file with one label a "
                "line."
            ),
            example="/var/lib/capture-agent/labels.txt",
            effect=(
                "The names in records, log lines and the dataset's `data.yaml`, and those in "
                "`AGENT_THRESHOLDS`. A list of the wrong length is refused."
            ),
            kind="word, list or path",
        ),
    ] = Field("auto")
    model_input: Annotated[
        InputSpec | None,
        NoDecode,
        SettingDoc(
            meaning=(
                "How frames become the model's input, where it differs from what the format says."
            ),
            example="bgr scale=255 fit=letterbox",
            effect=(
                "Needed only for a model whose preprocessing differs from what its format "
                "says; a wrong value costs accuracy without any error. docs/models.md "
                "explains the words."
            ),
            default="none",
            allowed=INPUT_WORDS,
            kind="words",
        ),
    ] = Field(None)
    model_sha256: Annotated[
        str | None,
        SettingDoc(
            meaning="Refuse a model file with another SHA-256.",
            example=("a36da620efb800089521ed802d78caaf8ab07c4a2f74552b6aabc6cefb58d325"),
            effect=(
                "The daemon does not start with another file, and a reload keeps the model in use."
            ),
            default="none",
            allowed="64 hexadecimal digits",
        ),
    ] = Field(None, pattern=r"^[0-9a-fA-F]{64}$")
    providers: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(_words),
        SettingDoc(
            meaning=(
                "onnxruntime execution providers, best first, with options after colons: "
                "`cuda:device_id=1`. If a provider that you name cannot be used, that is an "
                "error, never a silent fallback to the CPU."
            ),
            example="CUDAExecutionProvider CPUExecutionProvider",
            effect=(
                "Where the model runs. `auto` takes the best provider that works; one that "
                "you name and that does not work ends the start with exit code 78."
            ),
            default="auto",
            allowed=("auto, or names such as CUDAExecutionProvider CPUExecutionProvider"),
            kind="list of names",
        ),
    ] = Field(("auto",), min_length=1)
    inference_workers: Annotated[
        Annotated[int, Ge(1), Le(64)] | Literal["auto"],
        SettingDoc(
            meaning="Frames analysed in parallel; `auto` = one per processor.",
            example="2",
            effect=(
                "More frames at once while there are idle processors; each takes memory for "
                "one more frame. `1` leaves the other processors to your application."
            ),
            allowed="auto, or a whole number between 1 and 64",
            kind="whole number, or a word",
        ),
    ] = Field("auto")
    inference_threads: Annotated[
        int,
        SettingDoc(
            meaning="Processor threads per frame.",
            example="2",
            effect=(
                "Makes one frame faster and all frames together slower: leave it at 1 unless "
                "there is one camera and a slow model."
            ),
        ),
    ] = Field(1, ge=1, le=64)

    threshold: Annotated[
        float,
        SettingDoc(
            meaning="Confidence at which your application acts.",
            example="0.4",
            effect=(
                "The confidence that your application requires. Rules look just below it and "
                "for contradictions over time, so a value other than your application's "
                "finds the wrong frames."
            ),
            group="Selection",
        ),
    ] = Field(0.5, ge=0, le=1)
    thresholds: Annotated[
        dict[str, Annotated[float, Ge(0), Le(1)]],
        NoDecode,
        SettingDoc(
            meaning="Thresholds of individual labels.",
            example="car=0.6 'traffic light'=0.4",
            effect="Replaces `AGENT_THRESHOLD` for these labels.",
            default="none",
            allowed=(
                "label=number pairs with numbers between 0 and 1, such as car=0.6 'traffic "
                "light'=0.4"
            ),
            kind="label=number pairs",
        ),
    ] = Field({})
    floor: Annotated[
        float,
        SettingDoc(
            meaning=(
                "Detections below this confidence are discarded. Must not exceed the lowest "
                "threshold."
            ),
            example="0.1",
            effect=(
                "Higher makes records smaller, and the rules no longer see faint boxes; "
                "lower records more noise."
            ),
        ),
    ] = Field(0.05, ge=0, le=1, validate_default=True)
    rules: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(_words),
        SettingDoc(
            meaning=(
                "Rules that look for frames where the model is probably wrong; `none` = "
                "random and interval captures only."
            ),
            example="low_confidence flicker",
            effect=(
                "Which kinds of doubt are captured. Fewer rules spend the same budget on "
                "fewer kinds of failure."
            ),
            default="all",
            allowed=f"none, or any of {', '.join(RULE_NAMES)}",
            choices=("none", *RULE_NAMES),
            kind="list of names",
        ),
    ] = Field(RULE_NAMES)
    random_interval: Annotated[
        Annotated[Duration, Ge(0.001), Le(365 * DAY_S)] | Literal["auto", "off"],
        SettingDoc(
            meaning=(
                "Mean time between random captures of one camera; `auto` spreads the random "
                "credits over the day and the cameras (15 min without a budget); `off` "
                "disables."
            ),
            example="30m",
            effect=(
                "Random captures measure the model: more of them give narrower intervals in "
                "`capture-agent estimate`. An interval shorter than `auto` draws more "
                "captures than the credits can deliver; the disk budget then evicts some at "
                "random."
            ),
            allowed="auto, off, or a duration between 1ms and 365d",
            kind="duration, or a word",
        ),
    ] = Field("auto")
    every_nth_frame: Annotated[
        int,
        SettingDoc(
            meaning="Also capture each nth analysed frame; `0` = off.",
            example="9000",
            effect=(
                "Interval captures, whatever the model reported. They are paid from the "
                "random share, after the random captures."
            ),
        ),
    ] = Field(0, ge=0)

    budget_per_day: Annotated[
        float,
        SettingDoc(
            meaning=(
                "Labelling credits: captures that the whole device may deliver a day, fractions "
                "allowed; they accrue evenly. `0` = no limit."
            ),
            example="500",
            effect=(
                "What labelling costs a day. Each credit purchases the waiting capture with the "
                "highest value, and none is given before it has accrued. With `0` there is no "
                "competition: each frame whose value reaches `AGENT_MIN_VALUE` is delivered."
            ),
        ),
    ] = Field(100, ge=0, le=1_000_000)
    min_value: Annotated[
        float,
        SettingDoc(
            meaning="Least value of a capture, in expected new failures, that is worth a credit.",
            example="0.3",
            effect=(
                "Below it nothing is captured for its value and no credit is spent on it: a scene "
                "in which nothing happens costs next to nothing. Random, interval and requested "
                "captures do not depend on it."
            ),
        ),
    ] = Field(0.1, ge=0, le=100)
    random_share: Annotated[
        float,
        SettingDoc(
            meaning=(
                "Share of the credits that is reserved for random captures, as far as they need it."
            ),
            example="0.5",
            effect=(
                "A higher share measures the model better; a lower one leaves more credits "
                "to the rules. `0` spends all credits on the rules, `1` all on random "
                "captures."
            ),
        ),
    ] = Field(0.2, ge=0, le=1)
    rule_options: Annotated[
        Mapping[str, Mapping[str, float]],
        NoDecode,
        SettingDoc(
            meaning=(
                "Options of individual rules as `rule.option=number` pairs, such as "
                "`weak_track.least_frames=4`."
            ),
            example="weak_track.least_frames=4 count_change.least_deviation=4",
            effect="Tunes one rule to a camera; docs/selection.md lists the options of each rule.",
            default="none",
            allowed="rule.option=number pairs; docs/selection.md lists them with their bounds",
            kind="rule.option=number pairs",
        ),
    ] = Field({})
    jpeg_quality: Annotated[
        int,
        SettingDoc(
            meaning="JPEG quality of stored images.",
            example="80",
            effect=(
                "Lower makes smaller images with visible compression. Above 80 it does not "
                "affect labelling."
            ),
            group="Storage",
        ),
    ] = Field(90, ge=1, le=100)
    max_side: Annotated[
        int,
        SettingDoc(
            meaning="Longest side of a stored image, in pixels; `0` = as read.",
            example="1280",
            effect=(
                "Larger frames are scaled down before they are stored, and their boxes with "
                "them: captures take less space and time. The model still gets the frame as "
                "read."
            ),
        ),
    ] = Field(0, ge=0)
    spool_dir: Annotated[
        Path,
        SettingDoc(
            meaning="Where captures wait. One daemon owns the folder.",
            example="/mnt/ssd/spool",
            effect=(
                "Another disk than the system's, for wear or space. The service's user must "
                "own the folder, and the sandbox must allow writing there: see "
                "docs/operating.md. Captures that wait in the old folder stay there."
            ),
            default="`$STATE_DIRECTORY/spool`, else `./capture-agent-state/spool`",
        ),
    ] = Field(default_factory=lambda: Path("capture-agent-state", "spool").absolute())
    state_dir: Annotated[
        Path,
        SettingDoc(
            meaning=(
                "Where the known-good model and engines built for a GPU are kept; they can be "
                "made again."
            ),
            example="/mnt/ssd/state",
            effect=(
                "Another disk than the system's. Daemons may share it: each spool has a "
                "known-good model of its own."
            ),
            default="`$STATE_DIRECTORY`, else the folder that holds the spool",
        ),
    ] = Field(Path(), validate_default=True)
    spool_max: Annotated[
        Size,
        SettingDoc(
            meaning="Disk budget of the spool, in bytes on disk.",
            example="8GB",
            effect=(
                "How long a device can be offline before captures compete for space: "
                "docs/operating.md has the calculation. A value below what is stored evicts "
                "the lowest values at the next capture."
            ),
        ),
    ] = Field(ByteSize(2 * GB), ge=10 * MB, le=PB)
    spool_min_free: Annotated[
        Size,
        SettingDoc(
            meaning="Disk space that stays free for other programs.",
            example="1GB",
            effect=(
                "Space for logs, updates and other programs. When less is free, only "
                "captures of higher value replace stored ones."
            ),
        ),
    ] = Field(ByteSize(512 * MB), ge=0, le=PB)

    upload_url: Annotated[
        str | None,
        SettingDoc(
            meaning=address_description(),
            example="https://example.org/captures",
            effect=(
                "Where captures are delivered; docs/targets.md describes each target. "
                "Captures that wait are delivered to the new address."
            ),
            default="none",
            group="Upload",
            kind="address",
        ),
    ] = Field(None, repr=False)
    upload_token: Annotated[
        SecretStr | None,
        SettingDoc(
            meaning=(
                "Secret that the endpoint expects. The file `upload_token` in "
                "`$CREDENTIALS_DIRECTORY` takes precedence."
            ),
            example="a-long-random-secret",
            effect=(
                "Authenticates this device to the endpoint. As a service, put it into "
                "/etc/capture-agent/upload_token instead: other processes cannot read it "
                "there."
            ),
            default="none",
        ),
    ] = Field(None)
    upload_workers: Annotated[
        int,
        SettingDoc(
            meaning="Parallel connections, kept alive.",
            example="8",
            effect=(
                "More use a fast network with long round trips better; fewer give each "
                "connection more of a slow line."
            ),
        ),
    ] = Field(4, ge=1, le=64)
    upload_timeout: Annotated[
        Duration,
        SettingDoc(
            meaning="Limit for one whole request.",
            example="2m",
            effect=(
                "Raise it on a line so slow that one image takes longer; a request that "
                "takes longer is aborted and retried."
            ),
        ),
    ] = Field(30.0, ge=1, le=3600)
    upload_max_rate: Annotated[
        Size,
        SettingDoc(
            meaning=("Bytes per second that all connections together may send; `0` = no limit."),
            example="100kB",
            effect=("Leaves bandwidth to other programs. A backlog takes longer to deliver."),
            default="`0`",
            allowed="0, or a size of at least 1kB",
        ),
    ] = Field(ByteSize(0), le=PB)
    upload_window: Annotated[
        UploadWindow | None,
        BeforeValidator(parse_upload_window),
        SettingDoc(
            meaning=(
                "When captures may be sent: `always`, or a span of local time such as "
                "`01:00-05:00`, which may cross midnight. It stays closed while the clock "
                "was never set."
            ),
            example="01:00-05:00",
            effect=(
                "Captures wait until the window opens, so the spool must hold a day's captures."
            ),
            default="always",
            allowed="always, or local time from-to such as 01:00-05:00",
            kind="span of time, or a word",
        ),
    ] = Field(None)
    upload_ca: Annotated[
        Path | None,
        SettingDoc(
            meaning=("PEM file of the certificate authorities to trust instead of the system's."),
            example="/etc/capture-agent/ca.pem",
            effect=(
                "Trusts an endpoint whose certificate is from your own authority, and no other."
            ),
            default="system",
        ),
    ] = Field(None)
    upload_client_cert: Annotated[
        Path | None,
        SettingDoc(
            meaning=(
                "PEM file with the device's own certificate and its key, for an endpoint "
                "that requires one."
            ),
            example="/etc/capture-agent/device.pem",
            effect=(
                "The endpoint identifies the device by its certificate, in addition to a "
                "token or instead of one. Only the service's user may read the file."
            ),
            default="none",
        ),
    ] = Field(None)
    upload_proxy: Annotated[
        SecretStr | None,
        SettingDoc(
            meaning=(
                "Proxy as `http://[USER:PASSWORD@]HOST:PORT`. `HTTP_PROXY` and the like are "
                "not read."
            ),
            example="http://10.0.0.1:3128",
            effect=("All requests go through it. It is never taken from `HTTP_PROXY` or the like."),
            default="none",
            kind="address",
        ),
    ] = Field(None)

    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        SettingDoc(
            meaning="Least severe level that is logged.",
            example="debug",
            effect=(
                "`debug` adds one line a frame with the reason why it was captured or not; "
                "`warning` leaves only what needs a person."
            ),
            group="Logs",
        ),
    ] = Field("info")
    log_format: Annotated[
        Literal["auto", "logfmt", "console", "json"],
        SettingDoc(
            meaning="`auto` = `console` on a terminal, else `logfmt`.",
            example="json",
            effect="Changes the form of the lines, not their content.",
        ),
    ] = Field("auto")
    metrics_file: Annotated[
        Path | None,
        SettingDoc(
            meaning=(
                "File for the daemon's metrics in Prometheus text format, written at most "
                "every 15 s: a name that ends in `.prom` in the folder of the node "
                "exporter's textfile collector."
            ),
            example="/var/lib/node_exporter/capture-agent.prom",
            effect=(
                "Metrics for Prometheus without a listening socket. The sandbox must allow "
                "writing there: see docs/operating.md."
            ),
            default="none",
        ),
    ] = Field(None)

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

    @field_validator("thresholds", mode="before")
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

    @field_validator("rule_options", mode="before")
    @classmethod
    def _parse_rule_options(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        from agent.selection.rules.options import parse_rule_options  # imports the rules: numpy

        try:
            return parse_rule_options(value)
        except ValueError as error:
            raise PydanticCustomError(OWN_WORDS, "{why}", {"why": one_line(str(error))}) from None

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
            raise ValueError("too slow for images")
        return value

    @field_validator("spool_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.absolute()

    @field_validator("state_dir")
    @classmethod
    def _beside_the_spool(cls, value: Path, others: ValidationInfo) -> Path:
        if value == Path() and "spool_dir" in others.data:
            return Path(others.data["spool_dir"]).parent
        return value.absolute()

    @property
    def all_thresholds(self) -> Thresholds:
        """Threshold, per-label thresholds and floor as the selection uses them."""
        return Thresholds(self.threshold, self.thresholds, self.floor)

    @property
    def token(self) -> str | None:
        """The upload secret in plain text, or None."""
        return self.upload_token.get_secret_value() if self.upload_token else None
