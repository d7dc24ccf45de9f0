"""Which auto labels a person is asked to review, whatever they show: a share of all, by their id.

The device marks them in the record, and the desk can tell them without it.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from agent.domain import Lane

AUTO = "auto"
"""Marks a capture that the model labelled itself."""

AUTO_AUDIT = "auto-audit"
"""Marks one of them that a person is asked to review."""

AUDIT_ONE_IN = 20
"""One of so many captures of the lane `auto` is an audit. At 20 a day a month has 30 of them."""


def is_audited(capture_id: str) -> bool:
    """Return whether this capture, of the lane `auto`, is for review; depends on the id alone.

    Ids contain the time, so that their hash decides, not their digits.
    """
    digest = hashlib.blake2b(capture_id.encode(), digest_size=8, person=b"audit").digest()
    return int.from_bytes(digest) % AUDIT_ONE_IN == 0


def auto_mark(record: Mapping[str, Any]) -> str | None:
    """Return `AUTO` or `AUTO_AUDIT` for the record of an auto label; None for any other."""
    if record.get("lane") != Lane.AUTO:
        return None
    return AUTO_AUDIT if is_audited(str(record.get("id"))) else AUTO
