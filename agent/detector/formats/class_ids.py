"""Map a model's class ids to labels: offsets, background classes and gaps."""

import numpy as np
from numpy.typing import NDArray

from agent.detector.formats.coco import COCO_80, COCO_IDS
from agent.detector.formats.contract import ClassNumbering, Layout

NO_LABEL = -1
"""Marks a class id that has no label, such as "background"."""

COCO_ID_CLASSES = (None, 91, 92)
"""Possible numbers of classes of a model with COCO's own ids: 0 to 90, and maybe "no object"."""

_BACKGROUND_NAMES = frozenset(
    {"background", "__background__", "no object", "no-object", "n/a", "???"}
)


def label_table(layout: Layout, labels: tuple[str, ...]) -> NDArray[np.intp] | None:
    """Return the index of the label for each class id of the model, or `NO_LABEL`.

    A list of labels may begin with the background, and may call gaps `N/A`. With the 80 labels of
    COCO, a model that uses the data set's own ids (1 to 90 with gaps) is mapped too.

    Returns:
        `[class ids]`, or None if this number of labels does not fit the model.
    """
    if not labels:
        return None
    table = _table(layout, labels)
    if table is None:
        return None
    spoken = np.array([not _is_background(label) for label in labels] + [False])
    return np.where(spoken[table], table, NO_LABEL)


def _table(layout: Layout, labels: tuple[str, ...]) -> NDArray[np.intp] | None:
    plain = np.arange(len(labels))
    if layout.gaps and labels == COCO_80 and layout.classes in COCO_ID_CLASSES:
        table = np.full(layout.classes or 91, NO_LABEL)
        table[list(COCO_IDS)] = plain
        return table
    if layout.numbering is ClassNumbering.FROM_ONE and not _is_background(labels[0]):
        fits = layout.classes in (None, len(labels) + 1)
        return np.append(NO_LABEL, plain) if fits else None
    if layout.numbering is ClassNumbering.BACKGROUND_LAST and layout.classes == len(labels) + 1:
        return np.append(plain, NO_LABEL)
    if layout.numbering is ClassNumbering.PLAIN and layout.classes == len(labels) - 1:
        return plain[1:] if _is_background(labels[0]) else None
    return plain if layout.classes in (None, len(labels)) else None


def _is_background(label: str) -> bool:
    return label.strip().lower() in _BACKGROUND_NAMES
