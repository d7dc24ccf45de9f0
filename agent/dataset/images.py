"""The image files of stored captures, compared with what their records say."""

import hashlib
import os
from collections.abc import Callable, Sequence

from agent.dataset.captures import DatasetCapture
from agent.files import open_regular
from agent.printable import printable

_PIECE = 1_000_000  # bytes that are read at once
_NAMED = 20  # captures that a message names


class UnusableCapture(Exception):
    """The files of one capture are not those of its record; leave it out and tell."""


def image_bytes(capture: DatasetCapture) -> bytes:
    """Return the image of a capture; raise `UnusableCapture` if it is not that of the record."""
    pieces: list[bytes] = []
    _read(capture, pieces.append)
    return b"".join(pieces)


def check_image(capture: DatasetCapture) -> None:
    """Raise `UnusableCapture` if the image of a capture is not that of its record."""
    _read(capture, lambda _piece: None)


def _read(capture: DatasetCapture, take: Callable[[bytes], object]) -> None:
    wanted = capture.record["image"].get("sha256")
    limit = capture.record["image"].get("bytes")
    digest, size = hashlib.sha256(), 0
    try:
        with os.fdopen(open_regular(capture.image_path), "rb") as file:
            length = os.fstat(file.fileno()).st_size
            if isinstance(limit, int) and length != limit:
                raise UnusableCapture(f"its image has {length} bytes, and the record says {limit}")
            while piece := file.read(_PIECE):
                size += len(piece)
                digest.update(piece)
                take(piece)
    except FileNotFoundError:
        raise UnusableCapture("its image is missing") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise UnusableCapture(f"its image cannot be read: {printable(why)}") from error
    if digest.hexdigest() != wanted:
        raise UnusableCapture("its image has another sha256 than the record says")


def problem(capture: DatasetCapture, why: object) -> str:
    """Return a line for people: which capture was left out, and why."""
    return f"{printable(capture.image_path)}: {printable(why)}"


def told(problems: Sequence[str], what: str) -> str:
    """Return a message of several lines that begins with `what`."""
    more = len(problems) - _NAMED
    lines = [f"  {each}" for each in problems[:_NAMED]]
    return "\n".join([what, *lines, *([f"  and {more} more"] if more > 0 else [])])
