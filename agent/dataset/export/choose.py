"""Chooses the captures of an export, splits them, and says what was left out and why."""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from agent.dataset.captures import DatasetCapture
from agent.dataset.class_list import stored_classes
from agent.dataset.classes import number_of, with_classes_of
from agent.dataset.export.contents import (
    Contents,
    ExportedCapture,
    exported_objects,
)
from agent.dataset.export.notes import notes_of
from agent.dataset.images import UnusableCapture, check_image, problem
from agent.dataset.leakage import Leak, leaks
from agent.dataset.moments import moments_of
from agent.dataset.reviews import LabelOrigin, Objects, Review, objects_of
from agent.dataset.splits import Candidate, Split, SplitTerms, split_captures
from agent.dataset.yolo import LabelForm, form_of_record
from agent.domain import Lane
from agent.errors import ConfigurationError
from agent.printable import printable
from agent.record.synthetic import is_synthetic, parent_of

_THREADS = 4  # that read images
_KNOWN = (LabelOrigin.REVIEWED, LabelOrigin.CORRECTED)

UNUSABLE = "unusable, as a review says"
UNKNOWN = "wrong, as a review says, and nobody drew the objects"
NO_CLASS = "of a classifier that was not sure of any class"
OTHER_ORIGIN = "of origins that were not asked for"
DAMAGED = "whose image is missing or damaged"


def tasks_of(captures: Mapping[str, DatasetCapture]) -> dict[str, list[DatasetCapture]]:
    """Return the captures by the task of their labels, such as `detect`, `pose-17`, `classify`."""
    found: dict[str, list[DatasetCapture]] = {}
    forms: dict[Path, LabelForm] = {}
    for capture in captures.values():
        if "classes" in capture.record:
            found.setdefault("classify", []).append(capture)
            continue
        if capture.folder not in forms:
            forms[capture.folder] = _form_of(capture)
        found.setdefault(forms[capture.folder].folder, []).append(capture)
    return found


def choose(
    captures: Collection[DatasetCapture],
    reviews: Mapping[str, Review],
    *,
    name: str,
    terms: SplitTerms,
    origins: Collection[LabelOrigin],
    progress: Callable[[int, int], object] = lambda _done, _total: None,
) -> Contents:
    """Return what an export of these captures, all of one task, is made of.

    `origins` are those of the labels in train and validation; all reviewed random captures are in
    test. `name` is that of the dataset folder. Raises `ConfigurationError` for a class list that
    cannot be used.
    """
    left_out: Counter[str] = Counter()
    damaged: list[str] = []
    chosen: dict[str, tuple[DatasetCapture, Objects]] = {}
    lost = 0  # random captures with a failure that nobody drew
    for capture in _whole(captures, damaged, progress):
        review = reviews.get(capture.id)
        known = objects_of(capture.record, review)
        is_random = capture.record["lane"] == Lane.RANDOM
        if review is not None and not review.is_usable:
            left_out[UNUSABLE] += 1
        elif not known.is_known:
            left_out[UNKNOWN] += 1
            lost += is_random
        elif known.classes == ():
            left_out[NO_CLASS] += 1
        elif known.origin not in origins and not (is_random and terms.has_test):
            left_out[OTHER_ORIGIN] += 1
        else:
            chosen[capture.id] = capture, known
    if damaged:
        left_out[DAMAGED] = len(damaged)

    moments = moments_of({name: capture.record for name, (capture, _) in chosen.items()})
    splits = split_captures(
        (
            Candidate(
                name,
                moments[name],
                str(capture.record["image"].get("sha256")),
                is_random=capture.record["lane"] == Lane.RANDOM,
                is_reviewed=known.origin in _KNOWN,
                is_automatic=capture.record["lane"] == Lane.AUTO,
                is_synthetic=is_synthetic(capture.record),
                parent=parent_of(capture.record) or "",
            )
            for name, (capture, known) in chosen.items()
        ),
        terms,
    )
    left_out.update(reason.value for reason in splits.left_out.values())
    form, classes, numbers = _numbered(chosen)
    exported = []
    for each, split in sorted(splits.by_id.items()):
        capture, known = chosen[each]
        image = capture.record["image"]
        exported.append(
            ExportedCapture(
                each,
                split,
                capture.record,
                capture.image_path,
                known.origin,
                reviews.get(each),
                exported_objects(
                    known, reviews.get(each), numbers[each], image["width"], image["height"]
                )
                if known.objects is not None
                else (),
                tuple(numbers[each]) if known.classes is not None else (),
            )
        )
    own = {each for each, (capture, _) in chosen.items() if not is_synthetic(capture.record)}
    near = own & splits.left_out.keys()
    train = [each for each in splits.ids(Split.TRAIN) if each in own]
    leak_tables: dict[Split, list[Leak]] = {
        split: leaks(moments, train, splits.ids(split), left_out=near)
        for split in (Split.VAL, Split.TEST)
    }
    return Contents(
        form,
        classes,
        exported,
        {reason: left_out[reason] for reason in sorted(left_out)},
        leak_tables,
        terms,
        sorted(origins),
        [_parent(name, captures)],
        damaged,
        notes_of(exported, terms, lost),
    )


