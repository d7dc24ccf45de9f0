"""The frame of a page, and what each page begins with."""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator

from agent.pages.style import STYLE
from agent.pages.text import html_of


def document(
    title: str,
    heading: str,
    about: str,
    parts: Iterable[str],
    *,
    style: str = "",
    script: str = "",
    data: object = None,
    image_sources: str = "data:",
    asks_own_server: bool = False,
) -> str:
    """Return a page that loads nothing from elsewhere and runs no script but `script`.

    Args:
        title: Plain text, of the browser's tab.
        heading: Plain text.
        about: Plain text below it.
        parts: HTML.
        style: CSS after that of all pages.
        script: The page's own script; the policy names its hash, so no other one runs.
        data: What the script finds as JSON in the element `data`.
        image_sources: From where the policy lets images come.
        asks_own_server: The script asks the server that the page is from.
    """
    policy = _policy(script, image_sources, asks_own_server=asks_own_server)
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            f"<title>{html_of(title)}</title>",
            *(['<link rel="icon" href="data:,">'] if asks_own_server else []),  # do not ask for one
            f"<style>{STYLE}{style}</style></head><body><main>",
            f"<header><h1>{html_of(heading)}</h1><p>{html_of(about)}</p></header>",
            *parts,
            "</main>",
            *([] if data is None else [f'<script type="application/json" id="data">{_json(data)}']),
            *([] if data is None else ["</script>"]),
            *([f"<script>{script}</script>"] if script else []),
            "</body></html>",
            "",
        )
    )


def _policy(script: str, image_sources: str, *, asks_own_server: bool) -> str:
    """Return a policy that allows styles, the one script and images; a form leads nowhere."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    scripts = f"; script-src 'sha256-{digest}'" if script else ""
    scripts += "; connect-src 'self'" if asks_own_server else ""
    return (
        f"default-src 'none'; img-src {image_sources}; style-src 'unsafe-inline'{scripts}; "
        "base-uri 'none'; form-action 'none'"
    )


def _json(data: object) -> str:
    """Return JSON that cannot end the element that it stands in."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def tiles(figures: Iterable[tuple[object, str, str]]) -> Iterator[str]:
    """Yield a row of large figures, each with what it is and a detail, in plain text."""
    yield '<section class="tiles">'
    for figure, words, detail in figures:
        yield (
            f"<div><b>{html_of(str(figure))}</b><span>{html_of(words)}</span>"
            f"<small>{html_of(detail)}</small></div>"
        )
    yield "</section>"
