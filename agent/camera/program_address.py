"""Parses `exec:COMMAND`: a program whose standard output is a camera's video. Pure."""

import re
import shlex
from dataclasses import dataclass, field

from agent.camera.source_options import read_options, read_size
from agent.quoted_words import split_words

_SCHEME = re.compile(r"exec:", re.IGNORECASE)
_BEGIN = re.compile(r"\s*(?:(?P<name>[^\s=/'\"]*)=)?exec:", re.IGNORECASE)
_CAMERA = re.compile(r"[A-Za-z0-9_-]{1,64}=\S")
_PROGRAM = re.compile(r"[A-Za-z0-9_-]{1,64}=exec:", re.IGNORECASE)
_OPTIONS = re.compile(r"\?(?P<options>\w+=[^&?\s'\"]*(?:&\w+=[^&?\s'\"]*)*)$")
_KEYS = ("format", "size")
_MJPEG, _I420 = "mjpeg", "i420"
_OPERATOR = re.compile(r"\|{1,2}|&{1,2}|;|[0-9&]?>{1,2}\S*|<{1,3}\S*")


@dataclass(frozen=True, slots=True)
class ProgramSource:
    """A command and what it writes."""

    words: tuple[str, ...] = field(repr=False)  # may contain a password
    size: tuple[int, int] | None  # width and height of raw I420 frames; None for MJPEG


def is_program(source: str) -> bool:
    """Whether a source is a command."""
    return _SCHEME.match(source) is not None


def lone_program(text: str) -> str | None:
    """Return the one camera of `text` if it is a command without quotes around it, else None.

    systemd and a shell take the quotes off a value, so that `AGENT_CAMERAS="exec:a -b"` arrives
    without them. A command without a name can only be the single camera. One with a name is single
    if a word of it cannot be a camera, as in `line=exec:rpicam-vid -t 0`; but `a=exec:/opt/a
    b=exec:/opt/b` are two cameras.

    Raises:
        ValueError: It can be read neither as one camera nor as several.
    """
    begin = _BEGIN.match(text)
    if begin is None:
        return None
    whole = text.strip()
    if begin["name"] is None:
        return whole
    try:
        words = split_words(whole)
    except ValueError:  # the quotes belong to the command
        return whole
    if len(words) > 1 and all(_CAMERA.match(word) for word in words):
        return None
    if any(_PROGRAM.match(word) for word in words[1:]):
        raise ValueError(
            "it is not clear where the first command ends; quote each camera: "
            "'a=exec:COMMAND' 'b=exec:COMMAND'"
        )
    return whole


def parse_program(source: str) -> ProgramSource:
    """Parse `exec:COMMAND` or `exec:COMMAND?format=i420&size=1280x720`.

    The command is split into words as a shell does, but no shell runs it. Options are read at the
    very end, and only if all of their keys are known and `format` is one of them: the query of an
    address in a command stays a part of the command.

    Raises:
        ValueError: The command or an option is invalid; the message does not repeat the command.
    """
    command = _SCHEME.sub("", source, count=1).strip()
    if command.startswith("//"):
        raise ValueError("write exec: without //, then the command")
    command, size = _without_options(command)
    try:
        words = tuple(shlex.split(command))
        unquoted = shlex.split(command, posix=False)
    except ValueError:  # "No closing quotation" or "No escaped character"
        raise ValueError(
            "a quote in the command is not closed, or a backslash stands at its end; use the other "
            "kind of quotes inside quotes"
        ) from None
    if not words or not words[0]:
        raise ValueError(
            "no command after exec:; write one, such as exec:rpicam-vid -t 0 --codec mjpeg -o -"
        )
    _check_words(words, unquoted)
    return ProgramSource(words, size)


def _check_words(words: tuple[str, ...], unquoted: list[str]) -> None:
    operator = next((word for word in unquoted if _OPERATOR.fullmatch(word)), None)
    if operator is not None:
        raise ValueError(
            f"{operator[:2]!r} needs a shell, and the command runs without one; "
            "write exec:sh -c 'COMMAND | COMMAND'"
        )
    if any(word.startswith("#") for word in unquoted):
        raise ValueError(
            "a # begins no comment here, because systemd knows none behind a value; move it to a "
            "line of its own, or quote it if it belongs to the command"
        )
    if words[0].startswith(("~", "$")):
        raise ValueError("~ and $ are not expanded; write the whole path of the program")
    if "=" in words[0].partition("/")[0]:
        raise ValueError("to set a variable of the program, write exec:env NAME=VALUE COMMAND")


def _without_options(command: str) -> tuple[str, tuple[int, int] | None]:
    """Return the command alone, and the size of I420 frames; None for MJPEG."""
    found = _OPTIONS.search(command)
    if found is None:
        return command, None
    word = re.split(r"[\s'\"]", command[: found.start()])[-1]
    is_address = "://" in word
    keys = [pair.partition("=")[0] for pair in found["options"].split("&")]
    known = set(keys) <= set(_KEYS)
    if "format" not in keys or not known:
        if is_address or not set(keys) & set(_KEYS):
            return command, None
        if known:
            raise ValueError("size goes with format=i420: write ?format=i420&size=1280x720")
    options = read_options(found["options"], _KEYS)
    if is_address and options["format"].lower() != _I420:  # MJPEG needs no option
        return command, None
    return command[: found.start()], _size(options)


def _size(options: dict[str, str]) -> tuple[int, int] | None:
    form = options["format"].lower()
    if form not in (_MJPEG, _I420):
        raise ValueError(f"format={options['format']} is unknown; allowed are mjpeg and i420")
    if form == _MJPEG:
        if "size" in options:
            raise ValueError("size goes with format=i420; JPEG images state their own size")
        return None
    if "size" not in options:
        raise ValueError("format=i420 needs the size of the frames: add &size=1280x720")
    width, height = read_size(options["size"])
    if width % 2 or height % 2:
        raise ValueError(
            f"size={options['size']} is odd; I420 has one colour for 2 x 2 pixels: let the program "
            "write an even width and height"
        )
    return width, height
