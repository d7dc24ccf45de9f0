"""The files of the live page."""

from functools import cache

from agent.web.page_files import PageFiles, read_page


@cache
def page_files() -> PageFiles:
    """Read the files."""
    return read_page("agent.api")
