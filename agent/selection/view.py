"""What a frame shows, as far as its value depends on it, and as text for the spool's index."""

import base64
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from math import inf, isfinite

import numpy as np

from agent.domain import Feature, HiddenPart, Observation, Suspect
from agent.record.redacted import redacted_parts
from agent.selection.similarity import CROP_SIDE, Crop, coarse, crops, grown

_DIGITS = 4  # of normalized coordinates: a fifth of a pixel at 1080p
_MOST_NUMBERS = 256  # of a feature
_CROP_BYTES = CROP_SIDE * CROP_SIDE

NormalizedBox = tuple[float, float, float, float]
"""`xyxy`, 0 to 1 of the frame."""


@dataclass(frozen=True, slots=True)
class Place:
    """One suspect, as far as it is compared with others."""

    p: float  # 0 to 1
    rule: str = ""  # of an event of the whole frame
    label: str = ""
    track: int | None = None
    box: NormalizedBox | None = None  # None = the whole frame
    crop: Crop | None = field(default=None, repr=False)
    feature: Feature | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class View:
    """What a frame shows, as far as its value depends on it."""

    camera: str
    at: float = -inf  # seconds, by a clock that all cameras share; -inf before a restart
    bits: int | None = None  # `difference_hash`; None without an image
    digest: str = ""  # of the thumbnail: equal for equal images
    places: tuple[Place, ...] = ()
    run: str = ""  # process in which the numbers of the tracks are unique
    source: str = ""  # of the features; those of another source cannot be compared

    @property
    def text(self) -> str:
        """Write it for the index."""
        places = [
            [
                round(each.p, 3),
                each.rule,
                each.label,
                each.track,
                each.box,
                base64.b85encode(each.crop).decode() if each.crop is not None else None,
            ]
            for each in self.places
        ]
        at = round(self.at, 3) if isfinite(self.at) else None
        bits = f"{self.bits:x}" if self.bits is not None else None
        parts: list[object] = [self.run, at, bits, self.digest, places]
        if self.source:
            features = [_feature_text(each.feature) for each in self.places]
            parts += [self.source, features]
        return json.dumps(parts, separators=(",", ":"))

    @classmethod
    def from_text(cls, camera: str, text: str) -> "View":
        """Read what `text` wrote; raises `ValueError` for anything else."""
        try:
            run, at, bits, digest, places, *more = json.loads(text)
            # Earlier versions wrote no features.
            source, features = more or ("", [None] * len(places))
            return cls(
                camera,
                _number(at) if at is not None else -inf,
                bits=int(bits, 16) if bits is not None else None,
                digest=str(digest),
                places=tuple(
                    replace(_place(*each), feature=_feature(code))
                    for each, code in zip(places, features, strict=True)
                ),
                run=str(run),
                source=str(source),
            )
        except (TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            raise ValueError("not the view of a capture") from error

    def of_earlier_process(self) -> "View":
        """Return the view without its time, which cannot be compared over a reboot."""
        return replace(self, at=-inf)


@dataclass(frozen=True, slots=True)
class Appearance:
    """What a frame and its suspects look like; lists are in the order of the suspects."""

    boxes: Sequence[NormalizedBox | None]  # not rounded; None = the whole frame
    crops: Sequence[Crop | None]
    features: Sequence[Feature | None]
    digest: str  # of the thumbnail: equal for equal images
    source: str  # of the features; those of another source cannot be compared


def _place(
    p: float,
    rule: str,
    label: str,
    track: int | None,
    box: Sequence[float] | None,
    code: str | None,
) -> Place:
    crop = base64.b85decode(code) if code is not None else None
    corners = None
    if box is not None:
        x_min, y_min, x_max, y_max = (_number(each) for each in box)
        corners = (x_min, y_min, x_max, y_max)
    if crop is not None and (len(crop) != _CROP_BYTES or corners is None):
        raise ValueError("not a crop of a box")
    number = int(track) if track is not None else None
    return Place(min(1.0, max(0.0, _number(p))), str(rule), str(label), number, corners, crop)


def _feature_text(feature: Feature | None) -> str | None:
    """Write a feature in bytes, of which the largest is 127: half of float16, and near enough."""
    if feature is None:
        return None
    numbers = feature.astype(np.float32)
    rounded = np.rint(numbers * (127 / max(float(np.abs(numbers).max()), 1e-6)))
    return base64.b64encode(rounded.astype(np.int8).tobytes()).decode()


def _feature(code: str | None) -> Feature | None:
    if code is None:
        return None
    numbers = np.frombuffer(base64.b64decode(code, validate=True), np.int8).astype(np.float32)
    length = float(np.linalg.norm(numbers))
    if not 0 < len(numbers) <= _MOST_NUMBERS or not length:
        raise ValueError("not a feature")
    return (numbers / length).astype(np.float16)


def _number(value: float) -> float:
    if not isfinite(value):
        raise ValueError("not a number")
    return float(value)


def view_of(
    observation: Observation,
    suspects: Sequence[Suspect],
    *,
    bits: int | None,
    now: float,
    run: str = "",
    redact: Collection[str] = (),
) -> View:
    """Return what a frame shows; `suspects` are one for each track or place.

    Nothing recognizable of the labels in `redact` is in it: the spool keeps it as text.
    """
    found = appearance_of(observation, suspects, redact)
    places = tuple(
        Place(
            each.p,
            each.rule if box is None and each.track is not None else "",
            each.label,
            each.track,
            rounded(box) if box is not None else None,
            crop,
            feature,
        )
        for each, box, crop, feature in zip(
            suspects, found.boxes, found.crops, found.features, strict=True
        )
    )
    camera = observation.frame.camera
    return View(camera, now, bits, found.digest, places, run, found.source)


def appearance_of(
    observation: Observation, suspects: Sequence[Suspect], redact: Collection[str] = ()
) -> Appearance:
    """Return what a frame and its suspects look like; see `view_of`."""
    height, width = observation.frame.pixels.shape[:2]
    boxes: list[NormalizedBox | None] = [
        (
            each.box.x_min / width,
            each.box.y_min / height,
            each.box.x_max / width,
            each.box.y_max / height,
        )
        if each.box is not None
        else None
        for each in suspects
    ]
    hidden = _touching(suspects, redacted_parts(observation, redact, suspects))
    with_box = [n for n, box in enumerate(boxes) if box is not None]
    cut: list[Crop | None] = [None] * len(suspects)
    digest = ""
    if observation.grey is not None:
        if with_box:
            array = np.array([boxes[n] for n in with_box], np.float32)
            found = crops(observation.grey, observation.frame.pixels, array)
            for n, crop in zip(with_box, found, strict=True):
                cut[n] = coarse(crop) if n in hidden else crop
        digest = blake2b(observation.grey.tobytes(), digest_size=8).hexdigest()
    maker = observation.features
    features: list[Feature | None] = [None] * len(suspects)
    if maker is not None:
        shown = [n for n in with_box if n not in hidden]
        made = maker.features_of([box for n in shown if (box := suspects[n].box) is not None])
        for n, feature in zip(shown, made, strict=True):
            features[n] = feature
    return Appearance(boxes, cut, features, digest, maker.source if maker is not None else "")


def rounded(box: NormalizedBox) -> NormalizedBox:
    """Return a normalized box as views compare and write it."""
    x_min, y_min, x_max, y_max = (round(each, _DIGITS) for each in box)
    return x_min, y_min, x_max, y_max


def _touching(suspects: Sequence[Suspect], hidden: Sequence[HiddenPart]) -> set[int]:
    """Return the numbers of the suspects whose crops would show a hidden part."""
    parts = [part.box for part in hidden if part.box is not None]
    found = set()
    for n, suspect in enumerate(suspects):
        box = suspect.box
        if box is None or not parts:
            continue
        corners = np.array([[box.x_min, box.y_min, box.x_max, box.y_max]], np.float32)
        left, top, right, bottom = grown(corners)[0]
        if any(
            left < part.x_max and part.x_min < right and top < part.y_max and part.y_min < bottom
            for part in parts
        ):
            found.add(n)
    return found
