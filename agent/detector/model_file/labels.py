"""Which words the model's class ids stand for."""

from pathlib import Path

from agent.detector.formats.class_ids import label_table
from agent.detector.formats.coco import COCO_80
from agent.detector.formats.contract import Layout
from agent.errors import ModelUnusable

AUTO = "auto"
COCO = "coco"
MEND = (
    "set AGENT_MODEL_LABELS to the labels in the order of their ids, to a file of them, or to "
    "coco for the 80 of COCO"
)


def resolve_labels(
    setting: str,
    *,
    layout: Layout,
    written: tuple[str, ...] | None,
    model: Path,
    known: tuple[str, ...] | None = None,
) -> tuple[str, ...]:
    """Return the labels of the model's classes.

    Args:
        setting: "auto"; "coco" for the 80 labels of COCO; or labels separated by commas, or by
            spaces where there is no comma; or the path of a file with one label a line.
        layout: How the model's outputs number their classes.
        written: The labels in the model's metadata, or beside it.
        model: The model's file; with "auto" a file of its name ending in `.txt`, or `labels.txt`,
            beside it counts.
        known: The labels of a model that ships with the agent.

    Raises:
        ModelUnusable: No labels, a file that cannot be read, or a wrong number.
    """
    if setting.strip() in ("", AUTO):
        labels, origin = _found(model, written, known)
    elif setting.strip().lower() == COCO:
        labels, origin = COCO_80, "of COCO"
    elif (path := _as_file(setting.strip())) is not None:
        labels, origin = _read(path), f"from {path}"
    else:
        labels, origin = _listed(setting), "from AGENT_MODEL_LABELS"
    if label_table(layout, labels) is None:
        classes = "not in its outputs" if layout.classes is None else layout.classes
        raise ModelUnusable(
            f"cannot name what the model {model} sees: its classes are {classes}, "
            f"its labels {len(labels)} ({origin}); {MEND}"
        )
    return labels


def _found(
    model: Path, written: tuple[str, ...] | None, known: tuple[str, ...] | None
) -> tuple[tuple[str, ...], str]:
    """Return the labels that come with the model, and where they stand."""
    if written is not None:
        return written, "written with it"
    for path in (model.with_suffix(".txt"), model.with_name("labels.txt")):
        if path.is_file():
            return _read(path), f"from {path}"
    if known is not None:
        return known, "from the agent's own list"
    return (), f"none in its metadata, no {model.stem}.txt or labels.txt beside it"


def _as_file(setting: str) -> Path | None:
    """Return the setting as a path if it is meant as one.

    Labels may hold a slash and file names a space: what exists is a file, what looks like one
    and does not exist is a mistake to be reported by the reader.
    """
    path = Path(setting)
    if "," not in setting and (setting.endswith(".txt") or "/" in setting):
        return path
    try:
        return path if path.is_file() else None
    except OSError:  # a long list is no file name
        return None


def _read(path: Path) -> tuple[str, ...]:
    """Read one label a line; blank lines do not count."""
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise ModelUnusable(f"cannot read the labels {path}: {error.strerror}; {MEND}") from error
    except UnicodeDecodeError as error:
        raise ModelUnusable(f"cannot read the labels {path}: it is not UTF-8 text") from error
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _listed(setting: str) -> tuple[str, ...]:
    parts = setting.split(",") if "," in setting else setting.split()
    return tuple(part.strip() for part in parts if part.strip())
