"""What a technician reads: constant events, facts as fields, no secrets.

A logger is made once by the command line and passed to whoever logs; nothing is configured
globally. `EVENTS` is the one list of event names.
"""

import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import FilteringBoundLogger

Log = FilteringBoundLogger

EVENTS: Mapping[str, str] = {
    "agent started": "The daemon runs with these settings.",
    "agent stopped": "The daemon has ended; `reason` says why.",
    "agent stopping": "A stop was asked for; what is in memory is being written.",
    "camera opened": "The first frame of a camera has come.",
    "camera lost": "A camera gives no frames; it is tried again, waiting ever longer.",
    "camera recovered": "A lost camera gives frames again.",
    "camera ended": "A recording was read to its end.",
    "model loaded": "The model runs; `decided` says how its outputs are read.",
    "frame captured": "A frame was chosen; `rules` says why.",
    "capture stored": "A capture is safe on disk.",
    "capture evicted": "The disk budget forced a capture out; `reason` says which limit.",
    "capture delivered": "The endpoint proved that it has the capture.",
    "capture damaged": "A record file does not match its checksum; it was moved to `damaged/`.",
    "capture rejected": "The endpoint refused this capture; it was moved to `rejected/`.",
    "upload delayed": "The endpoint cannot be reached or asks to wait; all captures are kept.",
    "upload held": "No capture can be delivered until what `error` names is mended; all are kept.",
    "upload resumed": "Deliveries succeed again.",
    "upload insecure": "The token crosses the network unencrypted.",
    "spool recovered": "The spool was put in order at start; the fields count what was found.",
    "spool unavailable": "The disk refuses writing; captures wait in memory.",
    "spool available": "The disk takes writing again.",
    "disk full": "The disk has no room; only better captures replace stored ones.",
    "clock stepped": "The wall clock jumped; intervals are not affected.",
    "worker stalled": "A worker makes no progress; the watchdog will restart the process.",
    "stop overdue": "A worker did not stop in time and was left behind.",
    "summary": "One minute in figures.",
}

_PRIORITY = {"debug": "<7>", "info": "<6>", "warning": "<4>", "error": "<3>", "critical": "<2>"}
_CREDENTIALS = re.compile(r"(?i)(?<=://)[^/\s@\"']+@")
_KEY_VALUE = re.compile(
    r"(?i)\b((?:api[_-]?key|token|password|passwd|pwd|secret|signature|auth)\s*[=:]\s*)[^\s&\"',}]+"
)
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{4,}")


def redact(text: str) -> str:
    """Mask what must not be printed: user and password of URLs, tokens, keys."""
    text = _CREDENTIALS.sub("***@", text)
    text = _KEY_VALUE.sub(r"\1***", text)
    return _BEARER.sub(r"\1 ***", text)


def make_log(
    *,
    level: str = "info",
    form: Literal["auto", "logfmt", "console", "json"] = "auto",
    stream: TextIO | None = None,
    under_systemd: bool = False,
) -> Log:
    """Make the logger. `stream` defaults to standard error.

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
        processors.append(
            structlog.dev.ConsoleRenderer(colors=stream.isatty(), timestamp_key="time")
        )
    elif form == "json":
        processors.append(structlog.processors.JSONRenderer())
    else:
        processors.append(_logfmt)
    if under_systemd:
        processors.append(_prefix_priority)
    log: Log = structlog.wrap_logger(
        structlog.PrintLogger(stream),
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        context_class=dict,
    )
    return log


def _prefix_priority(_logger: object, method: str, line: Any) -> str:
    """Each line of the text gets the prefix: the journal splits at line ends."""
    prefix = _PRIORITY.get(method, "<6>")
    return "\n".join(prefix + part for part in str(line).splitlines())


def _redact_fields(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Mask secrets in every field, whoever put them there."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = redact(value)
        elif isinstance(value, BaseException):
            event[key] = redact(str(value))
    return event


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
        return f"{value:.6g}"
    text = str(value)
    if text and not re.search(r"[\s=\"\\]", text) and text.isprintable():
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in escaped) + '"'
