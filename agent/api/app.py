"""The ASGI application: all routes, and how a refusal becomes a response."""

from collections.abc import Mapping
from types import MappingProxyType

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from agent.api.routes import status
from agent.errors import RefusalKind, RequestRefused
from agent.runtime.application import Application

STATUS: Mapping[RefusalKind, int] = MappingProxyType(
    {
        RefusalKind.INVALID: 400,
        RefusalKind.UNKNOWN: 404,
        RefusalKind.GONE: 410,
        RefusalKind.NOT_NOW: 503,
    }
)


def make_app(application: Application) -> Starlette:
    """Return the application with all routes."""
    return Starlette(
        routes=[*status.routes(application)],
        exception_handlers={RequestRefused: refused},
    )


async def refused(_: Request, error: Exception) -> Response:
    """Return the response to a request that is refused."""
    assert isinstance(error, RequestRefused)  # noqa: S101 (registered for it alone)
    return JSONResponse({"error": str(error)}, STATUS[error.kind])
