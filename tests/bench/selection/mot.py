"""Labelled sequences in the format of the MOTChallenge, analysed by a model.

A sequence is a folder with `img1/`, `gt/gt.txt` (frame, track, left, top, width, height, ...) and
`seqinfo.ini` (frameRate, imHeight). Rows of nine columns have a flag and a class in columns 7 and 8
(MOT16 and later); rows of any other length are all objects of the label.
"""

import configparser
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from agent.camera.recording import Recording, RecordingTime
from agent.domain import Box, Feature, Observation, Thresholds
from agent.ports import Detector
from agent.replay.frames import address_of, observations
from tests.bench.selection.failures import GAP_S, Episodes, Seen, Truth

FLOOR = 0.05

_CLASSES = {"person": 1, "car": 3, "bicycle": 4, "motorcycle": 5}
_LIKE_PERSONS = {1, 2, 7, 8, 12}  # ignored for persons: in vehicles, statues, reflections, ...
_COLUMNS = 9


@dataclass(frozen=True)
class Labelled:
    """A sequence with its labels; the model ran once on each frame."""

    name: str
    fps: float
    height: int
    observations: Sequence[Observation]  # without pixels
    truth: Sequence[Truth]

    def seen(
        self, thresholds: Thresholds, label: str, *, least_height: float = 0.0, first: int = 0
    ) -> list[Seen]:
        """Return the frames with their failures at these thresholds.

        Objects lower than `least_height`, a share of the frame's height, do not count. `first`
        is the number of the first episode.
        """
        least = least_height * self.height
        episodes = Episodes(int(GAP_S * self.fps), first)
        frames = []
        for n, (observation, truth) in enumerate(zip(self.observations, self.truth, strict=True)):
            acted_on = [
                each
                for each in observation.detections
                if each.label == label
                and each.confidence >= thresholds.of(label)
                and _height(each.box) >= least
            ]
            low = tuple(box for _, box in truth.objects if _height(box) < least)
            high = tuple(each for each in truth.objects if _height(each[1]) >= least)
            counted = Truth(high, truth.ignored + low)
            frames.append(Seen(observation, episodes.failures(n, acted_on, counted)))
        return frames


@dataclass(frozen=True, slots=True)
class KnownFeatures:
    """The features of a frame's detections, without the map; implements `ObjectFeatures`."""

    source: str
    by_box: Mapping[Box, Feature | None]

    def features_of(self, boxes: Sequence[Box]) -> list[Feature | None]:
        """Return the feature of each box that the model reported, or was labelled; else None."""
        return [self.by_box.get(box) for box in boxes]


def read(
    folder: Path, detector: Detector, *, label: str, fps: float = 0.0, keep_pixels: bool = False
) -> Labelled:
    """Run the model over a sequence; `fps` reduces its rate, 0 keeps it.

    With `keep_pixels` small objects have a crop too; a minute of 640x480 then takes 1.4 GB.

    Raises `CameraLost`, `KeyError` or `OSError` if the folder is no such sequence.
    """
    info = configparser.ConfigParser()
    info.read_string((folder / "seqinfo.ini").read_text(encoding="utf-8"))
    rate, height = float(info["Sequence"]["frameRate"]), int(info["Sequence"]["imHeight"])
    truth = _truth((folder / "gt" / "gt.txt").read_text(encoding="utf-8"), label)
    kept_rate = min(fps, rate) if fps else rate
    frames, labels = [], []
    source = Recording(address_of(str(folder / "img1")), fps=rate, clock=RecordingTime())
    due = 0.0
    for observation in observations(source, detector, workers=2):
        frame = observation.frame
        if frame.at + 1e-6 < due:
            continue
        due += 1 / kept_rate
        labels.append(truth[(frame.source_frame or 0) + 1])
        if not keep_pixels:
            blank = np.broadcast_to(np.zeros((), np.uint8), frame.pixels.shape)
            frame = replace(frame, pixels=blank)
        features = _known_features(observation, [box for _, box in labels[-1].objects])
        frames.append(replace(observation, frame=frame, features=features))
    source.close()
    return Labelled(folder.name, kept_rate, height, frames, labels)


def _known_features(observation: Observation, objects: Sequence[Box]) -> KnownFeatures | None:
    found = observation.features
    if found is None:
        return None
    boxes = [*(each.box for each in observation.detections), *objects]
    return KnownFeatures(found.source, dict(zip(boxes, found.features_of(boxes), strict=True)))


def _truth(text: str, label: str) -> dict[int, Truth]:
    objects: dict[int, list[tuple[int, Box]]] = defaultdict(list)
    ignored: dict[int, list[Box]] = defaultdict(list)
    for line in text.split():
        row = line.split(",")
        frame, track = int(row[0]), int(row[1])
        x, y, width, height = (float(each) for each in row[2:6])
        box = Box(x, y, x + width, y + height)
        kind = int(row[7]) if len(row) == _COLUMNS else None
        if kind is None or (kind == _CLASSES[label] and int(row[6])):
            objects[frame].append((track, box))
        elif kind == _CLASSES[label] or (label == "person" and kind in _LIKE_PERSONS):
            ignored[frame].append(box)
    both = objects.keys() | ignored.keys()
    return defaultdict(
        Truth, {n: Truth(tuple(objects[n]), tuple(ignored[n])) for n in sorted(both)}
    )


def _height(box: Box) -> float:
    return box.y_max - box.y_min
