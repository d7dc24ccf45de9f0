"""`GET /`: the live page, and its script, style and icon."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from agent.api.live_page import page_files
from agent.runtime.application import Application
from agent.web.page_files import PAGE_HEADERS


def routes(application: Application) -> list[Route]:
    """Return the routes of the page."""

    async def page(_: Request) -> Response:
        files = page_files()
        state = application.live.state(interval=0.0)
        text = files.template.render(
            device=state.device,
            version=state.version,
            cameras=application.cameras,
            tag=files.tag,
        )
        return HTMLResponse(text, headers=PAGE_HEADERS)

    return [Route("/", page), *page_files().routes()]
