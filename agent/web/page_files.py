"""The files of a page, as they lie beside its template, and the calls that serve them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_FOLDER = "page"
_TEMPLATE = "index.html"
_BASE = "base.css"
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

    static: Mapping[str, bytes]
    media_types: Mapping[str, str]
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
            kind = self.media_types[name]
            return Response(self.static[name], media_type=kind, headers=headers)

        return Route(f"/page/{name}", file)


def read_page(package: str, media_types: Mapping[str, str]) -> PageFiles:
    """Read the files in the folder `page` of a package: its template, and those of `media_types`.

    The colours and first rules of all pages, `base.css`, are added.

    `media_types`: of each static file, by name.
    """

    def text(name: str, folder: str = package) -> str:
        return files(folder).joinpath(_FOLDER, name).read_text("utf-8")

    static = {_BASE: text(_BASE, "agent.web").encode()}
    static |= {name: text(name).encode() for name in media_types}
    whole = hashlib.sha256(text(_TEMPLATE).encode())
    for data in static.values():
        whole.update(data)
    environment = Environment(
        loader=FunctionLoader(text), autoescape=True, undefined=StrictUndefined
    )
    tag = whole.hexdigest()[:12]
    kinds = {_BASE: "text/css", **media_types}
    return PageFiles(static, kinds, environment.get_template(_TEMPLATE), tag)
