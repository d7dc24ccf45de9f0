"""Parses AGENT_CAMERAS: the names and sources of cameras, and masks their secrets."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from agent.camera.device_options import parse_device
from agent.camera.program_address import is_program, lone_program, parse_program
from agent.camera.push_address import is_push, push_task
from agent.domain import Task
from agent.path_text import path_problem
from agent.printable import printable
from agent.quoted_words import split_words
from agent.redaction import MASK, redact_camera

DEFAULT_NAME = "camera"
STREAM_SCHEMES = ("rtsp", "rtsps", "http", "https")
HIGHEST_DEVICE = 255

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(//)?")
_LONE_SCHEME = re.compile(rf"({'|'.join(STREAM_SCHEMES)}|file):", re.IGNORECASE)
_URL_BEGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_HOST = re.compile(
    r"(?P<user>[^/]*@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\.?)"
    r"(?P<port>:[0-9]{1,5})?(?=[/?]|$)"
)
_IPV4 = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]+(?:%[A-Za-z0-9]+)?")
_LOST_COLON = re.compile(rf"(?:{'|'.join(STREAM_SCHEMES)});?//", re.IGNORECASE)
_LOCAL_DOMAINS = (".local", ".lan", ".home", ".internal", ".localdomain", ".arpa", ".box")
_ALLOWED = (
    "a device (/dev/video0, 0, /dev/v4l/by-id/...), "
    "a stream (rtsp://, rtsps://, http://, https://), a program (exec:COMMAND), an application "
    "(push:), a video file or a folder of images"
)


class SourceKind(StrEnum):
    """The kind of a source, from the text of its address alone."""

    DEVICE = "device"
    STREAM = "stream"
    PROGRAM = "program"  # a command whose output is the video
    PUSH = "push"  # an application sends the frames
    FILE = "file"  # a path; if it is a folder, it is read as a folder
    FOLDER = "folder"  # a path that ends with a slash


@dataclass(frozen=True, slots=True)
class CameraAddress:
    """The source of one camera's frames, and the camera's name in captures."""

    name: str
    source: str = field(repr=False)  # may contain a password
    kind: SourceKind

    @property
    def live(self) -> bool:
        """True for a camera, False for a recording."""
        return self.kind not in (SourceKind.FILE, SourceKind.FOLDER)

    @property
    def task(self) -> Task | None:
        """The task of the predictions that an application sends with each frame; else None."""
        return push_task(self.source) if self.kind is SourceKind.PUSH else None

    @property
    def shown(self) -> str:
        """The source without secrets, for logs and messages."""
        return redact_camera(self.source)


def parse_cameras(text: str) -> tuple[CameraAddress, ...]:
    """Parse `name=source` parts, separated by blanks; quotes group (`agent.quoted_words`).

    A single camera needs no name; it is then called "camera". The text before the first `=` is the
    name unless it contains a `/` or `?`: the `=` in a query is not a separator. A command needs no
    quotes around it if it is the only camera (`program_address.lone_program`).

    Raises:
        ValueError: Parts are invalid; the message names each, without secrets, and says what is
            allowed.
    """
    alone = lone_program(text)
    try:
        parts = split_words(text) if alone is None else [alone]
    except ValueError as error:
        raise ValueError(f"{error}; quote the whole part: 'front=/data/my clip.mp4'") from None
    comment = next((part for part in parts if part.startswith("#")), None)
    if comment is not None:
        raise ValueError(
            "a # begins no comment here, because systemd knows none behind a value; move it to a "
            "line of its own"
        )
    if not parts:
        raise ValueError(f"no camera; give name=source, where source is {_ALLOWED}")
    cameras, problems = [], []
    for part in parts:
        try:
            cameras.append(_parse(part, parts))
        except ValueError as error:
            problems.append(str(error))
    names = [camera.name for camera in cameras]
    problems += [
        f"the name {name!r} is used {names.count(name)} times; each camera needs its own"
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    problems += _same_devices(cameras)
    if problems:
        raise ValueError("; ".join(problems))
    return tuple(cameras)


def parse_camera(source: str, *, name: str = DEFAULT_NAME) -> CameraAddress:
    """Parse one source as it is, without a name before it and without quotes around it.

    Raises:
        ValueError: The source is invalid; the message says why, and does not repeat it.
    """
    kind, checked = _classify(source)
    return CameraAddress(name, checked, kind)


def _same_devices(cameras: Sequence[CameraAddress]) -> list[str]:
    """Return a problem for each device that several cameras name: only one can open it."""
    names: dict[str, list[str]] = {}
    for camera in cameras:
        if camera.kind is SourceKind.DEVICE:
            names.setdefault(parse_device(camera.source).path, []).append(camera.name)
    return [
        f"the cameras {', '.join(sharing)} are the same device {path}; two cameras of one model "
        "may share a by-id name: write their names of /dev/v4l/by-path"
        for path, sharing in names.items()
        if len(sharing) > 1
    ]


def _parse(part: str, parts: Sequence[str]) -> CameraAddress:
    before, separator, after = part.partition("=")
    named = bool(separator) and not {"/", "?"} & set(before) and not is_program(part)
    shown = _shown(part, parts)
    alone = len(parts) == 1
    if named and not _NAME.fullmatch(before):
        raise ValueError(
            f"{shown}: what is before '=' is not a camera name; allowed are 1 to 64 of "
            "A-Z a-z 0-9 _ -. "
            "If this is a path that contains '=', write name=path or ./path"
        )
    if not named and not alone:
        raise ValueError(
            f"{shown} has no name; with several cameras, write name=source for each, "
            "and quote a source that contains spaces"
        )
    name, source = (before, after) if named else (DEFAULT_NAME, part)
    try:
        camera = parse_camera(source, name=name)
    except ValueError as exc:
        raise ValueError(f"{shown}: {exc}") from None
    is_path = camera.kind in (SourceKind.DEVICE, SourceKind.FILE, SourceKind.FOLDER)
    problem = path_problem(source, quoted=True) if is_path else None
    if problem is not None:
        raise ValueError(f"{shown}: {problem}")
    return camera


def _shown(part: str, parts: Sequence[str]) -> str:
    """The part as a message may show it."""
    name, separator, source = part.partition("=")
    if is_program(part) or not separator or not (_NAME.fullmatch(name) or _URL_BEGIN.match(source)):
        name, separator, source = "", "", part
    # An unquoted blank splits a password; the second part has no scheme, so mask it whole.
    is_rest = not name and len(parts) > 1 and "://" not in part and "://" in "".join(parts)
    shown = MASK if is_rest else redact_camera(source)
    return f"'{printable(name + separator + shown)}'"


def _classify(source: str) -> tuple[SourceKind, str]:
    if not source:
        raise ValueError(f"no source after the name; allowed is {_ALLOWED}")
    if not source.isprintable():  # also refuses lone surrogates, which crash OpenCV
        raise ValueError("contains a control character, or bytes that are not UTF-8")
    if is_program(source):
        parse_program(source)
        return SourceKind.PROGRAM, source
    if is_push(source):
        push_task(source)
        return SourceKind.PUSH, source
    number, question, options = source.partition("?")
    if number.isdigit():
        source = _numbered_device(number) + question + options
    scheme = _SCHEME.match(source)
    if scheme and (scheme[2] or _LONE_SCHEME.match(source)):
        return SourceKind.STREAM, _checked_url(source)
    if source.startswith("/dev/"):
        parse_device(source)
        return SourceKind.DEVICE, source
    if _is_host(source):
        raise ValueError(
            "this is an address on the network without a scheme; write rtsp:// before it, or "
            "http:// for MJPEG and still images, and the path that the camera's manual names "
            "after it; for a file or folder write ./ before it"
        )
    return (SourceKind.FOLDER if source.endswith("/") else SourceKind.FILE), source


def _is_host(source: str) -> bool:
    """Whether a source without a scheme begins with a host rather than with a folder or file."""
    if _LOST_COLON.match(source) or (source.count(":") > 1 and _IPV6.fullmatch(source)):
        return True
    found = _HOST.match(source)
    if found is None:
        return False
    host = found["host"].lower().rstrip(".")
    return bool(
        found["user"]
        or found["port"]
        or _IPV4.fullmatch(host)
        or host.startswith("[")
        or host == "localhost"
        or host.endswith(_LOCAL_DOMAINS)
    )


def _numbered_device(digits: str) -> str:
    if not re.fullmatch(r"[0-9]{1,3}", digits) or int(digits) > HIGHEST_DEVICE:
        raise ValueError(
            f"a device number is 0 to {HIGHEST_DEVICE}; for a file or folder write ./{digits}"
        )
    return f"/dev/video{int(digits)}"


def _checked_url(source: str) -> str:
    try:
        url = urlsplit(source)
        host, port = url.hostname, url.port
    except ValueError:  # its text may quote the password
        raise ValueError(
            "not a valid URL: check host and port; in a password write / ? # @ : as "
            "%2F %3F %23 %40 %3A"
        ) from None
    if url.scheme not in STREAM_SCHEMES:
        raise ValueError(
            f"the scheme {url.scheme!r} is unknown; allowed is {_ALLOWED}; "
            "write files and folders as a path, without file:"
        )
    if not host or port == 0:
        raise ValueError(f"no host in the URL, or port 0; write {url.scheme}://host:port/path")
    if "@" not in url.netloc and ":" in url.netloc and "@" in source:
        raise ValueError(
            "an '@' after the host: if a password comes before it, write the password's / ? # as "
            "%2F %3F %23; if it is part of the path, write it as %40"
        )
    return url.scheme + source[len(url.scheme) :]  # FFmpeg accepts only lower case
