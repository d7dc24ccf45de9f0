"""`POST /v1/shown`: an application showed a prediction to a person."""

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from agent.runtime.application import Application
from agent.web.json_body import JsonField, json_fields

_FIELDS = (
    JsonField("camera", required=True),
    JsonField("at", required=True, number=True),
    JsonField("seconds", required=True, text=False, number=True),
)
_ACCEPTED = 202


def routes(application: Application) -> list[Route]:
    """Return the route; none if the daemon keeps no frames."""
    shown = application.shown
    if shown is None:
        return []

    async def tell(request: Request) -> JSONResponse:
        given = await json_fields(request, *_FIELDS)
        known = shown.shown(given["camera"], given["at"], seconds=given["seconds"])
        return JSONResponse(dict(known), _ACCEPTED)

    return [Route("/v1/shown", tell, methods=["POST"])]
