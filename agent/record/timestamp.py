"""Times as records, facts and events write them."""

from datetime import UTC, datetime


def timestamp(wall: float) -> str:
    """Return a time, in seconds since 1970 UTC, as RFC 3339 with milliseconds."""
    return datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def seconds_of(text: str) -> float:
    """Return a time that `timestamp` wrote, in seconds since 1970 UTC; raises `ValueError`."""
    return datetime.fromisoformat(text).timestamp()
