"""Draws what the model reported onto an image, with captions that leave each other readable."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2

from agent.domain import Pixels
from agent.printable import printable
from agent.record.captions import Sides, places
from agent.record.seen import SHOWN, is_sure
from agent.record.shape_drawing import Colour, draw_shape
from agent.record.summary import LabelledBox, labelled_box

_SURE = (80, 160, 0)  # BGR: green, at or above the threshold
_SUSPECT = (0, 110, 240)  # orange: the model is probably wrong here
_UNSURE = (110, 110, 110)  # a class below its threshold
_WHITE = (255, 255, 255)
_SUSPECTS_DRAWN = 5  # those with the highest `p`
_LABEL_LENGTH = 60  # characters beside a box
_LETTERS = 0.36  # size of a label's letters, as OpenCV counts
_PLAIN_WIDTH = 800  # pixels; in a wider image letters and lines grow with it
_FONT = cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True, slots=True)
class _Drawn:
    """An object, or a class of the whole image."""

    box: LabelledBox | None  # pixels of the stored image; None: the whole image
    words: str
    colour: Colour


def draw_record(image: Pixels, record: Mapping[str, Any], *, scale: float = 1.0) -> None:
    """Draw what a record says onto its image, in place.

    Suspects are on top, then detections at or above their threshold; those below it are left out.
    A classifier's best classes stand at the top left. `scale` is pixels of `image` for a pixel of
    the stored image.
    """
    stored = record["image"]
    drawn = [*_objects(record, stored["width"], stored["height"]), *_classes(record)]
    size = max(1.0, image.shape[1] / _PLAIN_WIDTH)
    thickness = max(1, round(size))
    for each in reversed(drawn):
        if each.box is not None:
            draw_shape(image, each.box, scale, each.colour, thickness=thickness)
    _write(image, drawn, scale, letters=_LETTERS * size, thickness=thickness)


def put_text(
    image: Pixels,
    text: str,
    at: tuple[int, int],
    size: float,
    colour: Colour,
    *,
    thickness: int = 1,
) -> None:
    """Write text, its lower left corner at `at`."""
    cv2.putText(image, printable(text), at, _FONT, size, colour, thickness, cv2.LINE_AA)


def _objects(record: Mapping[str, Any], width: int, height: int) -> Iterator[_Drawn]:
    """Return suspects, the highest `p` first, then detections."""
    detections = record.get("detections", ())  # a classifier has none
    by_box = {tuple(each["box"]): each for each in reversed(detections)}
    suspects: dict[tuple[float, ...], Mapping[str, Any]] = {}  # records of schema 1 have none
    for suspect in sorted(record.get("suspects", ()), key=lambda each: -each["p"]):
        if suspect["box"] is not None and len(suspects) < _SUSPECTS_DRAWN:
            suspects.setdefault(tuple(suspect["box"]), suspect)
    drawn = [
        (
            by_box.get(box, {**suspect, "confidence": 0.0}),
            _SUSPECT,
            f"{suspect['label']}? p {suspect['p']:.2f}",
        )
        for box, suspect in suspects.items()
    ]
    drawn += [
        (each, _SURE, f"{each['label']} {each['confidence']:.2f}")
        for each in detections
        if tuple(each["box"]) not in suspects and is_sure(each, record)
    ]
    for detection, colour, words in drawn:
        box = labelled_box(detection, width, height)
        if box is not None:
            yield _Drawn(box, words, colour)


def _classes(record: Mapping[str, Any]) -> Iterator[_Drawn]:
    for each in record.get("classes", ())[:SHOWN]:
        colour = _SURE if is_sure(each, record) else _UNSURE
        yield _Drawn(None, f"{each['label']} {each['confidence']:.2f}", colour)


def _write(
    image: Pixels, drawn: Sequence[_Drawn], scale: float, *, letters: float, thickness: int
) -> None:
    """Write captions near their boxes, none over another."""
    edge = 2 * thickness
    words = [printable(each.words, _LABEL_LENGTH) for each in drawn]
    sizes = [cv2.getTextSize(text, _FONT, letters, thickness)[0] for text in words]
    sides: list[Sides] = []
    for each in drawn:
        left, top, right, bottom = (0.0, 0.0, 0.0, 0.0) if each.box is None else each.box.sides
        sides.append((left * scale, top * scale, right * scale, bottom * scale))
    room = [(width + 2 * edge, height + 2 * edge) for width, height in sizes]
    found = places(sides, room, image.shape[1], image.shape[0])
    for place, text, (width, height), each in zip(found, words, room, drawn, strict=True):
        if place is not None:
            left, top = int(place[0]), int(place[1])
            end = (left + width - 1, top + height - 1)
            cv2.rectangle(image, (left, top), end, each.colour, cv2.FILLED)
            at = (left + edge, top + height - edge - 1)
            put_text(image, text, at, letters, _WHITE, thickness=thickness)
