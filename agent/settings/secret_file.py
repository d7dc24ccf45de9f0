"""Reads a secret from a file or a variable, as the endpoint must get it."""

import os
import re
import stat
from pathlib import Path

from agent.errors import ConfigurationError

_NAMED = r"(?i:export\s+)?(?:(?i:AGENT_\w+|\w*(?:token|key|secret|passw)\w*)|[A-Z]+(?:_[A-Z]+)+)"
# A token in base64 may end with "=", so something must stand behind it.
_PROBLEMS = (
    (
        rf"{_NAMED}\s*[=:]\s*[^=\s]",
        "it begins with a name; write only what stands behind the = or the colon",
    ),
    (
        r"(?i)authorization\s*:|(?:bearer|token|basic)\s",
        "it begins as a header does; write only the secret, without Bearer or the like",
    ),
    (r"['\"`].|.*['\"`]$", "it has quotes around it; write the secret without them"),
    (r"[{<]|-----", "it holds more than a secret; write only the secret"),
    (r".*\s", "it has blanks or several lines; write only the secret, on one line"),
    (r".*[^!-~]", "it has characters that no HTTP header takes; copy the secret again"),
)
BYTES_MAX = 16_384
"""Bytes that are read of a file: more than any token has."""


def read_secret(file: Path, *, what: str) -> str:
    """Return the secret in `file`, without the white space and the mark of UTF-8 around it.

    `what`: how messages call the file, such as "the credential".

    Raises:
        ConfigurationError: The file cannot be read, or what it holds is no secret alone. The
            message never repeats what it holds.
    """
    try:
        # A FIFO would be awaited otherwise.
        with os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY), "rb") as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise ConfigurationError(
                    f"cannot read {what} {file}: it is not a regular file; write the secret into "
                    "one"
                )
            content = stream.read(BYTES_MAX + 1)
    except OSError as error:
        raise ConfigurationError(f"cannot read {what} {file}: {error.strerror}") from error
    if len(content) > BYTES_MAX:
        raise ConfigurationError(
            f"cannot use {what} {file}: it is larger than {BYTES_MAX} bytes; write only the "
            "secret into it"
        )
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise ConfigurationError(
            f"cannot read {what} {file}: it is no text in UTF-8; write it again, with "
            f"printf %s SECRET > {file} for example"
        ) from None
    problem = secret_problem(text)
    if problem:
        raise ConfigurationError(f"cannot use {what} {file}: {problem}")
    return text


def secret_problem(text: str) -> str | None:
    """Return why a text is no secret alone, and the fix; None when it may be one, or is empty."""
    return next((why for pattern, why in _PROBLEMS if re.match(pattern, text)), None)
