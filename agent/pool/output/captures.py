"""Makes captures of chosen images: the bytes of the image and its record.

An image that a device captured keeps both. Any other one gets the record that the analysis made,
with the reason and the value of its choice. Its JPEG is kept byte for byte where it shows what the
model saw; other formats, frames of recordings and images with hidden parts are encoded.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.camera.address import CameraAddress, SourceKind
from agent.camera.images.file import decode_image
from agent.camera.recording import Recording
from agent.domain import Box, Detection, EncodedImage, Frame, Observation, Pixels, Suspect
from agent.errors import CameraLost, UnusableImage
from agent.pool.items import ReadsItems
from agent.pool.output.chosen import ChosenImage, ChosenSuspect, rule_facts
from agent.ports import ImageEncoder
from agent.record.schema import image_facts
from agent.record.summary import sides

_INVALID = "invalid_output"  # the rule of frames of which the model's output is incomplete


@dataclass(frozen=True, slots=True)
class OutputCapture:
    """A chosen image as it is stored."""

    chosen: ChosenImage
    record: bytes
    image: bytes


class _NoClock:
    """Frames of a pool have no time of day: records count from 1970."""

    def monotonic(self) -> float:
        return 0.0

    def wall(self) -> float:
        return 0.0


class CaptureMaker:
    """Reads chosen images and makes captures of them."""

    def __init__(
        self, reader: ReadsItems, encoder: ImageEncoder, *, fps: float, feedback: str | None
    ) -> None:
        """`fps` is that of the analysis; `feedback` the sha256 of its file."""
        self._reader = reader
        self._encoder = encoder
        self._fps = fps
        self._feedback = feedback
        self.problems: dict[str, str] = {}
        """Keys of images that cannot be read any more, with the reason."""

    def captures(self, chosen: Sequence[ChosenImage]) -> Iterator[OutputCapture]:
        """Yield the captures of those that can be read; a recording is read once."""
        of_recordings: dict[str, list[ChosenImage]] = {}
        for each in chosen:
            if each.frame is not None:
                of_recordings.setdefault(each.item.key, []).append(each)
                continue
            try:
                yield self._capture(each)
            except UnusableImage as error:
                self.problems[each.row.key] = str(error)
        for frames in of_recordings.values():
            yield from self._frames(frames)

    def _capture(self, chosen: ChosenImage) -> OutputCapture:
        data = self._reader.read(chosen.item)
        if hashlib.sha256(data).hexdigest() != chosen.row.sha256:
            raise UnusableImage("it has changed since it was analysed")
        if chosen.is_capture:
            return OutputCapture(chosen, chosen.row.record, data)
        return self._encoded(chosen, decode_image(data), data)

    def _frames(self, chosen: Sequence[ChosenImage]) -> Iterator[OutputCapture]:
        """Yield the chosen frames of one recording."""
        wanted = {each.frame: each for each in chosen}
        item = chosen[0].item
        why = "the recording has changed since it was analysed"
        try:
            with self._reader.local(item) as path:
                address = CameraAddress(item.camera, str(path), SourceKind.FILE)
                recording = Recording(address, fps=self._fps, clock=_NoClock())
                try:
                    while wanted and (frame := recording.read()) is not None:
                        found = wanted.pop(frame.source_frame, None)
                        if found is not None:
                            yield self._encoded(found, frame.pixels)
                finally:
                    recording.close()
        except (UnusableImage, CameraLost) as error:
            why = str(error)
        self.problems |= {each.row.key: why for each in wanted.values()}

    def _encoded(
        self, chosen: ChosenImage, pixels: Pixels, own: bytes | None = None
    ) -> OutputCapture:
        record = json.loads(chosen.row.record)
        height, width = pixels.shape[:2]
        frame = Frame(
            camera=chosen.row.camera,
            sequence=chosen.order,
            pixels=pixels,
            at=chosen.row.at,
            captured_at=0.0,
            monotonic_ns=0,
            source_frame=chosen.frame,
            jpeg=own,
        )
        is_invalid = any(each.suspect.rule == _INVALID for each in chosen.suspects)
        seen = Observation(frame, tuple(_detections(record)), invalid=is_invalid)
        suspects = [_suspect(each, width, height) for each in chosen.suspects]
        image = self._encoder.encode(seen, suspects)
        record |= self._reasons(chosen, image)
        text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
        return OutputCapture(chosen, text.encode(), image.data)

    def _reasons(self, chosen: ChosenImage, image: EncodedImage) -> Mapping[str, Any]:
        """Return what the choice adds to the record of an image."""
        return {
            "image": image_facts(image),
            "lane": "score",
            "rules": rule_facts(chosen.rules),
            "suspects": [
                suspect_facts(each, image.width, image.height, with_prior=bool(self._feedback))
                for each in chosen.suspects
            ],
            "value": round(chosen.value, 4),
            "feedback": self._feedback,
            "sequence": chosen.order,
        }


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


def _suspect(each: ChosenSuspect, width: int, height: int) -> Suspect:
    box = each.suspect.box
    return Suspect(
        each.suspect.rule,
        each.p,
        each.suspect.label,
        None
        if box is None
        else Box(box[0] * width, box[1] * height, box[2] * width, box[3] * height),
    )


def _detections(record: Mapping[str, Any]) -> Iterator[Detection]:
    """Yield what the model found: what must not be recognized is where it is."""
    for each in record.get("detections", ()):
        yield Detection(each["label"], each["class_id"], each["confidence"], Box(*sides(each)))
