"""A variant as a capture: its image, its record, its id."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from agent import __version__
from agent.dataset.synthesis.needs import Need, Shown
from agent.dataset.synthesis.objects import moved_masks
from agent.dataset.synthesis.operations import Operation, motion_of
from agent.dataset.synthesis.parents import Parent
from agent.domain import EncodedImage, Frame, Lane, Observation, Pixels
from agent.record.image import JpegEncoder
from agent.record.schema import SCHEMA, image_facts
from agent.record.timestamp import seconds_of
from agent.system import uuid7

_TAKEN = ("device", "camera", "captured_at", "model", "thresholds")
"""Fields that a variant shares with its parent: a split puts it beside its parent."""

_CHANCE_BYTES = 10


@dataclass(frozen=True, slots=True)
class Variant:
    """One synthetic capture, as it is stored."""

    id: str
    parent: str
    need: Need
    shown: Shown
    record: Mapping[str, Any] = field(repr=False)
    image: bytes = field(repr=False)

    @property
    def record_json(self) -> bytes:
        """The record as it is stored."""
        return json.dumps(self.record, ensure_ascii=False).encode()

    def without_image(self) -> "Variant":
        """Return the same without its bytes, to keep thousands of them."""
        return replace(self, image=b"")


def variant_id(parent: Parent, operations: Sequence[Operation], seed: int) -> str:
    """Return the id of a variant: the same for the same image, operations and seed."""
    facts = [
        parent.id,
        parent.record["image"].get("sha256"),
        [operation.facts() for operation in operations],
        seed,
    ]
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).digest()
    try:
        taken = seconds_of(str(parent.record.get("captured_at")))
    except (ValueError, OverflowError):
        taken = 0.0
    return uuid7(taken, int.from_bytes(digest[:_CHANCE_BYTES]))


def make_variant(
    parent: Parent,
    operations: Sequence[Operation],
    need: Need,
    shown: Shown,
    pixels: Pixels,
    *,
    seed: int,
    quality: int,
) -> Variant:
    """Make the capture of an image whose pixels and objects are ready; `quality` is of its JPEG."""
    frame = Frame(
        camera=str(parent.record.get("camera")),
        sequence=0,
        pixels=pixels,
        at=0.0,
        captured_at=0.0,
        monotonic_ns=0,
    )
    image = JpegEncoder(quality=quality).encode(Observation(frame, ()))
    identity = variant_id(parent, operations, seed)
    record = _record(parent, operations, need, shown, image, identity=identity, seed=seed)
    return Variant(identity, parent.id, need, shown, record, image.data)


def _record(
    parent: Parent,
    operations: Sequence[Operation],
    need: Need,
    shown: Shown,
    image: EncodedImage,
    *,
    identity: str,
    seed: int,
) -> dict[str, Any]:
    """Return the record: `requested`, because a person asked for it; never a random sample."""
    theirs, motion = parent.record, motion_of(operations, shown.width, shown.height)
    return {
        "schema": SCHEMA,
        "id": identity,
        **{name: theirs[name] for name in _TAKEN if name in theirs},
        "sequence": theirs.get("sequence", 0),
        "source_frame": None,
        "image": image_facts(image),
        **_labels(parent, shown),
        "lane": Lane.REQUESTED.value,
        "rules": [],
        "suspects": [],
        "value": 0.0,
        "masks": moved_masks(_masks(theirs), motion, shown.width, shown.height),
        "clip": None,
        "sampling": None,
        "note": None,
        "verdicts": [],
        "synthetic": {
            "parent": parent.id,
            "operations": [operation.facts() for operation in operations],
            "seed": seed,
            "need": str(need),
            "light": None if shown.light is None else round(shown.light, 2),
        },
        "agent": {"name": "edge-capture-agent", "version": __version__},
    }


def _labels(parent: Parent, shown: Shown) -> dict[str, Any]:
    """Return the true objects or classes, in the place of the model's output."""
    if not parent.is_classified:
        return {"detections": list(shown.objects)}
    ids = {
        each["label"]: each["class_id"]
        for each in parent.record["classes"]
        if isinstance(each, dict)
        and isinstance(each.get("class_id"), int)
        and isinstance(each.get("label"), str)
    }
    return {
        "classes": [
            {
                "label": label,
                **({"class_id": ids[label]} if label in ids else {}),
                "confidence": 1.0,
            }
            for label in shown.classes
        ]
    }


def _masks(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    masks = record.get("masks")
    return [each for each in masks if isinstance(each, dict)] if isinstance(masks, list) else []
