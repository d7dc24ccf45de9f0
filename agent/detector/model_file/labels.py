"""Finds the labels of a model's class ids."""

import re
from dataclasses import dataclass
from pathlib import Path

from agent.detector.formats.class_ids import label_table
from agent.detector.formats.coco import COCO_80
from agent.detector.formats.contract import ClassNumbering, Layout
from agent.detector.model_file.label_text import GAP, LabelList, labels_in_text
from agent.detector.model_file.small_file import read_small_text
from agent.detector.model_file.words import labels_of
from agent.errors import ModelUnusable
from agent.printable import printable

AUTO = "auto"
COCO = "coco"
FIX = "set AGENT_MODEL_LABELS to the labels in the order of their class ids, or to a file of them"
COCO_FIX = f"{FIX}, or to coco for the 80 of COCO"
FILES = (".txt", ".yaml", ".yml", ".json", ".names", ".csv", ".pbtxt")
"""Ends of file names: a setting with one of them is a path."""

_HEADERS = frozenset({"name", "label", "class_name", "class", "names", "labels", "classes"})
_NUMBERED = re.compile(r"\s*\d{1,6}\s*[:=]\s*\S.*", re.ASCII)


@dataclass(frozen=True, slots=True)
class FoundLabels:
    """A list of labels before it is compared with the model's classes."""

    labels: tuple[str, ...]  # empty: there are none
    origin: str  # for a message
    first: int | None = None  # the class id of the first label; None if the list has no numbers


def find_labels(
    setting: str,
    *,
    from_model: tuple[str, ...] | None,
    model: Path,
    bundled: tuple[str, ...] | None = None,
    problem: str = "",
) -> FoundLabels:
    """Return the labels that the setting names.

    Args:
        setting: "auto"; "coco" for the 80 labels of COCO; labels separated by commas, or by spaces
            if there is no comma; a list or dictionary; or the path of a file in a form that
            `label_text` reads.
        from_model: The labels in the model's metadata, or in a JSON file beside it.
        model: The model's file. With "auto", the file of the same name that ends in `.txt`, or
            `labels.txt` in the same folder, is read too.
        bundled: The labels of the bundled model.
        problem: Why labels in the model were not understood; empty if there are none.

    Raises:
        ModelUnusable: The file cannot be read, or the labels are not understood.
    """
    if setting.strip() in ("", AUTO):
        return _found(model, from_model, bundled, problem)
    if setting.strip().lower() == COCO:
        return FoundLabels(COCO_80, "of COCO")
    path = _as_file(setting.strip())
    if path is not None:
        return _read(path)
    listed = _listed(setting)
    return FoundLabels(listed.labels, "from AGENT_MODEL_LABELS", listed.first)


def fitting_labels(found: FoundLabels, layout: Layout, model: Path) -> tuple[str, ...]:
    """Return the labels if there is one for each class of the model's outputs.

    Raises:
        ModelUnusable: There are no labels, their number is wrong, or their own numbers are unclear.
    """
    labels = found.labels
    if len(labels) > 1 and labels[0].lower() in _HEADERS and label_table(layout, labels) is None:
        labels = labels[1:]  # the header of a table with one column
    if found.first == 1 and layout.numbering is ClassNumbering.PLAIN:
        if layout.classes is None:
            raise ModelUnusable(
                f"cannot use the labels {found.origin}: their numbers begin at 1, and the model "
                f"{printable(model)} does not say whether its class ids begin at 0 or 1; number "
                "them from 0 (AGENT_MODEL_LABELS), or add `0: background`"
            )
        if layout.classes == len(labels) + 1:
            labels = (GAP, *labels)
    if label_table(layout, labels) is None:
        classes = "unknown" if layout.classes is None else layout.classes
        may_be_coco = label_table(layout, COCO_80) is not None
        raise ModelUnusable(
            f"cannot use the labels of the model {printable(model)}: its number of classes is "
            f"{classes}, its number of labels {len(found.labels)} ({found.origin}); "
            f"{COCO_FIX if may_be_coco else FIX}"
        )
    return labels


def _found(
    model: Path,
    from_model: tuple[str, ...] | None,
    bundled: tuple[str, ...] | None,
    problem: str,
) -> FoundLabels:
    """Return the labels that come with the model, and their source."""
    if from_model is not None:
        return FoundLabels(from_model, "from the model")
    for path in (model.with_suffix(".txt"), model.with_name("labels.txt")):
        if path.is_file():
            return _read(path)
    if bundled is not None:
        return FoundLabels(bundled, "from the agent's own list")
    if problem:
        raise ModelUnusable(
            f"cannot use the labels of the model {printable(model)}: {problem}; {FIX}"
        )
    stem = printable(model.stem)
    return FoundLabels((), f"none in its metadata, no {stem}.txt or labels.txt beside it")


def _as_file(setting: str) -> Path | None:
    """Return the setting as a path if it is one.

    Labels may contain a slash, and file names a space. An existing file is a path. A text that
    looks like a path is one too, so that a missing file is reported.
    """
    if _is_structured(setting):
        return None
    path = Path(setting)
    if "," not in setting and (setting.lower().endswith(FILES) or "/" in setting):
        return path
    try:
        return path if path.is_file() else None
    except (OSError, ValueError):  # a long list is not a valid file name
        return None


def _is_structured(setting: str) -> bool:
    return setting.startswith(("[", "{")) or re.match(r"names\s*:", setting) is not None


def _read(path: Path) -> FoundLabels:
    """Read a file with labels."""
    shown = printable(path)
    try:
        found = labels_in_text(read_small_text(path))
    except OSError as error:
        raise ModelUnusable(f"cannot read the labels {shown}: {error.strerror}; {FIX}") from error
    except ValueError as error:
        raise ModelUnusable(
            f"cannot read the labels {shown}: {error}; {FIX}, one on each line"
        ) from error
    return FoundLabels(found.labels, f"from {shown}", found.first)


def _listed(setting: str) -> LabelList:
    """Read labels from the setting itself."""
    parts = setting.split(",") if "," in setting else setting.split()
    parts = [part.strip() for part in parts if part.strip()]
    try:
        if _is_structured(setting.strip()):
            return labels_in_text(setting)
        if parts and all(_NUMBERED.fullmatch(part) for part in parts):
            return labels_in_text("\n".join(parts))
        return LabelList(labels_of(parts))
    except ValueError as error:
        raise ModelUnusable(
            f"cannot use AGENT_MODEL_LABELS={printable(setting, 60)}: {error}; {FIX}"
        ) from error
