"""Parses AGENT_CAMERAS: the names and sources of cameras, and masks their secrets."""

import re
import shlex
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import unquote, urlsplit

DEFAULT_NAME = "camera"
STREAM_SCHEMES = ("rtsp", "rtsps", "http", "https")
HIGHEST_DEVICE = 255

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(//)?")
_LONE_SCHEME = re.compile(rf"({'|'.join(STREAM_SCHEMES)}|file):", re.IGNORECASE)
_CREDENTIALS = re.compile(r"(//[^:]*):.*@", re.DOTALL)
_PARAMETER = re.compile(r"([^?&;/=#]+)=([^&;#]*)")
_SECRET_KEYS = re.compile(r"pas|pwd|pw$|token|key|secret|auth|sig|cred|session", re.IGNORECASE)
_MASK = "***"

_ALLOWED = (
    "a device (/dev/video0, 0, /dev/v4l/by-id/...), "
    "a stream (rtsp://, rtsps://, http://, https://), a video file or a folder of images"
)


class SourceKind(StrEnum):
    """The kind of a source, from the text of its address alone."""

    DEVICE = "device"
    STREAM = "stream"
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
        return self.kind in (SourceKind.DEVICE, SourceKind.STREAM)

    @property
    def shown(self) -> str:
        """The source without secrets, for logs and messages."""
        return without_secrets(self.source)


def parse_cameras(text: str) -> tuple[CameraAddress, ...]:
    """Parse `name=source` parts, separated by spaces and quoted as in a shell.

    A single camera needs no name; it is then called "camera". The text before the first `=` is the
    name unless it contains a `/`: the `=` in a URL's query is not a separator.

    Raises:
        ValueError: A part is invalid; the message names it, without secrets, and says what is
            allowed.
    """
    try:
        parts = shlex.split(text)
    except ValueError:
        raise ValueError(
            "a quote or a backslash is not closed; quote the whole part: 'front=/data/my clip.mp4'"
        ) from None
    if not parts:
        raise ValueError(f"no camera; give name=source, where source is {_ALLOWED}")
    cameras = tuple(_parse(part, alone=len(parts) == 1) for part in parts)
    names = [camera.name for camera in cameras]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(
                f"the name {name!r} is used {names.count(name)} times; each camera needs its own"
            )
    return cameras


def without_secrets(source: str) -> str:
    """Mask the password of `user:password@` and the value of each parameter with a secret's name.

    Masks too much rather than too little: up to the last `@`, because a password may contain one.
    """
    return _PARAMETER.sub(_mask_secret, _CREDENTIALS.sub(rf"\1:{_MASK}@", source))


def _mask_secret(parameter: re.Match[str]) -> str:
    key = parameter[1]
    return f"{key}={_MASK}" if _SECRET_KEYS.search(unquote(key)) else parameter[0]


def _parse(part: str, *, alone: bool) -> CameraAddress:
    before, separator, after = part.partition("=")
    named = bool(separator) and "/" not in before
    shown = without_secrets(part)
    if named and not _NAME.fullmatch(before):
        raise ValueError(
            f"{shown!r}: {before!r} is not a camera name; allowed are 1 to 64 of A-Z a-z 0-9 _ -. "
            "If this is a path that contains '=', write name=path or ./path"
        )
    if not named and not alone:
        raise ValueError(
            f"{shown!r} has no name; with several cameras, write name=source for each, "
            "and quote a source that contains spaces"
        )
    name, source = (before, after) if named else (DEFAULT_NAME, part)
    try:
        kind, source = _classify(source)
    except ValueError as exc:
        raise ValueError(f"{shown!r}: {exc}") from None
    return CameraAddress(name, source, kind)


def _classify(source: str) -> tuple[SourceKind, str]:
    if not source:
        raise ValueError(f"no source after the name; allowed is {_ALLOWED}")
    if not source.isprintable():  # also refuses lone surrogates, which crash OpenCV
        raise ValueError("contains a control character, or bytes that are not UTF-8")
    if source.isdigit():
        return SourceKind.DEVICE, _numbered_device(source)
    scheme = _SCHEME.match(source)
    if scheme and (scheme[2] or _LONE_SCHEME.match(source)):
        return SourceKind.STREAM, _checked_url(source)
    if source.startswith("/dev/"):
        return SourceKind.DEVICE, source
    return (SourceKind.FOLDER if source.endswith("/") else SourceKind.FILE), source


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
