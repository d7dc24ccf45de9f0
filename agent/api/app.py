"""The calls of the API, behind the guard of its server."""

from collections.abc import Sequence

from starlette.routing import Route

from agent.api.routes import cameras, captures, detections, frames, page, shown, status, verdicts
from agent.runtime.application import Application
from agent.web.access import Access
from agent.web.app import guarded
from agent.web.guard import Guard
from agent.web.limits import LIMITS, WebLimits
from agent.web.observer import WebObserver

_HINT = "docs/api.md lists all, such as GET /v1/status"


def guarded_app(
    application: Application,
    access: Access,
    observer: WebObserver,
    limits: WebLimits = LIMITS,
    *,
    more: Sequence[Route] = (),
) -> Guard:
    """Return what the server calls: the application behind its guard.

    `access`: what the address asks of a request; `more`: further routes.
    """
    return guarded(
        [*routes(application), *more],
        access,
        observer,
        limits,
        hint=_HINT,
        image_paths=frames.IMAGE_PATHS,
    )


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
