"""The addresses `s3://BUCKET/KEY` of what anybody put into buckets."""

import re

from agent.errors import ConfigurationError
from agent.printable import printable
from agent.redaction import redact_endpoint

SCHEME = "s3://"

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_KEY_MAX = 1024  # bytes, the limit of S3
_UNREADABLE = re.compile(r"(^|/)\.{0,2}(/|$)|[\x00-\x1f\x7f]")
"""Empty segments, `.` and `..`, and control characters: the library cannot name such objects."""


def is_bucket(source: str) -> bool:
    """Whether a source or a place is in a bucket rather than a path."""
    return source.lower().startswith(SCHEME)


def bucket_and_key(address: str) -> tuple[str, str]:
    """Return the bucket and the key, or prefix, of an address; a slash at the end is removed.

    Unlike `bucket_and_prefix` it takes any names, as the objects may be somebody else's. Raises
    `ConfigurationError`.
    """
    bucket, _, key = address[len(SCHEME) :].removesuffix("/").partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise _refused(address, "it must be s3://BUCKET or s3://BUCKET/PREFIX")
    if key and _UNREADABLE.search(key):
        raise _refused(address, "its prefix has empty parts, . or .., or control characters")
    if len(key.encode(errors="replace")) > _KEY_MAX:
        raise _refused(address, f"its prefix is longer than {_KEY_MAX} bytes")
    return bucket, key


def _refused(address: str, why: str) -> ConfigurationError:
    shown = printable(redact_endpoint(address) if "@" in address else address)
    return ConfigurationError(f"cannot use the address {shown!r}: {why}")
