"""`POST /v1/captures` and `GET /v1/captures/ID`: asks for captures and follows them."""

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from agent.runtime.application import Application
from agent.web.json_body import JsonField, json_fields

_FIELDS = (
    JsonField("camera", required=True),
    JsonField("at", number=True),
    JsonField("note"),
)


def routes(application: Application) -> list[Route]:
    """Return the routes; none if the daemon has no frames to capture."""
    captures = application.captures
    if captures is None:
        return []

    async def request(request: Request) -> JSONResponse:
        given = await json_fields(request, *_FIELDS)
        name = captures.request(given["camera"], given.get("at"), note=given.get("note", ""))
        location = {"Location": f"/v1/captures/{name}"}
        return JSONResponse({"id": name}, 202, location)

    async def state(request: Request) -> JSONResponse:
        # A thread: of an older capture the file is read.
        known = await asyncio.to_thread(captures.state, request.path_params["id"])
        return JSONResponse(known)

    async def latest(_: Request) -> JSONResponse:
        return JSONResponse({"captures": list(captures.latest())})

    return [
        Route("/v1/captures", request, methods=["POST"]),
        Route("/v1/captures", latest, methods=["GET"]),
        Route("/v1/captures/{id}", state, methods=["GET"]),
    ]
