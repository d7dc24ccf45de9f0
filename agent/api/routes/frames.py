"""`POST /v1/frames/NAME`: a frame of a `push:` camera."""

from datetime import UTC, datetime

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from agent.api.frame_body import read_frame
from agent.errors import RefusalKind, RequestRefused
from agent.printable import printable
from agent.runtime.application import Application

IMAGE_PATHS = "/v1/frames/"
"""The calls whose body is an image."""

CAPTURED_AT = "Captured-At"
"""Header with the time of the frame."""

_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
"""A record can write no others: in UTC, a time with a zone may be of the year 10000."""

_ACCEPTED, _INVALID = 202, 400


def routes(application: Application) -> list[Route]:
    """Return the route by which applications send frames."""

    async def push(request: Request) -> JSONResponse:
        intake = application.intake
        camera = request.path_params["camera"]
        if intake is None:
            raise RequestRefused(
                RefusalKind.UNKNOWN,
                f"cannot take a frame of camera '{printable(camera, 64)}': no camera takes frames; "
                "write NAME=push: in AGENT_CAMERAS",
            )
        intake.require(camera)  # before the body is read
        captured_at = _captured_at(request.headers.get(CAPTURED_AT))
        try:
            body = await read_frame(request)
        except ClientDisconnect:  # nobody reads this
            return JSONResponse({"error": "the body is not whole"}, _INVALID)
        outcome = intake.put(camera, body.image, body.predictions, captured_at=captured_at)
        return JSONResponse(dict(outcome), _ACCEPTED)

    return [Route(f"{IMAGE_PATHS}{{camera}}", push, methods=["POST"])]


def _captured_at(text: str | None) -> float | None:
    """Return seconds since 1970 UTC."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not _EARLIEST <= moment < _LATEST:
        raise HTTPException(
            _INVALID,
            f"cannot use the header {CAPTURED_AT}: '{printable(text, 64)}' is no time with its "
            "zone; write 2026-05-01T12:00:00.250Z, or leave it out",
        )
    return moment.timestamp()
