"""What lists, filters and queues need to know of a capture, taken from its record once.

A record comes from outside: what is not as it should be is shown as empty, and stops nothing.
"""

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from agent.dataset.captures import DatasetCapture
from agent.record.audit import is_audited
from agent.record.seen import is_sure

LABEL_MAX = 200
"""Characters of a label that are shown."""

TEXT_MAX = 1000
"""Characters of any other text of a record that are shown."""

_LARGEST = 1e15


class Queue(StrEnum):
    """Which captures are reviewed together."""

    VALUE = "value"
    """What is worth a look, the most expected failures first."""

    RANDOM = "random"
    """The random sample: its reviews measure the model, so nothing may choose among them."""

    AUTO = "auto"
    """Labelled by the model, which is trusted there. First those that chance chose for an audit."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One capture in a queue."""

    id: str
    queue: Queue
    order: tuple[float, str]
    """Position in its queue, ascending."""

    device: str
    camera: str
    captured_at: str
    lane: str
    value: float
    rules: tuple[str, ...]
    labels: frozenset[str]
    text: str
    """What a search looks into, in lower case."""


def entry_of(capture: DatasetCapture) -> Entry:
    """Return the entry of a capture."""
    record = capture.record
    lane = text_in(record, "lane")
    queue = {"random": Queue.RANDOM, "auto": Queue.AUTO}.get(lane, Queue.VALUE)
    value = number_in(record, "value")
    rules = tuple(text_in(rule, "name") for rule in objects_in(record, "rules"))
    device, camera = text_in(record, "device"), text_in(record, "camera")
    labels = frozenset(_labels(record))
    searched = (capture.id, device, camera, lane, text_in(record, "note"), *rules, *sorted(labels))
    return Entry(
        capture.id,
        queue,
        (_urgency(capture, queue, value), _shuffled(capture.id)),
        device,
        camera,
        text_in(record, "captured_at", 40),
        lane,
        value,
        rules,
        labels,
        "\n".join(searched).lower(),
    )


def _urgency(capture: DatasetCapture, queue: Queue, value: float) -> float:
    """Return what orders a queue, ascending.

    Audits are a random sample of the auto labels: only these tell how many are right.
    """
    if queue is Queue.VALUE:
        return -value
    return float(queue is Queue.AUTO and not is_audited(capture.id))


def _shuffled(identity: str) -> str:
    """Return a key that has nothing to do with time or place.

    Who reviews the first 50 of the random sample has reviewed a random sample too.
    """
    return hashlib.blake2b(identity.encode(), digest_size=8).hexdigest()


def _labels(record: Mapping[str, Any]) -> Iterator[str]:
    """Return the labels that the model reported at or above its thresholds, or is doubted for."""
    for found in (*objects_in(record, "detections"), *objects_in(record, "classes")):
        if is_shown(found, record):
            yield text_in(found, "label", LABEL_MAX)
    for suspect in objects_in(record, "suspects"):
        if label := text_in(suspect, "label", LABEL_MAX):
            yield label


def is_shown(detection: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    """Whether a detection or class reaches its threshold; yes where the record has none."""
    try:
        return is_sure(detection, record)
    except (KeyError, TypeError, AttributeError):
        return True


def objects_in(record: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """Return the JSON objects in a list of a record; none where it has no such list."""
    found = record.get(name)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def text_in(record: Mapping[str, Any], name: str, longest: int = TEXT_MAX) -> str:
    """Return a text of a record, cut; empty where it has none."""
    found = record.get(name)
    return found[:longest] if isinstance(found, str) else ""


def number_in(record: Mapping[str, Any], name: str) -> float:
    """Return a finite number of a record; 0 where it has none."""
    return finite(record.get(name)) or 0.0


def finite(value: object) -> float | None:
    """Return a finite number of moderate size; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) <= _LARGEST and math.isfinite(value) else None
