"""Makes the row of an analysed frame, and the record of the capture that it may become."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic_core import PydanticSerializationError, to_json

from agent.domain import Capture, EncodedImage, Lane, Observation, Suspect, Thresholds
from agent.errors import UnusableImage
from agent.pool.analysis.image import content_id
from agent.pool.rows import PoolRow, RowSuspect
from agent.record.image import JpegEncoder
from agent.record.schema import RecordMaker
from agent.selection.chances import with_sides
from agent.selection.image_quality import ImageQuality
from agent.selection.plan import SelectionPlan
from agent.selection.suspects import MOST_NAMED
from agent.selection.view import Appearance, appearance_of


@dataclass(frozen=True, slots=True)
class Analysed:
    """What the analysis found in one frame."""

    key: str
    observation: Observation
    named: Sequence[Suspect]  # in the order of the rules
    bits: int | None
    quality: ImageQuality
    at: float  # see `PoolRow.at`
    boot: str  # names the clock of the frame's time, for the record
    id: str = ""  # of an image; that of a frame is made here
    is_blank: bool = False


class RowMaker:
    """Makes rows by the settings of the pool."""

    def __init__(self, plan: SelectionPlan, maker: RecordMaker, encoder: JpegEncoder) -> None:
        """`encoder` makes the images that are stored."""
        self._plan = plan
        self._maker = maker
        self._encoder = encoder

    def row(
        self, found: Analysed, image: EncodedImage | None, *, frame: int | None = None
    ) -> PoolRow:
        """Return a row; `image` is the image as stored, None for the frame `frame`."""
        observation = found.observation
        height, width = observation.frame.pixels.shape[:2]
        named = bounded(found.named)
        if image is None:
            image = self._encoder.described(observation, named)
        looks, suspects = seen(observation, named, self._plan.thresholds, self._plan.redact)
        name = found.id or content_id(f"{frame} {looks.digest}".encode(), found.at)
        facts = self._record(found, name, named, image)
        return PoolRow(
            key=found.key,
            id=name,
            camera=observation.frame.camera,
            frame=frame,
            at=found.at,
            width=width,
            height=height,
            sha256=facts["image"]["sha256"] if image.data else "",
            bits=found.bits,
            digest=looks.digest,
            is_degraded=found.quality.is_degraded,
            is_unusable=found.quality.is_unusable or found.is_blank,
            suspects=suspects,
            source=looks.source,
            record=record_text(facts),
        )

    def _record(
        self, found: Analysed, name: str, named: Sequence[Suspect], image: EncodedImage
    ) -> dict[str, Any]:
        capture = Capture(found.observation, Lane.SCORE, (), 0.0, suspects=tuple(named))
        maker = replace(self._maker, boot_id=found.boot)
        record = maker.make(name, capture, image, clock_synchronized=False)
        return {**record, "sequence": 0}


def seen(
    observation: Observation,
    named: Sequence[Suspect],
    thresholds: Thresholds,
    redact: Sequence[str],
) -> tuple[Appearance, tuple[RowSuspect, ...]]:
    """Return what a frame and all suspects look like, and these in the form of a row."""
    looks = appearance_of(observation, named, redact)
    sides = with_sides(named, observation, thresholds)
    suspects = tuple(
        RowSuspect(
            suspect.rule,
            side,
            suspect.p,
            suspect.label,
            box,
            suspect.track,
            suspect.reason,
            crop,
            feature,
        )
        for (suspect, side), box, crop, feature in zip(
            sides, looks.boxes, looks.crops, looks.features, strict=True
        )
    )
    return looks, suspects


def bounded(named: Sequence[Suspect]) -> Sequence[Suspect]:
    """Return the `MOST_NAMED` suspects with the highest `p`, in the order of the rules."""
    if len(named) <= MOST_NAMED:
        return named
    first = sorted(range(len(named)), key=lambda n: -named[n].p)[:MOST_NAMED]
    return [named[n] for n in sorted(first)]


def record_text(record: dict[str, Any]) -> bytes:
    """Return a record as it is stored.

    Raises `UnusableImage` for a number that is not finite, which JSON cannot hold.
    """
    try:
        text = to_json(record)
    except PydanticSerializationError:  # a lone surrogate, which becomes a question mark
        return _strict_text(record)
    # It would write such numbers as they are. A label may have these letters too.
    return _strict_text(record) if b"NaN" in text or b"Infinity" in text else text


def _strict_text(record: dict[str, Any]) -> bytes:
    try:
        text = json.dumps(record, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        raise UnusableImage(
            "cannot analyse the image: its record would have a number that is not finite"
        ) from error
    return text.encode(errors="replace")
