"""Masks secrets in every text that may be shown: log fields, messages, reports.

Masks too much rather than too little. Of an address only scheme, host, port and what is surely
harmless stay: user, password, token, unknown words of a path and unknown parameters are masked.
Cameras and endpoints expect secrets in all of these places.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote, unquote

MASK = "***"
LEAST_SECRET = 4
"""Characters of the shortest text that is masked wherever it stands: see `remember_secrets`."""

_WORDS = (
    r"(?:api[_-]?key|access[_-]?key|token|passw(?:or)?d|passphrase|pwd|secret|signature"
    r"|credential|auth(?:orization)?|(?<=[?&_.-])(?:key|sig|pass|pw|session))s?"
)
_QUOTED = r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'"
SECRET_NAME = re.compile(rf"(?i)(?:.*[_.-])?{_WORDS}")
# The name of a setting before a colon begins a message: `AGENT_UPLOAD_TOKEN: must be ...`.
_KEY_VALUE = re.compile(
    rf"(?i)((?<![\w.-])(?!AGENT_\w+:\s)(?:[\w.-]*[_.-])?{_WORDS}[\"']?\s*[=:]\s*)"
    rf"(?:\*{{3}}(?!\w)|{_QUOTED}|(?:(?!&[\w.%-]+=)\S)+)"
)
_HEADER = re.compile(rf"(?i)(\bauthorization[\"']?\s*[=:]\s*)(?:{_QUOTED}|[^\n]+)")
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[^\s\"']{4,}")
_OPTION = re.compile(
    rf"(?i)((?<![\w-])--?(?:[\w-]*-)?(?:{_WORDS}|pass|pw|key)[ ]+)(?:{_QUOTED}|[^\s-]\S*)"
)
_USER_OPTION = re.compile(
    r"((?<![\w-])(?:(?:-u|--user|--proxy-user)[ =]+(?=\S+:)|sshpass +-p *))\S+"
)
_LONE_PATH = re.compile(r"(\burl: )(/\S*)")  # requests repeats an address without its host

_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]*"
_SCHEME_MAX = 32  # characters before "://" that are looked at
_URL = re.compile(r"(:(?:\\?/){2})(\S*)")
# `rtsp%3A%2F%2F...`: an address inside another one, escaped once or more often.
_ESCAPED_URL = re.compile(r"(?i)(%(?:25)*3A(?:%(?:25)*2F){2})[^\s&\"'<>]+")
_TOKEN = re.compile(r"\S+")
_OPENING = "\"'=([{<"
_URL_END = re.compile(r"[<>]|[\"'](?=[^\w%]|$)")
_TRAILING = ".,:;!?)]}"
_SEGMENT_MAX = 64  # characters of a segment that may be harmless
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.%]+(?:%25\w+)?\]|[\w.*-]+)?(?::\d{0,5})?")
_CAMERA_SCHEMES = frozenset(
    {"rtsp", "rtsps", "rtspt", "rtspu", "rtmp", "rtmps", "rtp", "srt", "mms", "udp", "tcp", "onvif"}
)

# Words that makers of cameras use in paths; with numbers of up to three digits, a segment of
# nothing else holds no secret.
_PATH_WORDS = (
    "av|axis|bin|camera|cam|cgi|channels|channel|ch|h264|h265|hevc|high|image|index|jpeg|jpg|live"
    "|low|m3u8|main|media|mjpeg|mjpg|motion|mp4|mpeg|mpeg4|multicast|nph|onvif|preview|profile|raw"
    "|realmonitor|sdp|snapshot|streaming|streams|stream|sub|track|ts|unicast|video|x264"
)
_CAMERA_SEGMENT = re.compile(
    rf"(?i)\w|(?:(?<!\d)\d{{1,2}}[-_.])?(?:{_PATH_WORDS})"
    rf"(?:[-_.]|{_PATH_WORDS}|(?<!\d)\d{{1,3}}(?!\d))*"
)
_NUMBER = re.compile(r"\d{1,3}")
# A segment of an endpoint's path: words, each with a number behind it. Random text is no such.
_WORD_SEGMENT = re.compile(r"(?:(?:[A-Za-z]{1,20}\d{0,4}|\d{1,8})(?:[-_.]+|$))+")
_LOGIN = re.compile(r"(?i)(?:admin|administrator|root|user|operator|guest|login)\w{0,3}")
# fmt: off
_PARAMETERS = frozenset({
    "camera", "cam", "ch", "channel", "codec", "compression", "format", "fps", "framerate",
    "height", "linktype", "page", "profile", "proto", "quality", "res", "resolution", "size",
    "stream", "streamtype", "streamprofile", "subtype", "trackid", "transportmode", "unicast",
    "videocodec", "width",
})
# fmt: on
_PARAMETER_VALUE = re.compile(
    rf"(?i)\d{{1,4}}|\d{{1,4}}x\d{{1,4}}|\w|i420|(?:{_PATH_WORDS})\d{{0,3}}"
)

_COMMAND = re.compile(r"(?i)exec:")
_ADDRESS = re.compile(rf"{_SCHEME}://.*")
_SECRET_OPTION = re.compile(r"(?i)(?:\w+[_.-])?(?:pass|pw|key)")

_known: re.Pattern[str] | None = None


def redact(text: str) -> str:
    """Mask what must not be printed: users and passwords of addresses, tokens, keys.

    Also masks the secrets of the settings wherever they stand, once `remember_secrets` was told
    them: the error of a library may repeat half an address.
    """
    if _known:  # first: they may have blanks, which end an address in a text
        text = _known.sub(lambda found: f"/{MASK}" if found[0].startswith("/") else MASK, text)
    text = _ESCAPED_URL.sub(rf"\1{MASK}", text)
    text = _URL.sub(_masked_url, text)
    text = _LONE_PATH.sub(lambda found: found[1] + _masked(found[2], _endpoint_path), text)
    if "@" in text:
        text = _TOKEN.sub(_masked_login, text)
    text = _HEADER.sub(rf"\1{MASK}", text)
    text = _KEY_VALUE.sub(_masked_value, text)
    text = _OPTION.sub(rf"\1{MASK}", text)
    text = _USER_OPTION.sub(rf"\1{MASK}", text)
    return _BEARER.sub(rf"\1 {MASK}", text)


def redact_camera(source: str) -> str:
    """Return the source of a camera as it may be shown; a path of this computer stays as it is.

    The whole text is one address, so that blanks in it hide nothing. A command is a text with
    addresses and options in it.
    """
    if _COMMAND.match(source):
        return redact(source)
    return _redact_address(source, _camera_path)


def redact_endpoint(url: str) -> str:
    """Return the address of an endpoint as it may be shown; words in its path stay."""
    return _redact_address(url, _endpoint_path)


def remember_secrets(texts: Iterable[str]) -> None:
    """Mask these texts from now on, as they are and as an address spells them.

    Those shorter than `LEAST_SECRET` are left out: to mask every `1` would make a log useless.
    """
    global _known  # noqa: PLW0603 (every text of the process is masked alike)
    forms = {form for text in texts for form in (text, unquote(text), quote(text, safe=""))}
    forms = {form for form in forms if len(form.strip()) >= LEAST_SECRET and MASK not in form}
    longest_first = sorted(forms, key=lambda form: (-len(form), form))
    _known = re.compile("|".join(map(_whole, longest_first))) if forms else None


def secrets_of_camera(address: str) -> Iterator[str]:
    """Yield what `redact_camera` masks and nobody would write for another reason."""
    if _COMMAND.match(address):
        yield from _secrets_of_command(address)
        return
    login, path, query = _parts(address)
    yield _password(login)
    if _camera_path(path) != path:
        yield "/" + path
        has_login = any(_LOGIN.fullmatch(part) for part in path.split("/")) or "=" in path
        for item in re.split(r"[/&;]|_(?=[A-Za-z]+=)", path):
            part = item.rpartition("=")[2]
            plain = _CAMERA_SEGMENT.fullmatch(part) or _LOGIN.fullmatch(part)
            if not plain and (has_login or not _WORD_SEGMENT.fullmatch(part)):
                yield part
    for pair in query.split("&"):
        value = pair.partition("=")[2] or pair
        if _query(pair) != pair and not _LOGIN.fullmatch(value):
            yield value


def _secrets_of_command(command: str) -> Iterator[str]:
    """Yield the secrets of the addresses in a command, and the values of its secret options."""
    words = [word.strip(_OPENING + _TRAILING) for word in command.split()]
    for word, following in zip(words, [*words[1:], ""], strict=True):
        address = _ADDRESS.search(word)
        if address is not None:
            yield from secrets_of_camera(address[0])
        name, equals, value = word.lstrip("-").partition("=")
        if SECRET_NAME.fullmatch(name) or _SECRET_OPTION.fullmatch(name):
            if equals:
                yield value.strip(_OPENING)
            elif word.startswith("-"):
                yield following


def secrets_of_endpoint(address: str) -> Iterator[str]:
    """Yield what `redact_endpoint` masks and is no word, which may stand for something else."""
    login, path, query = _parts(address)
    yield _password(login)
    yield from (part for part in path.split("/") if part and _endpoint_path(part) != part)
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if SECRET_NAME.fullmatch(name) or not _WORD_SEGMENT.fullmatch(value or name):
            yield value or name


def _parts(address: str) -> tuple[str, str, str]:
    """Login, path and query of an address; empty where it has none."""
    login, _, rest = address.partition("://")[2].rpartition("@")
    rest, _, query = rest.partition("#")[0].partition("?")
    return login, rest.partition("/")[2], query


def _password(login: str) -> str:
    user, colon, password = login.partition(":")
    return password if colon else user


def _masked_value(found: re.Match[str]) -> str:
    """Mask the value of a name; what follows `.../upload_token: ` is a message about that file."""
    is_path = found.string[: found.start()].endswith("/") and found[1].endswith(": ")
    return found[0] if is_path else f"{found[1]}{MASK}"


def _whole(form: str) -> str:
    """A pattern for `form`, but not inside a longer word."""
    before = r"(?<!\w)" if form[0].isalnum() else ""
    after = r"(?!\w)" if form[-1].isalnum() else ""
    return f"{before}{re.escape(form)}{after}"


def _redact_address(address: str, show_path: Callable[[str], str]) -> str:
    before, slashes, rest = address.partition("://")
    if slashes:
        if before.lower() == "file":
            return address
        scheme = before if re.fullmatch(rf"(?:[a-z]+:)?{_SCHEME}", before) else MASK
        return f"{scheme}://{_masked(rest, show_path)}"
    login, at, host = address.rpartition("@")
    if at and "/" not in login.partition(":")[0]:
        return f"{MASK}@{_masked(host, show_path)}"
    return redact(address)


def _masked_url(found: re.Match[str]) -> str:
    """Mask the rest of an address in a text, from "://" on, and keep what follows it."""
    before = found.string[max(0, found.start() - _SCHEME_MAX) : found.start()]
    scheme = re.split(r"[^A-Za-z0-9+.-]", before)[-1]
    login, at, address = found[2].rpartition("@")
    end = _URL_END.search(address)
    stop = end.start() if end else len(address)
    stop = len(address[:stop].rstrip(_TRAILING)) if not address[:stop].endswith("]") else stop
    show_path = _camera_path if scheme.lower() in _CAMERA_SCHEMES else _endpoint_path
    return found[1] + _masked(f"{login}{at}{address[:stop]}", show_path) + address[stop:]


def _masked_login(found: re.Match[str]) -> str:
    """Mask `user:password` before an "@", where no "://" told that it is an address."""
    login, at, host = found[0].rpartition("@")
    user, colon, _ = login.partition(":")
    is_login = at and colon and "://" not in login and re.match(r"[\w\[]", host)
    if not is_login or user.startswith("/") or not user.strip(_OPENING):
        return found[0]
    begin = max(user.rfind(char) for char in _OPENING) + 1
    return f"{user[:begin]}{MASK}@{host}"


def _masked(rest: str, show_path: Callable[[str], str]) -> str:
    """Mask an address from the end of its scheme on."""
    # Up to the last "@": a password may contain "/", "?", "#" and "@" itself.
    _, at, rest = rest.rpartition("@")
    rest, _, fragment = rest.partition("#")
    rest, question, query = rest.partition("?")
    host, slash, path = rest.partition("/")
    shown = f"{MASK}@" if at else ""
    if not _HOST.fullmatch(host):
        return shown + MASK
    shown += host + slash + show_path(path)
    shown += f"?{_query(query)}" if question else ""
    return shown + (f"#{MASK}" if fragment else "")


def _camera_path(path: str) -> str:
    """Keep the segments that only name a stream; mask all from the first other one on."""
    kept: list[str] = []
    for segment in path.split("/"):
        is_number = bool(kept) and _NUMBER.fullmatch(segment)
        is_harmless = len(segment) <= _SEGMENT_MAX and _CAMERA_SEGMENT.fullmatch(segment)
        if segment and not is_number and not is_harmless:
            return "/".join([*kept, MASK])
        kept.append(segment)
    return path


def _endpoint_path(path: str) -> str:
    """Mask the segments that are no words, and all from a user's name on."""
    kept: list[str] = []
    for segment in path.split("/"):
        if _LOGIN.fullmatch(segment):
            return "/".join([*kept, MASK])
        harmless = len(segment) <= _SEGMENT_MAX and (
            not segment or _WORD_SEGMENT.fullmatch(segment)
        )
        kept.append(segment if harmless else MASK)
    return "/".join(kept)


def _query(query: str) -> str:
    """Mask each parameter that is not known to be harmless."""
    return "&".join(_parameter(pair) for pair in query.split("&"))


def _parameter(pair: str) -> str:
    name, _, value = pair.partition("=")
    if not pair or (name.lower() in _PARAMETERS and _PARAMETER_VALUE.fullmatch(value)):
        return pair
    return f"{name}={MASK}" if value and re.fullmatch(r"[A-Za-z][A-Za-z_-]{0,23}", name) else MASK
