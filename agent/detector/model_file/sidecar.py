"""What stands beside a model: a description in JSON that its owner wrote.

`<model>.json`, or `model.json`, in the model's folder:

    {"format": "yolox", "labels": ["cat", "dog"], "input": "bgr scale=1 fit=corner pad=114"}

Each key may be left out; the settings of the agent come first. Other tools put files of these
names there too, so one without any of the three keys says nothing.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from agent.detector.model_file.input_spec import InputSpec
from agent.errors import ModelUnusable

KEYS = ("format", "labels", "input")
LARGEST = 2_000_000  # bytes


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What its owner says of a model; None: nothing."""

    path: Path | None = None
    format: str | None = None
    labels: tuple[str, ...] | None = None
    input: InputSpec | None = None


def sidecar_text(said: Sidecar) -> str:
    """Return a description as its file holds it."""
    entries = {
        "format": said.format,
        "labels": said.labels,
        "input": None if said.input is None else str(said.input),
    }
    return json.dumps({key: value for key, value in entries.items() if value is not None})


def read_sidecar(model: Path) -> Sidecar:
    """Read the description beside a model, if there is one.

    Raises:
        ModelUnusable: It is there, means us, and cannot be understood.
    """
    for path in (model.with_suffix(".json"), model.with_name("model.json")):
        if path.is_file():
            found = _read(path)
            if found is not None:
                return found
    return Sidecar()


def _read(path: Path) -> Sidecar | None:
    try:
        if path.stat().st_size > LARGEST:
            return None
        said = json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise ModelUnusable(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ModelUnusable(f"cannot read {path}: it is no JSON ({error})") from error
    if not isinstance(said, dict) or not set(said) & set(KEYS):
        return None
    labels = said.get("labels")
    if labels is not None and not (
        isinstance(labels, list) and labels and all(isinstance(each, str) for each in labels)
    ):
        raise ModelUnusable(f"cannot use {path}: `labels` must be a list of words")
    for key in ("format", "input"):
        if not isinstance(said.get(key, ""), str):
            raise ModelUnusable(f"cannot use {path}: `{key}` must be a text")
    try:
        words = InputSpec.parse(said["input"]) if "input" in said else None
    except ValueError as error:
        raise ModelUnusable(f"cannot use {path}: `input`: {error}") from error
    return Sidecar(path, said.get("format"), tuple(labels) if labels else None, words)
