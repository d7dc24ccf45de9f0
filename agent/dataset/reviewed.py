"""A dataset folder with its reviews: the one writer of reviews and of corrected labels.

`verdicts.jsonl` is the truth, and `labels/` follows it: the line is durable first, then the label
file is rewritten. If the power fails between, the next process that opens the folder writes it.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from threading import RLock

from agent.dataset.captures import DatasetCapture, read_captures
from agent.dataset.folder import Dataset
from agent.dataset.reviews import (
    Line,
    Review,
    check_review,
    objects_of,
    review_text,
    standing_reviews,
)
from agent.dataset.verdicts import VerdictLog, VerdictReader
from agent.files import Disk


class ReviewedDataset:
    """The captures of `directory`, and what people said of them. Thread-safe.

    Several processes may add reviews; `follow` reads what others added.

    Raises `ConfigurationError` for a file of verdicts that cannot be read.
    """

    def __init__(self, directory: Path, disk: Disk) -> None:
        self.directory = directory.absolute()
        self.problems: list[str] = []
        """Lines of `verdicts.jsonl` that are left out, each with its number and the reason."""
        self.skipped: Sequence[str] = ()
        """What is wrong with each record that is left out, as of the start or of `follow`."""
        self._dataset = Dataset(self.directory, disk)
        self._log = VerdictLog(self.directory, disk)
        self._reader = VerdictReader(self.directory)
        self._lock = RLock()
        self._captures: Mapping[str, DatasetCapture] = {}
        self._lines: dict[str, list[Line]] = {}
        self._reviews: dict[str, Review] = {}
        self._read_captures()
        self._read_more()

    @property
    def captures(self) -> Mapping[str, DatasetCapture]:
        """All captures, by id, as of the start or of the latest `follow`."""
        return self._captures

    def lines_of(self, capture: str) -> Sequence[Line]:
        """Return all that was said of a capture, in the order of the file: reviews and facts."""
        with self._lock:
            return tuple(self._lines.get(capture, ()))

    def review(self, capture: str) -> Review | None:
        """Return the standing review of a capture."""
        return self._reviews.get(capture)

    def reviews(self) -> dict[str, Review]:
        """Return the standing review of each capture that has one, by id."""
        with self._lock:
            return dict(self._reviews)

    def add(self, lines: Iterable[Line]) -> int:
        """Add reviews and undos durably, and rewrite the labels; return how many are new.

        Raises:
            ValueError: A line is not valid, or of a capture that is not here. Nothing is added.
            DamagedDataset: `data.yaml` is missing or not ours. The reviews are added.
            OSError: The disk refuses. Add them again.
        """
        said = list(lines)
        for line in said:
            check_review(line)
            if line["id"] not in self._captures:
                raise ValueError(f"the capture {line['id']} is not in {self.directory}")
        with self._lock:
            added = self._log.add_lines([review_text(line).encode() for line in said])
            self._read_more()
            self._write_labels({line["id"] for line in said})
        return added

    def follow(self) -> set[str]:
        """Read what others added; return the ids of captures that are new or were said more of.

        Labels are not written: who added a review writes them.
        """
        with self._lock:
            known = self._captures
            self._read_captures()
            return (self._captures.keys() - known.keys()) | self._read_more()

    def follow_reviews(self) -> None:
        """Read what others said of the captures that are known; quick, unlike `follow`."""
        with self._lock:
            self._read_more()

    def write_labels(self, captures: Iterable[str] | None = None) -> None:
        """Rewrite the labels of captures, by default of all with reviews, as after a power cut.

        Raises what `add` does.
        """
        with self._lock:
            self._write_labels(set(self._lines) if captures is None else captures)

    def _read_captures(self) -> None:
        skipped: list[str] = []
        self._captures = read_captures(self.directory, self._captures, skipped=skipped)
        self.skipped = skipped

    def _read_more(self) -> set[str]:
        """Read the lines that were added; return the ids of their captures."""
        found = self._reader.more()
        self.problems += found.problems
        named = {line["id"] for line in found.lines if line.get("id") is not None}
        for line in found.lines:
            if line.get("id") is not None:
                self._lines.setdefault(line["id"], []).append(line)
        for name in named:
            standing = standing_reviews(self._lines[name])
            if name in standing:
                self._reviews[name] = standing[name]
            else:
                self._reviews.pop(name, None)
        return named

    def _write_labels(self, names: Iterable[str]) -> None:
        for name in sorted(set(names) & self._captures.keys()):
            capture = self._captures[name]
            objects = objects_of(capture.record, self._reviews.get(name))
            if not objects.is_known:  # unusable, or wrong without boxes: the model's own stay
                objects = objects_of(capture.record)
            self._dataset.relabel(capture, objects)
