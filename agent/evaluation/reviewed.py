"""The captures that people have looked at, from reviews and from files of annotations.

Reviews stand in `verdicts.jsonl`. A folder of labels, a COCO file, an export of Label Studio or a
table of verdicts may be given beside them, and wins where both speak of a capture. Each guard here
stands against a figure that would be wrong without anybody noticing.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

from agent.dataset.annotations.coco_file import coco_labels, is_coco, require_whole
from agent.dataset.annotations.label_studio_export import is_label_studio, label_studio_boxes
from agent.dataset.annotations.model_boxes import is_untouched
from agent.dataset.annotations.source import Truth, text_of
from agent.dataset.annotations.spelling import misspelled, require_labels_of_model
from agent.dataset.annotations.verdict_table import verdicts
from agent.dataset.annotations.yolo_labels import read_folder
from agent.dataset.records import Records
from agent.dataset.reviews import standing_reviews
from agent.dataset.verdicts import FILE as VERDICTS
from agent.dataset.verdicts import read_verdicts
from agent.dataset.yolo import LabelForm
from agent.errors import ConfigurationError
from agent.evaluation.truth import FrameTruth, truth_of_boxes, truth_of_review, truth_of_right
from agent.printable import printable


@dataclass(slots=True)
class ReviewedCaptures:
    """What people said, by the id of the capture."""

    truth: dict[str, FrameTruth] = field(default_factory=dict)
    unusable: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)  # lines that were left out
    has_outlines: bool = False  # a person drew outlines, poses or rotated boxes


def read_reviewed(
    directory: Path, labels: Path | None, records: Records, *, is_reviewed: bool
) -> ReviewedCaptures:
    """Return what people said of the captures of a dataset.

    Without `labels` it is the reviews; where there are none, or all random captures were looked at
    (`is_reviewed`), the folder DIR/labels that people may have corrected.

    Raises `ConfigurationError` for what cannot be used as a review.
    """
    found = _reviews(directory, records)
    if labels is None and (found.truth or found.unusable) and not is_reviewed:
        return found
    given = labels or directory / "labels"
    if labels is None and not given.exists() and not is_reviewed:  # of a classifier
        return found
    truth = _annotated(given, directory, records, is_reviewed=is_reviewed)
    for name, each in truth.items():
        if name not in found.unusable and (labels is not None or name not in found.truth):
            found.truth[name] = each
    objects = [each.objects for each in found.truth.values() if each.objects is not None]
    found.has_outlines = any(box.is_bounds for boxes in objects for box in boxes)
    return found


def _reviews(directory: Path, records: Records) -> ReviewedCaptures:
    """Return the standing reviews of a dataset; those of a part lie in the dataset around it."""
    is_part = LabelForm.of_folder(directory.absolute().name) is not None
    folder = directory
    if is_part and not (directory / VERDICTS).exists():
        folder = directory.absolute().parent
    read = read_verdicts(folder)
    found = ReviewedCaptures(problems=read.problems)
    for name, review in standing_reviews(read.lines).items():
        if name not in records:
            continue
        truth = truth_of_review(records[name], review)
        if truth is None:
            found.unusable.add(name)
        else:
            found.truth[name] = truth
    boxes = {name: each.objects for name, each in found.truth.items() if each.objects is not None}
    found.problems += [
        f"reviews name a class '{printable(said)}', and the model '{printable(ours)}': they never "
        "match. Correct these boxes by `capture-agent review`"
        for said, ours in misspelled(boxes, records).items()
    ]
    found.has_outlines = any(box.is_bounds for each in boxes.values() for box in each)
    return found


def _annotated(
    labels: Path, directory: Path, records: Records, *, is_reviewed: bool
) -> dict[str, FrameTruth]:
    """Return what a folder or file of annotations says."""
    if labels.is_dir():
        boxes = _folder_boxes(labels, directory, records, is_reviewed=is_reviewed)
    elif not labels.exists():
        raise ConfigurationError(f"cannot read --labels {labels}: there is no such file or folder")
    else:
        if labels.name == VERDICTS:
            raise ConfigurationError(
                f"cannot use {labels} as a review: people gave these verdicts unasked, so the "
                "frames are no random sample, and of `unobjected` nobody has looked; the reviews "
                "in the file of the dataset are read without --labels"
            )
        text = text_of(labels)
        content = None
        if labels.suffix.lower() == ".json":
            try:
                content = json.loads(text)
            except (ValueError, RecursionError) as error:
                raise ConfigurationError(f"cannot read {labels}: it is no JSON: {error}") from error
        if is_coco(content):
            boxes = coco_labels(labels, content, records)
        elif is_label_studio(content):
            boxes = label_studio_boxes(labels, content, records)
        else:
            require_whole(labels, content)
            said = verdicts(labels, text, records)
            return {
                name: truth_of_right(records[name]) if is_right else FrameTruth(has_failure=True)
                for name, is_right in said.items()
                if name in records
            }
    return _checked(labels, boxes, records, is_reviewed=is_reviewed)


def _checked(
    labels: Path, boxes: Truth, records: Records, *, is_reviewed: bool
) -> dict[str, FrameTruth]:
    """Return the truth of boxes that somebody has really looked at.

    Labels of one lane that are all the model's own are no review of that lane: nobody has corrected
    them. In the random lane that is an error.
    """
    require_labels_of_model(labels, boxes, records)
    detected = {name: boxes[name] for name in boxes if "detections" in records[name]}
    touched = {
        str(records[name]["lane"])
        for name, each in detected.items()
        if not is_untouched(records[name], each)
    }
    random = [name for name in boxes if records[name]["lane"] == "random"]
    if random and "random" not in touched and not is_reviewed:
        raise ConfigurationError(
            f"cannot evaluate: every label of a random capture in {printable(labels)} is the "
            "model's own. Correct them first, as with `capture-agent review`; if you looked at all "
            "and the model was right, add --reviewed"
        )
    if is_reviewed:
        touched.add("random")
    return {
        name: truth_of_boxes(records[name], each)
        for name, each in detected.items()
        if str(records[name]["lane"]) in touched
    }


def _folder_boxes(labels: Path, directory: Path, records: Records, *, is_reviewed: bool) -> Truth:
    """Return the boxes of a folder of label files; many tools write none for an empty image."""
    detected = {name: record for name, record in records.items() if "detections" in record}
    if labels != directory / "labels" and not is_reviewed:
        _require_label_files(labels)
    folder = read_folder(labels, directory, detected)
    if not folder.files and not folder.images and any(labels.rglob("*.txt")):
        raise ConfigurationError(
            f"cannot use {printable(labels)}: no file in it has the id of a capture of "
            f"{printable(directory)} in its name; export the labels under the names of the images"
        )
    truth = dict(folder.truth(detected))
    truth |= {name: [] for name in folder.images & detected.keys() - truth.keys()}
    missing = [
        name
        for name, record in detected.items()
        if record["lane"] == "random" and name not in truth
    ]
    if is_reviewed:
        truth |= {name: [] for name in missing}
    elif missing and truth and all(truth.values()):
        raise ConfigurationError(
            f"cannot evaluate: {len(missing)} random captures have no label file in "
            f"{printable(labels)}, and none of its files is empty, so they may be images with "
            "nothing in them. If all were looked at, add --reviewed; else export empty images too"
        )
    return truth


def _require_label_files(labels: Path) -> None:
    """Raise `ConfigurationError` for a given folder that holds no YOLO labels.

    Its images alone would make each capture an image with nothing in it.
    """
    if not any(labels.rglob("*.txt")):
        raise ConfigurationError(
            f"cannot use --labels {printable(labels)}: it holds no label files (.txt); give the "
            "folder of the labels, or of a COCO or Label Studio export the JSON file itself"
        )
