"""Captures that were made from another capture at the desk, instead of taken by a camera.

The record of one has the field `synthetic`: `{"parent": ID, "operations": [{"name"}], "seed"}`.
It says nothing about how often the model fails, and nothing about what the cameras see: training
may use it, a measurement must not.
"""

from collections.abc import Mapping
from typing import Any

from agent.record.verdicts import is_capture_id

OPERATIONS_MAX = 20
"""Operations of one synthetic capture; the agent makes one to three."""


def is_synthetic(record: Mapping[str, Any]) -> bool:
    """Whether a capture was made from another one.

    Any value but null counts, also a damaged one: such a capture is kept out of measurements.
    """
    return record.get("synthetic") is not None


def parent_of(record: Mapping[str, Any]) -> str | None:
    """Return the id of the capture that a synthetic one was made from; None where none is named."""
    about = record.get("synthetic")
    parent = about.get("parent") if isinstance(about, dict) else None
    return parent if is_capture_id(parent) else None


def is_synthetic_field(value: object) -> bool:
    """Return whether a value that was read from JSON is the field `synthetic` of a record."""
    if value is None:
        return True
    if not isinstance(value, dict) or not is_capture_id(value.get("parent")):
        return False
    operations, seed = value.get("operations"), value.get("seed")
    return (
        isinstance(operations, list)
        and 1 <= len(operations) <= OPERATIONS_MAX
        and all(isinstance(each, dict) and isinstance(each.get("name"), str) for each in operations)
        and isinstance(seed, int)
        and not isinstance(seed, bool)
    )
