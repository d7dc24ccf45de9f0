"""Which auto labels a person is asked to review, whatever they show: a share of all, by their id.

The device marks them in the record, and the desk can tell them without it.
"""

import hashlib

AUDIT_ONE_IN = 20
"""One of so many captures of the lane `auto` is an audit. At 20 a day a month has 30 of them."""


def is_audited(capture_id: str) -> bool:
    """Return whether this capture, of the lane `auto`, is for review; depends on the id alone.

    Ids contain the time, so that their hash decides, not their digits.
    """
    digest = hashlib.blake2b(capture_id.encode(), digest_size=8, person=b"audit").digest()
    return int.from_bytes(digest) % AUDIT_ONE_IN == 0
