"""`GET /v1/status`."""

import dataclasses

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from agent.runtime.application import Application


def routes(application: Application) -> list[Route]:
    """Return the routes that only show."""

    async def status(_: Request) -> JSONResponse:
        return JSONResponse(dataclasses.asdict(application.live.state(interval=0.0)))

    return [Route("/v1/status", status)]
