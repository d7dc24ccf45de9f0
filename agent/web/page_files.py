"""The files of a page, as they lie beside its template, and the calls that serve them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import PurePath

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_FOLDER = "page"
_TEMPLATE = "index.html"
_MEDIA_TYPES: Mapping[str, str] = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}
"""Of the files of a page, by the end of the name; others are not served."""

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)
PAGE_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
"""Of a page and its files: nothing of another site, and no script in its text, is run."""


@dataclass(frozen=True, slots=True)
class PageFiles:
    """All that a page consists of."""

    static: Mapping[str, bytes]  # by name
    template: Template
    tag: str  # another one for each version of any of the files

    def routes(self) -> list[Route]:
        """Return the calls that serve its static files: `/page/NAME`."""
        return [self._route(name) for name in self.static]

    def _route(self, name: str) -> Route:
        async def file(request: Request) -> Response:
            headers = {**PAGE_HEADERS, "ETag": f'"{self.tag}"'}
            if headers["ETag"] in request.headers.get("if-none-match", ""):
                return Response(status_code=304, headers=headers)
            return Response(self.static[name], media_type=media_type(name), headers=headers)

        return Route(f"/page/{name}", file)


def read_page(package: str) -> PageFiles:
    """Read the folder `page` of a package: its template, and all scripts, styles and icons in it.

    What all pages share is added: their colours and first rules, and how they set texts.
    """
    folder = files(package).joinpath(_FOLDER)

    def text(name: str) -> str:
        return folder.joinpath(name).read_text("utf-8")

    static = {
        path.name: path.read_bytes()
        for place in (files("agent.web").joinpath(_FOLDER), folder)
        for path in sorted(place.iterdir(), key=lambda path: path.name)
        if PurePath(path.name).suffix in _MEDIA_TYPES
    }
    whole = hashlib.sha256(text(_TEMPLATE).encode())
    for data in static.values():
        whole.update(data)
    environment = Environment(
        loader=FunctionLoader(text), autoescape=True, undefined=StrictUndefined
    )
    return PageFiles(static, environment.get_template(_TEMPLATE), whole.hexdigest()[:12])


def media_type(name: str) -> str:
    """Return the type of a file of a page."""
    return _MEDIA_TYPES[PurePath(name).suffix]
