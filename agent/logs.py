"""The log: constant events, facts as fields, no secrets.

A logger is made once by the command line and passed to each part that logs; nothing is configured
globally. `agent/events.py` is the one list of event names.
"""

import contextlib
import json
import math
import re
import sys
import threading
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal, Protocol

import structlog
from structlog.typing import FilteringBoundLogger

from agent.redaction import MASK, SECRET_NAME, redact

Log = FilteringBoundLogger


class LogStream(Protocol):
    """Where lines go: a file, or a queue in front of one."""

    def write(self, text: str, /) -> int:
        """Take one line, with its end."""

    def flush(self) -> None:
        """Pass on what was taken."""

    def isatty(self) -> bool:
        """Whether a person reads it on a terminal."""


_PRIORITY = {"debug": "<7>", "info": "<6>", "warning": "<4>", "error": "<3>", "critical": "<2>"}


def make_log(
    *,
    level: str = "info",
    form: Literal["auto", "logfmt", "console", "json"] = "auto",
    stream: LogStream | None = None,
    under_systemd: bool = False,
) -> Log:
    """Make the logger. `stream` defaults to standard error.

    A stream that takes no more text, such as a file on a full disk, loses lines and nothing else.
    Under systemd every line begins with its priority, as sd-daemon(3) describes, and has no time
    of its own: the journal stamps it.
    """
    stream = stream or sys.stderr
    if form == "auto":
        form = "console" if stream.isatty() and not under_systemd else "logfmt"
    processors: list[structlog.typing.Processor] = [structlog.processors.add_log_level]
    if not under_systemd or form == "json":
        processors.append(structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"))
    processors += [structlog.processors.format_exc_info, _redact_fields]
    if form == "console":
        processors += [
            _escape_fields,
            structlog.dev.ConsoleRenderer(
                colors=stream.isatty(),
                timestamp_key="time",
                exception_formatter=structlog.dev.plain_traceback,
            ),
        ]
    elif form == "json":
        processors.append(structlog.processors.JSONRenderer())
    else:
        processors.append(_logfmt)
    if under_systemd:
        processors.append(_prefix_priority)
    log: Log = structlog.wrap_logger(
        _Printer(stream),
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        context_class=dict,
    )
    return log


class _Printer:
    """Writes whole lines, one thread at a time."""

    def __init__(self, stream: LogStream) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def msg(self, line: str) -> None:
        # A path or an answer may hold what UTF-8 cannot say.
        text = line.encode(errors="backslashreplace").decode()
        # ValueError: the stream is closed. Where the log goes must not decide over captures.
        with self._lock, contextlib.suppress(OSError, ValueError):
            self._stream.write(f"{text}\n")
            self._stream.flush()

    debug = info = warning = error = critical = msg


def _prefix_priority(_logger: object, method: str, line: Any) -> str:
    """Each line of the text gets the prefix: the journal splits at line ends."""
    prefix = _PRIORITY.get(method, "<6>")
    return "\n".join(prefix + part for part in str(line).splitlines())


def _redact_fields(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Mask secrets in every field; the name of an event is a constant of ours."""
    return {
        key: value if key in ("event", "level", "time") else _clean(key, value)
        for key, value in event.items()
    }


def _clean(key: str, value: object) -> object:
    """The value as plain numbers, texts, lists and dicts, without what must not be printed."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)  # JSON knows no NaN
    if SECRET_NAME.fullmatch(key):
        return MASK
    if isinstance(value, Mapping):
        return {redact(str(name)): _clean(str(name), item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(key, item) for item in value]
    return redact(str(value))


def _escape_fields(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Texts of others must neither break lines nor command the terminal."""
    return {
        key: _escaped(value) if isinstance(value, str) and key != "exception" else value
        for key, value in event.items()
    }


def _logfmt(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    """`level=info event="frame captured" camera=gate ...`: one line whatever the values are."""
    first = [key for key in ("time", "level", "event") if key in event]
    rest = [key for key in event if key not in first and key != "exception"]
    line = " ".join(f"{key}={_logfmt_value(event[key])}" for key in first + rest)
    trace = event.get("exception")
    return f"{line}\n{trace}" if trace else line


def _logfmt_value(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(round(value, 6))
    text = str(value)
    if text and not re.search(r"[\s=\"\\]", text) and text.isprintable():
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _escaped(text: str) -> str:
    return text if text.isprintable() else json.dumps(text)
