"""`GET /v1/detections` and `GET /v1/live`: server-sent events."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from agent.api.detection_feed import DetectionFeed
from agent.api.live_feed import STATUS_S, LiveFeed, live_facts
from agent.errors import RefusalKind, RequestRefused
from agent.printable import printable
from agent.runtime.answers import no_such_camera
from agent.runtime.application import Application
from agent.web.queries import allow_only, flag
from agent.web.recently import Recently
from agent.web.streams import EventStream


def routes(application: Application) -> list[Route]:
    """Return the routes that stream."""
    status = None
    if application.status is not None:
        now = application.clock.monotonic
        status = Recently[Mapping[str, Any]](application.status, STATUS_S, now)
    live = LiveFeed(partial(live_facts, application), status)

    async def live_events(_: Request) -> EventStream:
        return EventStream(live.events())

    found = [Route("/v1/live", live_events)]
    if application.frames is not None:
        feed = DetectionFeed(application.frames)

        async def detections(request: Request) -> EventStream:
            allow_only(request, ("camera", "shapes"))
            cameras = _cameras(request, application.cameras)
            return EventStream(feed.events(cameras, shapes=flag(request, "shapes")))

        found.append(Route("/v1/detections", detections))
    return found


def _cameras(request: Request, known: Sequence[str]) -> Sequence[str]:
    """Return the cameras that the query names, all by default. Raises `RequestRefused`."""
    names = request.query_params.getlist("camera")
    for name in names:
        if name not in known:
            raise RequestRefused(
                RefusalKind.UNKNOWN,
                f"cannot follow camera '{printable(name, 64)}': {no_such_camera(known)}",
            )
    return names or known
