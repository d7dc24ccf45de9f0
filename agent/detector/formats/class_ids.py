"""From a model's class numbers to labels: offsets, backgrounds and gaps."""

import numpy as np
from numpy.typing import NDArray

from agent.detector.formats.coco import COCO_80, COCO_IDS
from agent.detector.formats.contract import ClassNumbering, Layout

NOTHING = -1
"""Stands for a class number that means "nothing is here"."""

COUNTED_WITH_GAPS = (None, 91, 92)
"""Classes of a model that counts as COCO's files do: 0 to 90, perhaps one for "no object"."""

_NO_LABEL = frozenset({"background", "__background__", "no object", "no-object", "n/a", "???"})


def label_table(layout: Layout, labels: tuple[str, ...]) -> NDArray[np.intp] | None:
    """Return for each class number of the model the index of its label, or `NOTHING`.

    A list of labels may begin with the background, or name gaps `N/A`. With the 80 labels of COCO
    a model that counts as the data set's files do, 1 to 90 with gaps, is understood too.

    Returns:
        `[numbers]`, or None where so many labels cannot go with this model.
    """
    if not labels:
        return None
    table = _table(layout, labels)
    if table is None:
        return None
    spoken = np.array([not _is_nothing(label) for label in labels] + [False])
    return np.where(spoken[table], table, NOTHING)


def _table(layout: Layout, labels: tuple[str, ...]) -> NDArray[np.intp] | None:
    plain = np.arange(len(labels))
    if layout.gaps and labels == COCO_80 and layout.classes in COUNTED_WITH_GAPS:
        table = np.full(layout.classes or 91, NOTHING)
        table[list(COCO_IDS)] = plain
        return table
    if layout.numbering is ClassNumbering.FROM_ONE and not _is_nothing(labels[0]):
        fits = layout.classes in (None, len(labels) + 1)
        return np.append(NOTHING, plain) if fits else None
    if layout.numbering is ClassNumbering.SPARE_LAST and layout.classes == len(labels) + 1:
        return np.append(plain, NOTHING)
    return plain if layout.classes in (None, len(labels)) else None


def _is_nothing(label: str) -> bool:
    return label.strip().lower() in _NO_LABEL
