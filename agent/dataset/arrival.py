"""What is checked of a capture before it is stored in a dataset folder."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from agent.errors import UnfitCapture
from agent.record.verdicts import MOST_VERDICTS, are_verdicts


def parsed(record_json: bytes) -> Mapping[str, Any]:
    """Return a record with an `image`; raise `UnfitCapture` for anything else."""
    try:
        record = json.loads(record_json)
    except (ValueError, RecursionError) as error:
        raise UnfitCapture("cannot store the capture: its record is no JSON") from error
    if not isinstance(record, dict) or not isinstance(record.get("image"), dict):
        raise UnfitCapture("cannot store the capture: its record has no `image`")
    return record


def checked_id(record: Mapping[str, Any], image: bytes) -> str:
    """Return the id of a consistent capture, safe to use as a file name."""
    identity = record.get("id")
    try:
        is_canonical = isinstance(identity, str) and str(UUID(identity)) == identity
    except ValueError:
        is_canonical = False
    if not isinstance(identity, str) or not is_canonical:
        raise UnfitCapture("cannot store the capture: its `id` is no UUID in small letters")
    about = record["image"]
    if about.get("sha256") != hashlib.sha256(image).hexdigest():
        raise UnfitCapture(f"cannot store {identity}: the image has another sha256")
    if about.get("bytes", len(image)) != len(image):
        raise UnfitCapture(f"cannot store {identity}: the image has another length")
    if about.get("media_type", "image/jpeg") != "image/jpeg":
        raise UnfitCapture(f"cannot store {identity}: the image must be image/jpeg")
    if not are_verdicts(record.get("verdicts")):
        raise UnfitCapture(
            f"cannot store {identity}: its `verdicts` are not a list of at most {MOST_VERDICTS} "
            "valid verdicts"
        )
    return identity


def positive_pixels(pixels: object) -> int:
    """Return a number of pixels above 0; raise `ValueError` for anything else."""
    if isinstance(pixels, bool) or not isinstance(pixels, int) or pixels <= 0:
        raise ValueError("`image.width` and `image.height` must be positive")
    return pixels
