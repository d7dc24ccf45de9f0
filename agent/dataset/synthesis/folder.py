"""Synthesis in a dataset folder: reads it, writes the variants, and keeps to the credits.

The folder is the ledger: its records tell how many variants there are, so a call that was killed
and is repeated makes what is missing, and no more.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.camera.images.file import decode_image, read_image, read_image_bytes
from agent.dataset.captures import DatasetCapture, read_captures
from agent.dataset.classes import labels_of_model
from agent.dataset.folder import Dataset
from agent.dataset.reviews import standing_reviews
from agent.dataset.synthesis.looks import Look, look_of
from agent.dataset.synthesis.needs import Need, Shown
from agent.dataset.synthesis.parents import Parent, parents_of
from agent.dataset.synthesis.synthesis import Existing, ParentImage, Synthesis
from agent.dataset.synthesis.variant import Variant
from agent.dataset.verdicts import problems_note, read_verdicts
from agent.errors import ConfigurationError, UnusableImage
from agent.files import Disk
from agent.printable import printable
from agent.record.jpeg_header import quality_of
from agent.record.synthetic import is_synthetic, parent_of

LOCK = ".synthesize.lock"
QUALITY = 90
"""Of the JPEG of a variant whose parent's quality cannot be read."""


@dataclass(frozen=True, slots=True)
class SynthesisTerms:
    """What a person asks for."""

    credits: int  # variants in the folder, with those that it has
    seed: int = 0
    most_of_one: int = 4  # variants of one parent
    flips: bool = True
    never_flip: tuple[str, ...] = ()  # labels


@dataclass(slots=True)
class SynthesisReport:
    """What was done."""

    terms: SynthesisTerms
    existing: int  # variants before
    parents: int
    left_out: dict[str, int]  # captures that are no parents, by reason
    needs: Sequence[Need]
    made: list[Variant] = field(default_factory=list)  # without their images
    missing: Mapping[Need, float] = field(default_factory=dict)  # afterwards
    problems: list[str] = field(default_factory=list)  # captures that could not be used, and why
    notes: list[str] = field(default_factory=list)  # warnings for people

    @property
    def left(self) -> int:
        """Credits that are not spent."""
        return max(0, self.terms.credits - self.existing - len(self.made))

    def facts(self) -> dict[str, Any]:
        """Return the report as JSON."""
        counts = Counter(variant.need for variant in self.made)
        return {
            "credits": self.terms.credits,
            "existing": self.existing,
            "made": len(self.made),
            "left": self.left,
            "seed": self.terms.seed,
            "parents": self.parents,
            "left_out": self.left_out,
            "gaps": [
                {
                    "kind": need.kind.value,
                    "label": need.label,
                    "value": need.value,
                    "missing": round(need.missing),
                    "wanted": round(need.target),
                    "made": counts[need],
                    "still_missing": max(0, round(self.missing.get(need, need.missing))),
                }
                for need in self.needs
            ],
            "variants": [
                {"id": variant.id, **variant.record["synthetic"]} for variant in self.made
            ],
            "problems": self.problems,
            "notes": self.notes,
        }


def synthesize(
    directory: Path,
    out: Path,
    disk: Disk,
    needs: Sequence[Need],
    terms: SynthesisTerms,
    *,
    dry_run: bool = False,
    made: Callable[[int], object] = lambda _: None,
) -> SynthesisReport:
    """Make variants of the captures in `directory`, as captures of the dataset `out`.

    `disk` writes in `out`. `made` gets the number of variants after each.

    Raises `ConfigurationError` for a folder that cannot be used, `DamagedDataset`, and `OSError` if
    the disk refuses: all that was stored stays, and a repeated call goes on.
    """
    problems: list[str] = []
    captures = read_captures(directory, skipped=problems)
    verdicts = read_verdicts(directory)
    reviews = standing_reviews(verdicts.lines)
    found = parents_of(
        captures,
        reviews,
        classes=_class_names(captures, reviews),
        flips=terms.flips,
        never_flip=terms.never_flip,
    )
    with ExitStack() as stack:
        if not dry_run:
            stack.enter_context(_alone(out, disk))
        if out != directory:
            captures = read_captures(out, skipped=problems)
        existing = list(_existing(captures))
        report = SynthesisReport(
            terms,
            len(existing),
            len(found.parents),
            dict(found.left_out),
            needs,
            problems=problems,
            notes=problems_note(verdicts.problems),
        )
        reader = _Reader(report.problems)
        synthesis = Synthesis(
            found.parents,
            needs,
            reader.read,
            seed=terms.seed,
            most_of_one=terms.most_of_one,
            existing=existing,
        )
        dataset = Dataset(out, disk)
        for variant in synthesis.variants(max(0, terms.credits - len(existing))):
            if not dry_run:
                dataset.store(variant.record_json, variant.image)
            report.made.append(variant.without_image())
            made(len(existing) + len(report.made))
        report.missing = dict(synthesis.missing)
    return report


