"""Reads the record of a capture: checks it, and makes its suspects comparable with others."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from agent.dataset.records import checked_record
from agent.domain import Box, Detection, Frame, Observation, Pixels, Suspect, Thresholds
from agent.errors import UnusableImage
from agent.printable import printable
from agent.record.schema import SCHEMA
from agent.record.timestamp import seconds_of
from agent.record.validation import parse_record

_LONGEST = 300  # characters of a reason, and of a name

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OwnRecord:
    """A checked record."""

    content: Record

    @property
    def camera(self) -> str:
        """The camera in a pool of many devices."""
        return f"{self.content['device']}/{self.content['camera']}"

    @property
    def at(self) -> float:
        """When it was captured, in seconds since 1970 by the clock of its device."""
        try:
            return seconds_of(self.content["captured_at"])
        except (ValueError, OverflowError):
            return float("-inf")

    @property
    def model(self) -> tuple[str, str]:
        """Name and sha256 of the model that made it; empty where the record does not say."""
        model = self.content.get("model") or {}
        return str(model.get("name") or ""), str(model.get("sha256") or "")

    @property
    def has_suspects(self) -> bool:
        """Whether it says what the rules named; records of the first schema do not."""
        return isinstance(self.content.get("suspects"), list)

    def suspects(
        self, pixels: Pixels, rules: Collection[str]
    ) -> tuple[Observation, list[Suspect], Thresholds]:
        """Return what the device saw, with its suspects of these rules and its thresholds.

        `pixels` are those of the stored image, in which all boxes are. Each suspect has the `p` of
        its rule, whatever feedback the device had.
        """
        height, width = pixels.shape[:2]
        boxes: dict[tuple[float, ...], Box] = {}
        detections = []
        for each in self.content.get("detections") or ():
            box = _box(each["box"], width, height)
            if box is not None:
                boxes.setdefault(tuple(each["box"]), box)
                detections.append(
                    Detection(
                        each["label"],
                        0,
                        min(1.0, max(0.0, each["confidence"])),
                        boxes[tuple(each["box"])],
                    )
                )
        found = []
        for each in self.content["suspects"]:
            place = each.get("box")
            if each["rule"] not in rules:
                continue
            box = None
            if place is not None:
                box = boxes.get(tuple(place)) or _box(place, width, height)
                if box is None:
                    continue
            p = each["p"] if each.get("prior") is None else each["prior"]
            label = each.get("label") or ""
            p = min(1.0, max(0.0, float(p)))
            found.append(Suspect(each["rule"], p, label, box, each.get("track")))
        frame = Frame(self.camera, 0, pixels, self.at, 0.0, 0)
        return Observation(frame, tuple(detections)), found, self._thresholds()

    def _thresholds(self) -> Thresholds:
        stated = self.content.get("thresholds") or {}
        default = stated.get("default")
        return Thresholds(0.5 if default is None else default, stated.get("labels") or {})


def own_record(data: bytes, name: str, image: bytes) -> OwnRecord:
    """Return the record of the capture `name`, checked against its image.

    Raises `UnusableImage`, with the reason.
    """
    try:
        content = parse_record(data, image, None)
        _check_schema(content)
        checked_record(data, name)
    except ValueError as error:
        raise UnusableImage(f"cannot use the capture: {printable(error, _LONGEST)}") from error
    return OwnRecord(content)


def _check_schema(content: Record) -> None:
    """Raise `ValueError` for a record that a later version made: its fields may mean more."""
    schema = content.get("schema")
    if schema is not None and schema > SCHEMA:
        raise ValueError(
            f"its schema is {schema}, and this version reads up to {SCHEMA}; update capture-agent"
        )


def _box(sides: list[float], width: int, height: int) -> Box | None:
    """Return a box within the image; None for one without an area there."""
    x_min, y_min, x_max, y_max = sides
    left, right = (min(max(float(x), 0.0), float(width)) for x in (x_min, x_max))
    top, bottom = (min(max(float(y), 0.0), float(height)) for y in (y_min, y_max))
    return Box(left, top, right, bottom) if left < right and top < bottom else None
