"""The ASGI application of a server: its routes, its guard, and how a refusal becomes a response."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agent.errors import RefusalKind, RequestRefused
from agent.web.access import Access
from agent.web.guard import Guard
from agent.web.limits import LIMITS, WebLimits
from agent.web.observer import OTHER, WebObserver

STATUS: Mapping[RefusalKind, int] = MappingProxyType(
    {
        RefusalKind.INVALID: 400,
        RefusalKind.UNKNOWN: 404,
        RefusalKind.GONE: 410,
        RefusalKind.UNUSABLE: 422,
        RefusalKind.NOT_NOW: 503,
    }
)


def guarded(
    routes: Sequence[Route],
    access: Access,
    observer: WebObserver,
    limits: WebLimits = LIMITS,
    *,
    hint: str = "",
    image_paths: str | None = None,
) -> Guard:
    """Return what a server calls: routes behind a guard.

    Endpoints are coroutines, and never wait: what reads a file or draws an image goes through
    `asyncio.to_thread`, whose few threads are counted as the server's own.

    Args:
        routes: All calls.
        access: What the address asks of a request.
        observer: Counts the responses.
        limits: What clients may take.
        hint: What a client is told that asks for a call that does not exist.
        image_paths: Calls below this path may have a body of `image_bytes`.
    """
    calls: dict[object, str] = {each.endpoint: each.path for each in routes}
    return Guard(
        make_app(routes, hint),
        access,
        observer,
        limits,
        call_of=lambda scope: calls.get(scope.get("endpoint"), OTHER),
        image_paths=image_paths,
    )


def make_app(routes: Sequence[Route], hint: str = "") -> Starlette:
    """Return the application without a guard; see `guarded`."""

    async def not_there(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 (registered for it alone)
        return _not_there(request, error, hint)

    app = Starlette(
        routes=list(routes),
        exception_handlers={
            RequestRefused: _refused,
            HTTPException: not_there,
            Exception: _failed,
        },
    )
    app.router.redirect_slashes = False
    return app


async def _refused(_: Request, error: Exception) -> Response:
    """Return the response to a request that is refused."""
    assert isinstance(error, RequestRefused)  # noqa: S101 (registered for it alone)
    headers = {"Retry-After": "1"} if error.kind is RefusalKind.NOT_NOW else None
    return JSONResponse({"error": str(error)}, STATUS[error.kind], headers)


def _not_there(request: Request, error: HTTPException, hint: str) -> Response:
    """Return the response to a call that does not exist, or not with this method."""
    if error.status_code == 404:  # noqa: PLR2004
        text = f"cannot find this call{f': {hint}' if hint else ''}"
    elif error.status_code == 405:  # noqa: PLR2004
        allowed = ", ".join(sorted((error.headers or {}).get("Allow", "").split(", ")))
        text = f"cannot {request.method} here: allowed is {allowed}"
    else:
        text = error.detail
    return JSONResponse({"error": text}, error.status_code, error.headers)


async def _failed(_: Request, __: Exception) -> Response:
    """Return the response to a call in which a bug was met; `Connection` reports it."""
    return JSONResponse({"error": "a bug in the agent; its log has the traceback"}, 500)