def _whole(
    captures: Collection[DatasetCapture],
    damaged: list[str],
    progress: Callable[[int, int], object],
) -> list[DatasetCapture]:
    """Return the captures whose image is that of the record, in the order of their ids."""

    def why_not(capture: DatasetCapture) -> str | None:
        try:
            check_image(capture)
        except UnusableCapture as error:
            return problem(capture, error)
        return None

    ordered = sorted(captures, key=lambda capture: capture.id)
    whole = []
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="export") as pool:
        for done, (capture, why) in enumerate(
            zip(ordered, pool.map(why_not, ordered), strict=True), start=1
        ):
            if why is None:
                whole.append(capture)
            else:
                damaged.append(why)
            progress(done, len(ordered))
    return whole


def _numbered(
    chosen: Mapping[str, tuple[DatasetCapture, Objects]],
) -> tuple[LabelForm | None, list[str], dict[str, list[int]]]:
    """Return the form of the labels, the class list, and the classes of the objects by capture."""
    first = next(iter(chosen.values()), None)
    if first is None:
        return LabelForm(), [], {}
    if first[1].classes is not None:
        names = sorted({label for _, known in chosen.values() for label in known.classes or ()})
        place = {label: number for number, label in enumerate(names)}
        return (
            None,
            names,
            {
                name: [place[label] for label in known.classes or ()]
                for name, (_, known) in chosen.items()
            },
        )
    names = _names_of(first[0])
    numbers: dict[str, list[int]] = {}
    keypoints = 0
    for name, (capture, known) in sorted(chosen.items()):
        names = with_classes_of(names, capture.record)
        numbers[name] = [number_of(names, each) for each in known.objects or ()]
        keypoints = max(keypoints, form_of_record(capture.record).keypoints)
    form = _form_of(first[0])
    return LabelForm(form.task, form.keypoints or keypoints), names, numbers


def _form_of(capture: DatasetCapture) -> LabelForm:
    """Return the form of the labels beside a capture: `data.yaml` says it, else the record."""
    try:
        return stored_classes(capture.folder)[1]
    except (OSError, ValueError):
        return form_of_record(capture.record)


def _names_of(capture: DatasetCapture) -> list[str]:
    try:
        return stored_classes(capture.folder)[0]
    except FileNotFoundError:  # the records name their classes
        return []
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"cannot export: {printable(capture.folder / 'data.yaml')} is not as written here: "
            f"{printable(error)}; bring it back, or move it away: then the classes are numbered by "
            "the records"
        ) from error


def _parent(name: str, captures: Collection[DatasetCapture]) -> dict[str, Any]:
    """Return what `dataset.json` says of the folder that was exported."""
    digest = hashlib.sha256()
    for each in sorted(captures, key=lambda capture: capture.id):
        digest.update(f"{each.id} {each.record['image'].get('sha256')}\n".encode())
    return {"name": name, "captures": len(captures), "sha256": digest.hexdigest()}
