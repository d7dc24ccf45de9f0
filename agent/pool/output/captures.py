"""Makes captures of chosen images: the bytes of the image and its record.

An image that a device captured keeps both. Any other one gets the record that the analysis made,
with the reason and the value of its choice. Its JPEG is kept byte for byte where it shows what the
model saw; other formats, frames of recordings and images with hidden parts are encoded.
"""

import hashlib
import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from agent.domain import Box, Detection, EncodedImage, Frame, Observation, Suspect
from agent.errors import ConfigurationError, TemporaryError, UnusableImage
from agent.pool.analysis.image import pool_image
from agent.pool.analysis.parts import AnalysisParts
from agent.pool.analysis.recordings import RecordingAnalysis
from agent.pool.analysis.row_maker import record_text
from agent.pool.output.chosen import ChosenImage, ChosenSuspect, rule_facts
from agent.pool.output.in_order import in_order
from agent.pool.output.unordered import IsStopped, unordered
from agent.printable import printable
from agent.record.schema import image_facts
from agent.record.summary import sides

_INVALID = "invalid_output"  # the rule of frames of which the model's output is incomplete
_CHANGED = "it has changed since it was analysed; call it again to analyse it again"


_THREADS = 8  # that read at once: most of the time is spent waiting for the bucket
_RECORDINGS = 4  # that are read at once: each has a decoder, and of a bucket a copy on this machine
_LONGEST = 500  # characters of a key

Copies = Callable[[ChosenImage], bool]
"""Copies the image of a capture without reading it, where that is possible."""


@dataclass(frozen=True, slots=True)
class OutputCapture:
    """A chosen image as it is stored."""

    chosen: ChosenImage
    record: bytes
    image: bytes  # empty: the store has copied it


class CaptureMaker:
    """Reads chosen images, some at the same time, and makes captures of them."""

    def __init__(self, parts: AnalysisParts, *, feedback: str | None) -> None:
        """`parts` are those of the analysis; `feedback` is the sha256 of its file."""
        self._parts = parts
        self._feedback = feedback
        self._copy: Copies = _copies_none
        self.problems: dict[str, str] = {}
        """Keys of images that cannot be read any more, with the reason."""

    def captures(
        self, chosen: Sequence[ChosenImage], copy: "Copies | None" = None
    ) -> Generator[OutputCapture, None, None]:
        """Yield the captures of those that can be read, frames last; a recording is read once.

        `copy` is asked for captures of devices whether it has copied the image: it is not read
        then.
        """
        self._copy = copy or _copies_none
        images = (each for each in chosen if each.frame is None)
        yield from filter(None, in_order(self._tried, images, threads=_THREADS))
        of_recordings: dict[str, list[ChosenImage]] = {}
        for each in chosen:
            if each.frame is not None:
                of_recordings.setdefault(each.item.key, []).append(each)
        yield from unordered(self._frames, of_recordings.values(), threads=_RECORDINGS)

    def _tried(self, chosen: ChosenImage) -> OutputCapture | None:
        """Return the capture of an image; None, with the reason in `problems`, if there is none."""
        try:
            with named(chosen.row.key):
                return self._capture(chosen)
        except UnusableImage as error:
            self.problems[chosen.row.key] = str(error)
            return None

    def _capture(self, chosen: ChosenImage) -> OutputCapture:
        if chosen.is_capture and self._copy(chosen):
            return OutputCapture(chosen, chosen.row.record, b"")
        data = self._parts.reader.read(chosen.item)
        if chosen.is_capture:
            if hashlib.sha256(data).hexdigest() != chosen.row.sha256:
                raise UnusableImage(_CHANGED)
            return OutputCapture(chosen, chosen.row.record, data)
        image = pool_image(chosen.item, data, self._parts.masks_of(chosen.item))
        if image.id != chosen.row.id:
            raise UnusableImage(_CHANGED)
        return self._encoded(chosen, image.frame)

    def _frames(
        self, chosen: Sequence[ChosenImage], is_stopped: IsStopped
    ) -> Generator[OutputCapture, None, None]:
        """Yield the chosen frames of one recording."""
        wanted = {each.frame: each for each in chosen if each.frame is not None}
        recording = RecordingAnalysis(self._parts)
        why = _CHANGED
        try:
            for frame in recording.frames(chosen[0].item, list(wanted), is_stopped):
                if frame.source_frame in wanted:
                    yield self._encoded(wanted.pop(frame.source_frame), frame)
        except UnusableImage as error:
            why = str(error)
        self.problems.update({each.row.key: why for each in wanted.values()})

    def _encoded(self, chosen: ChosenImage, frame: Frame) -> OutputCapture:
        record = json.loads(chosen.row.record)
        suspects = record["suspects"]
        is_invalid = any(each["rule"] == _INVALID for each in suspects)
        scale = chosen.row.width / record["image"]["width"]
        seen = Observation(frame, tuple(_detections(record, scale)), invalid=is_invalid)
        image = self._parts.encoder.encode(seen, [_hidden(each, scale) for each in suspects])
        record |= self._reasons(chosen, image)
        return OutputCapture(chosen, record_text(record), image.data)

    def _reasons(self, chosen: ChosenImage, image: EncodedImage) -> Mapping[str, Any]:
        """Return what the choice adds to the record of an image."""
        return {
            "image": image_facts(image),
            "lane": "score",
            "rules": rule_facts(chosen.rules),
            "suspects": [
                suspect_facts(each, image.width, image.height, with_prior=bool(self._feedback))
                for each in chosen.named
            ],
            "value": round(chosen.value, 4),
            "feedback": self._feedback,
            "sequence": chosen.order,
        }


@contextmanager
def named(key: str) -> Iterator[None]:
    """Say of which image an error is that ends the call."""
    try:
        yield
    except (ConfigurationError, TemporaryError) as error:
        kind = TemporaryError if isinstance(error, TemporaryError) else ConfigurationError
        raise kind(f"cannot copy {printable(key, _LONGEST)}: {error}") from error


def _copies_none(_: ChosenImage) -> bool:
    return False


def suspect_facts(
    each: ChosenSuspect, width: int, height: int, *, with_prior: bool
) -> dict[str, Any]:
    """Return a suspect in the form of a record; its box is in pixels of the stored image."""
    suspect = each.suspect
    box = suspect.box
    facts: dict[str, Any] = {
        "rule": suspect.rule,
        "label": suspect.label,
        "track": suspect.track,
        "box": None
        if box is None
        else [round(side * (height if n % 2 else width), 2) for n, side in enumerate(box)],
        "p": round(each.p, 4),
    }
    if with_prior:
        facts["prior"] = round(suspect.p, 4)
    return facts


def _hidden(suspect: Mapping[str, Any], scale: float) -> Suspect:
    """Return a suspect of a record, with its box in pixels of the frame."""
    box = None if suspect["box"] is None else _box(suspect, scale)
    return Suspect(suspect["rule"], suspect["p"], suspect["label"], box)


def _detections(record: Mapping[str, Any], scale: float) -> Iterator[Detection]:
    """Yield what the model found: what must not be recognized is where it is."""
    for each in record.get("detections", ()):
        yield Detection(each["label"], each["class_id"], each["confidence"], _box(each, scale))


def _box(facts: Mapping[str, Any], scale: float) -> Box:
    return Box(*(side * scale for side in sides(facts)))