def _alone(out: Path, disk: Disk) -> Any:
    """Return the lock of a folder: two calls at once would each spend all credits."""
    disk.make_directory(out)
    stack = ExitStack()
    try:
        stack.enter_context(disk.locked(out / LOCK, seconds=0.0))
    except BlockingIOError as error:
        raise ConfigurationError(
            f"cannot synthesize into {printable(out)}: another call does it now; wait for its end"
        ) from error
    return stack


def _class_names(captures: Mapping[str, DatasetCapture], reviews: Mapping[str, Any]) -> set[str]:
    """Return all class names that the dataset may have."""
    names = set[str]()
    for capture in captures.values():
        names.update(labels_of_model(capture.record))
        names.update(_labels(capture.record, "detections"))
        names.update(_labels(capture.record, "classes"))
    for review in reviews.values():
        names.update(each["label"] for each in review.boxes or ())
        names.update(review.labels or ())
    return names


def _labels(record: Mapping[str, Any], name: str) -> list[str]:
    """Return the labels in a list of a record; of classes only the first was checked."""
    found = record.get(name)
    rows = found if isinstance(found, list) else ()
    return [
        each["label"]
        for each in rows
        if isinstance(each, dict) and isinstance(each.get("label"), str)
    ]


def _existing(captures: Mapping[str, DatasetCapture]) -> Iterator[Existing]:
    """Yield the variants of a dataset; one without a valid parent counts too."""
    for capture in captures.values():
        record, image = capture.record, capture.record["image"]
        if not is_synthetic(record):
            continue
        light = record["synthetic"].get("light") if isinstance(record["synthetic"], dict) else None
        shown = Shown(
            record.get("detections") or (),
            _labels(record, "classes"),
            image["width"],
            image["height"],
            float(light) if isinstance(light, float) else None,
        )
        yield Existing(parent_of(record) or "", shown, _LookOf(capture.image_path))


@dataclass(frozen=True, slots=True)
class _LookOf:
    """Reads the image of a variant when it is asked for."""

    path: Path

    def __call__(self) -> Look | None:
        try:
            return look_of(read_image(self.path))
        except (OSError, UnusableImage):
            return None


class _Reader:
    """Reads images of parents, and notes each that cannot be used once."""

    def __init__(self, problems: list[str]) -> None:
        self._problems = problems
        self._refused: set[str] = set()

    def read(self, parent: Parent) -> ParentImage | None:
        """Return the image of a parent, if it is the one that its record describes."""
        if parent.id in self._refused:
            return None
        try:
            return _image_of(parent)
        except (OSError, UnusableImage) as error:
            why = error.strerror if isinstance(error, OSError) else error
            self._refused.add(parent.id)
            self._problems.append(f"{printable(parent.image_path)}: {printable(why)}")
            return None


def _image_of(parent: Parent) -> ParentImage:
    """Read an image. Raises `OSError`, and `UnusableImage` if it is not that of the record."""
    data = read_image_bytes(parent.image_path)
    if hashlib.sha256(data).hexdigest() != parent.record["image"].get("sha256"):
        raise UnusableImage("it is not the image of its record")
    pixels = decode_image(data)
    if pixels.shape[:2] != (parent.shown.height, parent.shown.width):
        raise UnusableImage("it has not the size that its record states")
    return ParentImage(pixels, quality_of(data) or QUALITY)
