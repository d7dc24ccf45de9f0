"""The files of the live page."""

from collections.abc import Mapping
from functools import cache

from agent.web.page_files import PageFiles, read_page

MEDIA_TYPES: Mapping[str, str] = {
    "live.js": "text/javascript",
    "live.css": "text/css",
    "icon.svg": "image/svg+xml",
}


@cache
def page_files() -> PageFiles:
    """Read the files."""
    return read_page("agent.api", MEDIA_TYPES)
