"""Finds the labels of a model's class ids."""

from dataclasses import dataclass
from pathlib import Path

from agent.detector.formats.class_ids import label_table
from agent.detector.formats.coco import COCO_80
from agent.detector.formats.contract import Layout
from agent.errors import ModelUnusable

AUTO = "auto"
COCO = "coco"
FIX = (
    "set AGENT_MODEL_LABELS to the labels in the order of their ids, to a file of them, or to "
    "coco for the 80 of COCO"
)


@dataclass(frozen=True, slots=True)
class FoundLabels:
    """A list of labels before it is compared with the model's classes."""

    labels: tuple[str, ...]  # empty: there are none
    origin: str  # for a message


def find_labels(
    setting: str,
    *,
    from_model: tuple[str, ...] | None,
    model: Path,
    bundled: tuple[str, ...] | None = None,
) -> FoundLabels:
    """Return the labels that the setting names.

    Args:
        setting: "auto"; "coco" for the 80 labels of COCO; labels separated by commas, or by spaces
            if there is no comma; or the path of a file with one label per line.
        from_model: The labels in the model's metadata, or in a JSON file beside it.
        model: The model's file. With "auto", the file of the same name that ends in `.txt`, or
            `labels.txt` in the same folder, is read too.
        bundled: The labels of the bundled model.

    Raises:
        ModelUnusable: The file cannot be read.
    """
    if setting.strip() in ("", AUTO):
        return FoundLabels(*_found(model, from_model, bundled))
    if setting.strip().lower() == COCO:
        return FoundLabels(COCO_80, "of COCO")
    path = _as_file(setting.strip())
    if path is not None:
        return FoundLabels(_read(path), f"from {path}")
    return FoundLabels(_listed(setting), "from AGENT_MODEL_LABELS")


def fitting_labels(found: FoundLabels, layout: Layout, model: Path) -> tuple[str, ...]:
    """Return the labels if there is one for each class of the model's outputs.

    Raises:
        ModelUnusable: There are no labels, or their number is wrong.
    """
    if label_table(layout, found.labels) is None:
        classes = "unknown" if layout.classes is None else layout.classes
        raise ModelUnusable(
            f"cannot use the labels of the model {model}: its number of classes is {classes}, "
            f"its number of labels {len(found.labels)} ({found.origin}); {FIX}"
        )
    return found.labels


def _found(
    model: Path, from_model: tuple[str, ...] | None, bundled: tuple[str, ...] | None
) -> tuple[tuple[str, ...], str]:
    """Return the labels that come with the model, and their source."""
    if from_model is not None:
        return from_model, "from the model"
    for path in (model.with_suffix(".txt"), model.with_name("labels.txt")):
        if path.is_file():
            return _read(path), f"from {path}"
    if bundled is not None:
        return bundled, "from the agent's own list"
    return (), f"none in its metadata, no {model.stem}.txt or labels.txt beside it"


def _as_file(setting: str) -> Path | None:
    """Return the setting as a path if it is one.

    Labels may contain a slash, and file names a space. An existing file is a path. A text that
    looks like a path is one too, so that a missing file is reported.
    """
    path = Path(setting)
    if "," not in setting and (setting.endswith(".txt") or "/" in setting):
        return path
    try:
        return path if path.is_file() else None
    except OSError:  # a long list is not a valid file name
        return None


def _read(path: Path) -> tuple[str, ...]:
    """Read one label per line; blank lines are ignored."""
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise ModelUnusable(f"cannot read the labels {path}: {error.strerror}; {FIX}") from error
    except UnicodeDecodeError as error:
        raise ModelUnusable(f"cannot read the labels {path}: it is not UTF-8 text") from error
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _listed(setting: str) -> tuple[str, ...]:
    parts = setting.split(",") if "," in setting else setting.split()
    return tuple(part.strip() for part in parts if part.strip())
