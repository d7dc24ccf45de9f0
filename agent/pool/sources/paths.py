"""Checks a path that was given as a source."""

import os
import stat
from pathlib import Path

from agent.errors import ConfigurationError
from agent.path_text import path_problem
from agent.pool.sources.kinds import ARCHIVES, SUPPORTED, ending, kind_of
from agent.printable import printable
from agent.redaction import redact_endpoint

_GLOB = frozenset("*?[")


def checked_path(text: str, output: Path | None = None) -> Path:
    """Return a folder that can be listed, or a file that is read, absolute and without links.

    `output` is the folder of the output, resolved too. Raises `ConfigurationError`.
    """
    if "://" in text and not text.lower().startswith("file:"):
        raise _refused(
            redact_endpoint(text), "sources are folders, files and s3://BUCKET/PREFIX; copy it"
        )
    try:
        path = Path(text).resolve(strict=True) if text else None
        status = path.stat() if path else None
    except FileNotFoundError:
        raise _refused(text, _why_missing(text)) from None
    except (OSError, RuntimeError, ValueError) as error:
        raise _refused(text, path_problem(text) or _why(error)) from error
    if path is None or status is None:
        raise _refused(text, "it is empty; write the path of a folder or file")
    if output is not None and path.is_relative_to(output):
        raise _refused(text, "it is --out, or lies in it; write the output into another folder")
    if stat.S_ISDIR(status.st_mode):
        try:
            os.scandir(path).close()
        except OSError as error:
            raise _refused(text, f"{_why(error)}; make it readable for this user") from error
        return path
    return _checked_file(text, path, status)


def _checked_file(text: str, path: Path, status: os.stat_result) -> Path:
    if not stat.S_ISREG(status.st_mode):
        raise _refused(text, "it is neither a folder nor a regular file")
    if kind_of(path.name) is None:
        kind = ending(path.name)
        fix = "unpack it first" if kind in ARCHIVES else f"supported are {SUPPORTED}"
        raise _refused(text, f"files with {kind} are not read; {fix}")
    if not os.access(path, os.R_OK):
        raise _refused(text, "permission denied; make it readable for this user")
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise _refused(text, "its path is not UTF-8; rename it") from None
    return path


def _why_missing(text: str) -> str:
    if problem := path_problem(text):
        return problem
    if _GLOB.intersection(text):
        return (
            "no file has this name, and the shell found none that matches it; patterns in quotes "
            "are not expanded. Give the folder instead, which is read in any depth"
        )
    return f"it does not exist; a path without a leading / is relative to {Path.cwd()}"


def _why(error: Exception) -> str:
    why = error.strerror if isinstance(error, OSError) else error
    return str(why or "it cannot be read")


def _refused(text: str, why: str) -> ConfigurationError:
    return ConfigurationError(f"cannot read the source {printable(text)!r}: {printable(why, 600)}")
