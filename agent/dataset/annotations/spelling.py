"""Whether annotations name the classes as the model does."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.dataset.annotations.source import ReviewError, Truth
from agent.dataset.classes import labels_of_model
from agent.printable import printable


def require_labels_of_model(
    file: Path, truth: Truth, records: Mapping[str, Mapping[str, Any]]
) -> None:
    """Raise `ReviewError` where labels are the model's in another spelling, or none is the model's.

    Tools change letters and spaces (`Traffic-Light`); such a box would match nothing.
    """
    listed, reported = set[str](), set[str]()
    for record in records.values():
        listed |= set(labels_of_model(record))
        reported |= {str(each["label"]) for each in record.get("detections", [])}
    spelled = {_folded(label): label for label in sorted(listed | reported)}
    said = {each.label for name in truth if name in records for each in truth[name]}
    for label in sorted(said - listed - reported):
        if _folded(label) in spelled:
            raise ReviewError(
                f"cannot use {printable(file)}: it names a class '{printable(label)}', and the "
                f"model '{printable(spelled[_folded(label)])}'; rename the class in the list of "
                "classes, or in the COCO file, as the model does"
            )
    if said and listed and said.isdisjoint(listed | reported):
        theirs, ours = (", ".join(sorted(each)[:5]) for each in (said, listed))
        raise ReviewError(
            f"cannot use {printable(file)}: none of its classes ({printable(theirs)}) is one of "
            f"the model's ({printable(ours)}); name them as the model does"
        )


def _folded(label: str) -> str:
    return " ".join(re.split(r"[\s_-]+", label.casefold().strip()))
