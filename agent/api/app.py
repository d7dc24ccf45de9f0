"""The ASGI application: all routes, and how a refusal becomes a response."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agent.api.access import Access
from agent.api.guard import Guard
from agent.api.limits import LIMITS, ApiLimits
from agent.api.observer import OTHER, ApiObserver
from agent.api.routes import cameras, captures, detections, frames, page, shown, status, verdicts
from agent.errors import RefusalKind, RequestRefused
from agent.runtime.application import Application

STATUS: Mapping[RefusalKind, int] = MappingProxyType(
    {
        RefusalKind.INVALID: 400,
        RefusalKind.UNKNOWN: 404,
        RefusalKind.GONE: 410,
        RefusalKind.UNUSABLE: 422,
        RefusalKind.NOT_NOW: 503,
    }
)


def guarded_app(
    application: Application,
    access: Access,
    observer: ApiObserver,
    limits: ApiLimits = LIMITS,
    *,
    more: Sequence[Route] = (),
) -> Guard:
    """Return what the server calls: the application behind its guard.

    `access`: what the address asks of a request; `more`: further routes.
    """
    app = make_app(application)
    app.router.routes.extend(more)
    calls: dict[object, str] = {
        each.endpoint: each.path for each in app.router.routes if isinstance(each, Route)
    }
    return Guard(
        app, access, observer, limits, call_of=lambda scope: calls.get(scope.get("endpoint"), OTHER)
    )


def make_app(application: Application) -> Starlette:
    """Return the application with all routes.

    Their endpoints are coroutines, and never wait: what reads a file or draws an image goes through
    `asyncio.to_thread`, whose few threads are counted as the API's own.
    """
    app = Starlette(
        routes=routes(application),
        exception_handlers={
            RequestRefused: refused,
            HTTPException: not_there,
            Exception: failed,
        },
    )
    app.router.redirect_slashes = False
    return app


def routes(application: Application) -> list[Route]:
    """Return all routes."""
    return [
        *page.routes(application),
        *status.routes(application),
        *cameras.routes(application),
        *detections.routes(application),
        *captures.routes(application),
        *verdicts.routes(application),
        *shown.routes(application),
        *frames.routes(application),
    ]


async def refused(_: Request, error: Exception) -> Response:
    """Return the response to a request that is refused."""
    assert isinstance(error, RequestRefused)  # noqa: S101 (registered for it alone)
    headers = {"Retry-After": "1"} if error.kind is RefusalKind.NOT_NOW else None
    return JSONResponse({"error": str(error)}, STATUS[error.kind], headers)


async def not_there(request: Request, error: Exception) -> Response:
    """Return the response to a call that does not exist, or not with this method."""
    assert isinstance(error, HTTPException)  # noqa: S101 (registered for it alone)
    if error.status_code == 404:  # noqa: PLR2004
        text = "cannot find this call: docs/api.md lists all, such as GET /v1/status"
    elif error.status_code == 405:  # noqa: PLR2004
        allowed = ", ".join(sorted((error.headers or {}).get("Allow", "").split(", ")))
        text = f"cannot {request.method} here: allowed is {allowed}"
    else:
        text = error.detail
    return JSONResponse({"error": text}, error.status_code, error.headers)


async def failed(_: Request, __: Exception) -> Response:
    """Return the response to a call in which a bug was met; `Connection` reports it."""
    return JSONResponse({"error": "a bug in the agent; its log has the traceback"}, 500)
