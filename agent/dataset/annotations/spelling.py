"""Whether annotations name the classes as the model does."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.dataset.annotations.source import ReviewError, Truth
from agent.dataset.classes import labels_of_model
from agent.printable import printable


def misspelled(truth: Truth, records: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the labels that are one of the model's in another spelling, with the model's own."""
    ours = _listed(records) | _reported(records)
    spelled = {_folded(label): label for label in sorted(ours)}
    said = {each.label for name in truth if name in records for each in truth[name]}
    return {
        label: spelled[_folded(label)] for label in sorted(said - ours) if _folded(label) in spelled
    }


def require_labels_of_model(
    file: Path, truth: Truth, records: Mapping[str, Mapping[str, Any]]
) -> None:
    """Raise `ReviewError` where labels are the model's in another spelling, or none is the model's.

    Tools change letters and spaces (`Traffic-Light`); such a box would match nothing.
    """
    for label, ours in misspelled(truth, records).items():
        raise ReviewError(
            f"cannot use {printable(file)}: it names a class '{printable(label)}', and the model "
            f"'{printable(ours)}'; rename the class in the list of classes, or in the COCO file, "
            "as the model does"
        )
    listed, reported = _listed(records), _reported(records)
    said = {each.label for name in truth if name in records for each in truth[name]}
    if said and listed and said.isdisjoint(listed | reported):
        theirs, own = (", ".join(sorted(each)[:5]) for each in (said, listed))
        raise ReviewError(
            f"cannot use {printable(file)}: none of its classes ({printable(theirs)}) is one of "
            f"the model's ({printable(own)}); name them as the model does"
        )


def _listed(records: Mapping[str, Mapping[str, Any]]) -> set[str]:
    return {label for record in records.values() for label in labels_of_model(record)}


def _reported(records: Mapping[str, Mapping[str, Any]]) -> set[str]:
    found = (each for record in records.values() for each in record.get("detections", []))
    return {str(each["label"]) for each in found}


def _folded(label: str) -> str:
    return " ".join(re.split(r"[\s_-]+", label.casefold().strip()))
