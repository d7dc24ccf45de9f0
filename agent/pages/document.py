"""The frame of a page, and what each page begins with."""

from collections.abc import Iterable, Iterator
from html import escape

from agent.pages.style import STYLE

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def document(title: str, heading: str, about: str, parts: Iterable[str], *, style: str = "") -> str:
    """Return a page that runs no script and loads nothing.

    Args:
        title: Plain text, of the browser's tab.
        heading: Plain text.
        about: Plain text below it.
        parts: HTML.
        style: CSS after that of all pages.
    """
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}{style}</style></head><body><main>",
            f"<header><h1>{escape(heading)}</h1><p>{escape(about)}</p></header>",
            *parts,
            "</main></body></html>",
            "",
        )
    )


def tiles(figures: Iterable[tuple[object, str, str]]) -> Iterator[str]:
    """Yield a row of large figures, each with what it is and a detail, in plain text."""
    yield '<section class="tiles">'
    for figure, words, detail in figures:
        yield (
            f"<div><b>{escape(str(figure))}</b><span>{escape(words)}</span>"
            f"<small>{escape(detail)}</small></div>"
        )
    yield "</section>"
