"""Settings: the model and how it runs."""

from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Le
from pydantic import BeforeValidator, Field, field_validator
from pydantic_settings import NoDecode

from agent.detector.formats import AUTO, FORMAT_NAMES
from agent.detector.model_file.input_spec import ALLOWED as INPUT_WORDS
from agent.detector.model_file.input_spec import InputSpec
from agent.settings.documentation import SettingDoc
from agent.settings.groups.base import SettingsGroup, off, words


class ModelSettings(SettingsGroup):
    """The model and how it runs."""

    model: Annotated[
        Path | None,
        off("bundled"),
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
                "file beside it; `coco`; or a list, or the path of a file with labels."
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
        BeforeValidator(words),
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

    motion_gate: Annotated[
        Literal["off", "auto"],
        SettingDoc(
            meaning=(
                "`auto` does not run the model on frames in which nothing has moved since its "
                "last run."
            ),
            example="auto",
            effect=(
                "A scene that stands still costs little processor time. Random, interval and "
                "requested captures are the same, and the model runs at least once in 10 s. "
                "docs/performance.md says what it saves and what it misses."
            ),
            allowed="off or auto",
            choices=("off", "auto"),
            kind="word",
        ),
    ] = Field("off")

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
