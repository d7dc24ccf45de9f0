"""`GET /v1/cameras/NAME/latest.jpg`: the newest analysed frame."""

import asyncio
import json

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agent.errors import RefusalKind, RequestRefused
from agent.record.seen import seen_words
from agent.runtime.application import Application, LiveImage
from agent.web.queries import flag, whole_number

_LARGEST = 1920
_ERROR_LENGTH = 600


def routes(application: Application) -> list[Route]:
    """Return the routes that show images."""

    async def latest(request: Request) -> Response:
        images = application.images
        if images is None:
            raise RequestRefused(RefusalKind.NOT_NOW, "cannot show a camera: there are no images")
        camera = request.path_params["camera"]
        boxes = flag(request, "boxes")
        size = whole_number(request, "size", 1, _LARGEST, default=_LARGEST)
        tag = images.tag(camera, boxes=boxes, size=size)
        if f'"{tag}"' in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers={"ETag": f'"{tag}"', **_NO_STORE})
        image = await asyncio.to_thread(images.newest, camera, boxes=boxes, size=size)
        return Response(image.jpeg, media_type="image/jpeg", headers=_headers(image))

    return [Route("/v1/cameras/{camera}/latest.jpg", latest)]


_NO_STORE = {"Cache-Control": "no-store"}


def _headers(image: LiveImage) -> dict[str, str]:
    """Return the headers; texts are JSON strings in ASCII, because a label may be in any script."""
    headers = {
        "ETag": f'"{image.tag}"',
        **_NO_STORE,
        "Capture-Agent-Captured-At": image.captured_at,
        "Capture-Agent-Age": f"{image.age_s:.1f}",
        "Capture-Agent-Sequence": str(image.sequence),
        "Capture-Agent-Seen": json.dumps(seen_words(image.record)),
    }
    if image.error:
        headers["Capture-Agent-Error"] = json.dumps(image.error[:_ERROR_LENGTH])
    return headers
