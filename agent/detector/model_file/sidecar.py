"""The sidecar of a model: a JSON file with its format, labels and input.

`<model>.json`, or `model.json`, in the model's folder:

    {"format": "yolox", "labels": ["cat", "dog"], "input": "bgr scale=1 fit=corner pad=114"}

Each key is optional; the settings of the agent have priority. Other tools write files with these
names too, so a file with none of the three keys is ignored.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from agent.detector.model_file.input_spec import InputSpec
from agent.detector.model_file.small_file import MAX_BYTES, read_small_text
from agent.detector.model_file.words import labels_of
from agent.errors import ModelUnusable
from agent.printable import printable

KEYS = ("format", "labels", "input")


@dataclass(frozen=True, slots=True)
class Sidecar:
    """The description of a model; None: not described."""

    path: Path | None = None
    format: str | None = None
    labels: tuple[str, ...] | None = None
    input: InputSpec | None = None


def sidecar_text(sidecar: Sidecar) -> str:
    """Return the content of a sidecar file."""
    entries = {
        "format": sidecar.format,
        "labels": sidecar.labels,
        "input": None if sidecar.input is None else str(sidecar.input),
    }
    return json.dumps({key: value for key, value in entries.items() if value is not None})


def read_sidecar(model: Path) -> Sidecar:
    """Read the sidecar of a model; empty if there is none.

    Raises:
        ModelUnusable: The file has one of our keys, but is invalid, or it cannot be read.
    """
    for path in (model.with_suffix(".json"), model.with_name("model.json")):
        if path.is_file():
            found = _read(path)
            if found is not None:
                return found
    return Sidecar()


def _read(path: Path) -> Sidecar | None:
    shown = printable(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            return None
        data = json.loads(read_small_text(path))
    except OSError as error:
        raise ModelUnusable(f"cannot read {shown}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ModelUnusable(
            f"cannot read {shown}: it is not valid JSON ({printable(error)})"
        ) from error
    if not isinstance(data, dict) or not set(data) & set(KEYS):
        return None
    labels = data.get("labels")
    if labels is not None and not (
        isinstance(labels, list) and labels and all(isinstance(each, str) for each in labels)
    ):
        raise ModelUnusable(f"cannot use {shown}: `labels` must be a list of strings")
    for key in ("format", "input"):
        if not isinstance(data.get(key, ""), str):
            raise ModelUnusable(f"cannot use {shown}: `{key}` must be a string")
    try:
        checked = labels_of(labels) if labels else None
        words = InputSpec.parse(data["input"]) if "input" in data else None
    except ValueError as error:
        what = "labels" if labels and "label" in str(error) else "input"
        raise ModelUnusable(f"cannot use {shown}: `{what}`: {error}") from error
    return Sidecar(path, data.get("format"), checked, words)
