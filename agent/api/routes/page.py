"""`GET /`: the live page, and its script, style and icon."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from agent.api.page_files import MEDIA_TYPES, page_files
from agent.runtime.application import Application

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def routes(application: Application) -> list[Route]:
    """Return the routes of the page."""

    async def page(_: Request) -> Response:
        files = page_files()
        state = application.live.state(interval=0.0)
        text = files.template.render(
            device=state.device,
            version=state.version,
            cameras=application.cameras,
            tag=files.tag,
        )
        return HTMLResponse(text, headers=_HEADERS)

    return [Route("/", page), *(_static(name) for name in MEDIA_TYPES)]


def _static(name: str) -> Route:
    async def file(request: Request) -> Response:
        files = page_files()
        headers = {**_HEADERS, "ETag": f'"{files.tag}"'}
        if headers["ETag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(files.static[name], media_type=MEDIA_TYPES[name], headers=headers)

    return Route(f"/page/{name}", file)
