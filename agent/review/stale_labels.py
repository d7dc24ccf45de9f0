"""Rewrites the labels that a power cut left older than the review they should follow.

A review is durable before its labels are written. A page that got no response sends it again, which
writes them; this does it for pages that were closed meanwhile.
"""

from collections.abc import Iterator
from datetime import datetime

from agent.dataset.captures import DatasetCapture
from agent.dataset.reviewed import ReviewedDataset
from agent.dataset.reviews import Line, check_review, is_review
from agent.errors import AgentError
from agent.printable import printable


def rewrite_stale_labels(dataset: ReviewedDataset) -> str:
    """Rewrite labels that are older than the newest review of their capture, or its undo.

    Returns what prevents it; empty if nothing does. Copies of a folder may have the times of the
    originals or newer ones; where all are older, all is written once more, which does no harm.
    """
    stale = list(_stale(dataset))
    try:
        if stale:
            dataset.write_labels(stale)
    except (AgentError, OSError, ValueError) as error:
        return f"cannot rewrite labels of earlier reviews: {printable(error, 300)}"
    return ""


def _stale(dataset: ReviewedDataset) -> Iterator[str]:
    for name, capture in dataset.captures.items():
        reviews = [line for line in dataset.lines_of(name) if _is_valid(line)]
        if reviews:
            newest = max(reviews, key=lambda line: datetime.fromisoformat(line["at"]))
            if not _follows(capture, newest):
                yield name


def _is_valid(line: Line) -> bool:
    try:
        check_review(line)
    except ValueError:
        return False
    return is_review(line)


def _follows(capture: DatasetCapture, newest: Line) -> bool:
    """Whether the labels of a capture were written after its newest line."""
    if "classes" in capture.record:
        labels = newest.get("labels")
        if not labels:
            return True
        image = capture.folder / "classes" / str(labels[0]) / capture.image_path.name
        return image.exists()
    try:
        written = capture.label_path.stat().st_mtime
    except OSError:
        return False
    return written >= datetime.fromisoformat(newest["at"]).timestamp()
