"""Errors as they may be shown: in the state, in answers, on the live page."""

from agent.printable import printable
from agent.redaction import redact

ERROR_LENGTH = 600
"""Characters of an error that are shown."""


def shown_error(error: str | None) -> str | None:
    """Return an error as it may be shown: one line, no secret, not endless."""
    return None if error is None else printable(redact(error), ERROR_LENGTH)
