"""The files of the live page, as they lie beside the template."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template

_FOLDER = "page"
_TEMPLATE = "index.html"
MEDIA_TYPES: Mapping[str, str] = {
    "live.js": "text/javascript",
    "live.css": "text/css",
    "icon.svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class PageFiles:
    """All that the page consists of."""

    static: Mapping[str, bytes]
    template: Template
    tag: str  # another one for each version of any of the files


@cache
def page_files() -> PageFiles:
    """Read the files."""
    static = {name: _text(name).encode() for name in MEDIA_TYPES}
    whole = hashlib.sha256(_text(_TEMPLATE).encode())
    for data in static.values():
        whole.update(data)
    environment = Environment(
        loader=FunctionLoader(_text), autoescape=True, undefined=StrictUndefined
    )
    return PageFiles(static, environment.get_template(_TEMPLATE), whole.hexdigest()[:12])


def _text(name: str) -> str:
    return files("agent.api").joinpath(_FOLDER, name).read_text("utf-8")
