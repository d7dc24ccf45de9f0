"""`GET /v1/status` and `GET /metrics`."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agent.errors import AgentError, RefusalKind, RequestRefused
from agent.runtime.application import Application
from agent.runtime.figures import Figures
from agent.runtime.metrics import exposition
from agent.web.connection import HANDLE
from agent.web.recently import Recently

FRESH_S = 0.5
"""How old an answer may be, in seconds: many clients cost no more than one."""

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


def routes(application: Application) -> list[Route]:
    """Return the routes that only show."""
    found = []
    now = application.clock.monotonic
    if application.status is not None:
        facts = Recently[Mapping[str, Any]](application.status, FRESH_S, now)

        async def status(_: Request) -> JSONResponse:
            try:
                return JSONResponse(await facts.get())
            except AgentError as error:
                raise RequestRefused(RefusalKind.NOT_NOW, str(error)) from None

        found.append(Route("/v1/status", status))
    if application.figures is not None:
        figures = Recently[Figures](application.figures, FRESH_S, now)

        async def metrics(request: Request) -> Response:
            try:
                present = await figures.get()
            except OSError as error:
                why = f"cannot read the spool: {error.strerror}"
                raise RequestRefused(RefusalKind.NOT_NOW, why) from None
            text = exposition(present, request.scope[HANDLE].families())
            return Response(text, media_type=PROMETHEUS)

        found.append(Route("/metrics", metrics))
    return found
