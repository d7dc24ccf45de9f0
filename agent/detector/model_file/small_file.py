"""Reads the text files beside a model: regular files of limited size, in UTF-8."""

import stat
from pathlib import Path

MAX_BYTES = 2_000_000


def read_small_text(path: Path) -> str:
    """Return the text of a file, without a byte order mark.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not a regular file, is too large, or is not UTF-8 text.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise ValueError("it is not a file")  # opening a pipe would wait for ever
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError("it is not UTF-8 text") from error
