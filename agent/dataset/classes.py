"""The class list of a dataset: the model's own, so that folders of one model have equal numbers."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

CLASSES_MAX = 10_000
"""Classes of a dataset that get the model's number; a record cannot make the list longer."""

# What no file system, or not each, takes in a name; and what would lead elsewhere.
_UNFIT = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|%]|^\.|[. ]$')
_NAME_MAX = 200  # characters of a label in a record's list of classes


def placeholder(number: int) -> str:
    """Return the name of a class that no record has named yet: trainers want no gap."""
    return f"class {number}"


def with_classes_of(names: Sequence[str], record: Mapping[str, Any]) -> list[str]:
    """Return the class list `names` of a dataset, extended by the record's model.

    The model's list is taken as it is where it agrees with `names`; a dataset that began with
    another model keeps its numbers.
    """
    return with_names(names, labels_of_model(record))


def with_names(names: Sequence[str], others: Sequence[str]) -> list[str]:
    """Return the class list `names`, extended by `others` if they have the same numbers."""
    is_same = len(others) >= len(names) and all(
        name in (label, placeholder(number))
        for number, (name, label) in enumerate(zip(names, others, strict=False))
    )
    return list(others) if is_same else list(names)


def number_of(names: list[str], detection: Mapping[str, Any]) -> int:
    """Return the class of a detection; a label that `names` lacks is added to it.

    The model's own `class_id` is its number unless another label has it.
    """
    label, number = str(detection["label"]), detection.get("class_id")
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < CLASSES_MAX:
        number = None
    if number is not None and number < len(names) and names[number] == label:
        return number
    if label in names:
        return names.index(label)
    if number is not None and number < len(names) and names[number] == placeholder(number):
        names[number] = label
        return number
    if number is not None and number >= len(names):
        names += [placeholder(missing) for missing in range(len(names), number)]
    names.append(label)
    return len(names) - 1


def labels_of_model(record: Mapping[str, Any]) -> list[str]:
    """Return the labels of the record's model by class id; none where it does not state them."""
    model = record.get("model")
    labels = model.get("labels") if isinstance(model, dict) else None
    if not isinstance(labels, list) or len(labels) > CLASSES_MAX:
        return []
    fits = all(isinstance(label, str) and len(label) <= _NAME_MAX for label in labels)
    return list(labels) if fits else []


def class_folder(label: str) -> str:
    """Return the name of the folder for images of a class, fit for every file system."""
    return _UNFIT.sub(lambda found: f"%{ord(found[0]):02X}", label) or "%"
