"""`POST /v1/verdicts`: what a person says about the model's output."""

import asyncio
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from agent.runtime.application import Application
from agent.web.json_body import JsonField, json_fields

_FIELDS = (
    JsonField("verdict", required=True),
    JsonField("capture"),
    JsonField("camera"),
    JsonField("at", number=True),
    JsonField("by"),
    JsonField("note"),
)


def routes(application: Application) -> list[Route]:
    """Return the route; none if the daemon takes no verdicts."""
    verdicts = application.verdicts
    if verdicts is None:
        return []

    async def give(request: Request) -> JSONResponse:
        given = await json_fields(request, *_FIELDS)
        # A thread: of an older capture the file is read.
        made = await asyncio.to_thread(partial(verdicts.give, given.pop("verdict"), **given))
        return JSONResponse(dict(made), 202)

    return [Route("/v1/verdicts", give, methods=["POST"])]
