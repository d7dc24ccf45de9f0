"""Lines of a log, and how a program reads them back."""

import io
import json
from collections.abc import Callable
from typing import Any

from agent.logs import Log, make_log


def lines_of(write: Callable[[Log], None], **options: Any) -> list[str]:
    """What `write` logs, as lines; without a time of its own unless asked for."""
    stream = io.StringIO()
    write(make_log(stream=stream, **options))
    text = stream.getvalue()
    return text.removesuffix("\n").split("\n") if text else []


def parse_logfmt(line: str) -> dict[str, str]:
    """`key=value key="quoted as in JSON"`: what Loki, Vector and humanlog read."""
    fields: dict[str, str] = {}
    while line:
        key, _, line = line.partition("=")
        if line.startswith('"'):
            value, end = json.JSONDecoder().raw_decode(line)
            line = line[end:]
        else:
            value, space, rest = line.partition(" ")
            line = space + rest
        fields[key] = value
        assert line[:1] in ("", " ")
        line = line[1:]
    return fields
