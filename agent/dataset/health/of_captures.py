"""Reads a dataset folder of the agent for its health check; what is invalid in it is noted."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent.dataset.classes import labels_of_model
from agent.dataset.health.subject import HealthImage, HealthObject, Layout, ProblemKind, Subject
from agent.dataset.moments import moments_of
from agent.dataset.records import part_folders, read_record
from agent.dataset.reviews import Review, objects_of, standing_reviews
from agent.dataset.verdicts import FILE as VERDICTS
from agent.dataset.verdicts import read_verdicts
from agent.dataset.yolo import names_of
from agent.errors import ConfigurationError
from agent.files import read_regular_file
from agent.record.synthetic import is_synthetic

_OF_MOMENT = (
    "device", "camera", "boot_id", "monotonic_ns", "clock_synchronized", "captured_at",
)  # fmt: skip
_YAML_MAX = 4_000_000  # bytes of a `data.yaml`
_RULES_MAX = 50  # of one record


def is_capture_folder(directory: Path) -> bool:
    """Return whether `directory` has records of captures, or parts of other tasks that do."""
    folders = (directory, *part_folders(directory))
    return any((folder / "records").is_dir() for folder in folders)


def read_capture_folder(directory: Path) -> Subject:
    """Return the captures of `directory` with the objects that are known to be in their images.

    Raises `ConfigurationError` if the file of verdicts cannot be read.
    """
    subject = Subject(directory, Layout.CAPTURES)
    verdicts = read_verdicts(directory)
    for problem in verdicts.problems:
        subject.add_problem(ProblemKind.BAD_VERDICT, directory / VERDICTS, problem)
    reviews = standing_reviews(verdicts.lines)
    about: dict[str, Mapping[str, Any]] = {}
    for folder in (directory, *part_folders(directory)):
        _add_names(subject, _names(folder))
        for path in sorted((folder / "records").glob("*.json")):
            try:
                record = read_record(path)
                image = _image(folder, record, reviews.get(path.stem))
            except (ConfigurationError, ValueError, TypeError, KeyError, OverflowError) as error:
                subject.add_problem(ProblemKind.BAD_RECORD, path, error)
                continue
            if is_synthetic(record):  # shows what its parent shows, not what cameras see
                subject.synthetic += 1
                continue
            about[path.stem] = {name: record[name] for name in _OF_MOMENT if name in record}
            _add_names(subject, labels_of_model(record))
            subject.images.append(image)
        _note_orphans(subject, folder)
    moments = moments_of(about)
    subject.images = [replace(each, moment=moments[each.name]) for each in subject.images]
    return subject


def _names(folder: Path) -> list[str]:
    try:
        return names_of(read_regular_file(folder / "data.yaml", _YAML_MAX).decode())
    except (OSError, ValueError):  # classifiers have none; a person may have written another
        return []


def _add_names(subject: Subject, names: list[str]) -> None:
    known = set(subject.names)
    subject.names += [name for name in names if name not in known]


def _image(folder: Path, record: Mapping[str, Any], review: Review | None) -> HealthImage:
    known = objects_of(record, review)
    width, height = record["image"]["width"], record["image"]["height"]
    objects = None
    if known.objects is not None:
        objects = tuple(_objects(known.objects, width, height))
    name = str(record["id"])
    return HealthImage(
        name=name,
        path=folder / "images" / f"{name}.jpg",
        objects=() if known.classes is not None else objects,
        classes=known.classes or (),
        origin=known.origin.value if known.is_known else "",
        review=review.verdict.value if review is not None else "",
        lane=record["lane"],
        rules=_rules(record),
    )


def _objects(
    found: tuple[Mapping[str, Any], ...], width: int, height: int
) -> Iterator[HealthObject]:
    for each in found:
        left, top, right, bottom = map(float, each["box"])
        yield HealthObject(
            str(each["label"]), (left / width, top / height, right / width, bottom / height)
        )


def _rules(record: Mapping[str, Any]) -> tuple[str, ...]:
    rules = record.get("rules", [])
    names = (
        each.get("name") if isinstance(each, dict) else each
        for each in (rules[:_RULES_MAX] if isinstance(rules, list) else ())
    )
    return tuple(dict.fromkeys(name for name in names if isinstance(name, str)))


def _note_orphans(subject: Subject, folder: Path) -> None:
    """Note images and label files whose record is missing."""
    known = {path.stem for path in (folder / "records").glob("*.json")}
    for kind, name, suffix in (
        (ProblemKind.NO_RECORD, "images", "*.jpg"),
        (ProblemKind.ORPHAN_LABEL, "labels", "*.txt"),
    ):
        for path in sorted((folder / name).glob(suffix)):
            if path.stem not in known:
                subject.add_problem(kind, path)
