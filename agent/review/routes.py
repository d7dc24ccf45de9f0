"""The calls of the review page."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from agent import __version__
from agent.dataset.captures import DatasetCapture
from agent.errors import RefusalKind, RequestRefused, UnusableImage
from agent.ports import Clock
from agent.printable import printable
from agent.record.verdicts import LONGEST_BY, clean_text
from agent.review.desk import Page, ReviewDesk
from agent.review.entries import Queue
from agent.review.filters import NAMES, filters_of
from agent.review.said import take
from agent.review.thumbnails import Thumbnails, image_bytes
from agent.web.json_body import JsonField, json_fields
from agent.web.page_files import PAGE_HEADERS, PageFiles, read_page
from agent.web.queries import whole_number

HOLDING_MAX = 40
"""Captures that a page may hold."""

_LIST_MAX = 200
_NEXT_MAX = 10
_CLIENT_LENGTH = 64
_IMAGE_HEADERS = {"Cache-Control": "private, max-age=86400"}  # the image of a capture never changes
_PAGE_FIELDS = (
    JsonField("client", required=True),
    JsonField("reviewer"),
    JsonField("holding", text=False, items=True),
    JsonField("returned", text=False, items=True),
    *(JsonField(name) for name in NAMES),
)


@cache
def page_files() -> PageFiles:
    """Read the files of the page."""
    return read_page("agent.review")


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What the page is told when it is opened."""

    name: str  # of the dataset, for people
    key: str  # of the dataset, for what the browser keeps
    by: str  # the reviewer; empty: the page asks


def routes(desk: ReviewDesk, thumbnails: Thumbnails, clock: Clock, facts: PageFacts) -> list[Route]:
    """Return all calls."""
    return [
        *_page(facts),
        *_captures(desk),
        *_images(desk, thumbnails),
        *_reviews(desk, clock, facts.by),
    ]


def _page(facts: PageFacts) -> list[Route]:
    async def page(_: Request) -> Response:
        files = page_files()
        text = files.template.render(facts=facts, version=__version__, tag=files.tag)
        return HTMLResponse(text, headers=PAGE_HEADERS)

    return [Route("/", page), *page_files().routes()]


def _captures(desk: ReviewDesk) -> list[Route]:
    async def state(request: Request) -> JSONResponse:
        leaving = JsonField("leaving", text=False, flag=True)
        given = await json_fields(request, *_PAGE_FIELDS, leaving)
        await asyncio.to_thread(desk.follow)
        page, filters = _page_of(given), filters_of(given)
        return JSONResponse(await asyncio.to_thread(desk.state, page, filters))

    async def following(request: Request) -> JSONResponse:
        given = await json_fields(
            request,
            *_PAGE_FIELDS,
            JsonField("queue", required=True),
            JsonField("count", text=False, number=True),
            JsonField("again", text=False, flag=True),
        )
        queue = _queue(given["queue"])
        count = given.get("count", 1)
        if count not in range(_NEXT_MAX + 1):
            raise RequestRefused(RefusalKind.INVALID, f"count: must be from 0 to {_NEXT_MAX}")
        found = await asyncio.to_thread(
            desk.next,
            _page_of(given),
            queue,
            filters_of(given),
            count=int(count),
            again=bool(given.get("again")),
        )
        return JSONResponse(found)

    async def facets(_: Request) -> JSONResponse:
        return JSONResponse(await asyncio.to_thread(desk.facets))

    async def captures(request: Request) -> JSONResponse:
        asked = request.query_params
        found = await asyncio.to_thread(
            desk.listed,
            asked.get("queue", Queue.VALUE),
            filters_of(asked),
            offset=whole_number(request, "offset", 0, 10_000_000, default=0),
            limit=whole_number(request, "limit", 1, _LIST_MAX, default=60),
        )
        return JSONResponse(found)

    async def capture(request: Request) -> JSONResponse:
        return JSONResponse(desk.capture(request.path_params["id"]))

    return [
        Route("/v1/state", state, methods=["POST"]),
        Route("/v1/next", following, methods=["POST"]),
        Route("/v1/facets", facets),
        Route("/v1/captures", captures),
        Route("/v1/captures/{id}", capture),
    ]


def _images(desk: ReviewDesk, thumbnails: Thumbnails) -> list[Route]:
    def served(read: Callable[[DatasetCapture], bytes]) -> Callable[[Request], Any]:
        async def image(request: Request) -> Response:
            found = desk.files_of(request.path_params["id"])
            try:
                data = await asyncio.to_thread(read, found)
            except UnusableImage as error:
                raise RequestRefused(
                    RefusalKind.UNUSABLE, f"cannot show the image of {found.id}: {error}"
                ) from error
            except OSError as error:
                why = printable(error.strerror or error)
                raise RequestRefused(
                    RefusalKind.UNKNOWN, f"cannot show the image of {found.id}: {why}"
                ) from error
            return Response(data, media_type="image/jpeg", headers=_IMAGE_HEADERS)

        return image

    return [
        Route("/v1/captures/{id}/image.jpg", served(image_bytes)),
        Route("/v1/captures/{id}/thumbnail.jpg", served(thumbnails.get)),
    ]


def _reviews(desk: ReviewDesk, clock: Clock, by: str) -> list[Route]:
    async def reviews(request: Request) -> JSONResponse:
        field = JsonField("reviews", required=True, text=False, items=True)
        given = await json_fields(request, field)
        found = await asyncio.to_thread(take, desk, given["reviews"], clock, default_by=by)
        return JSONResponse(found)

    return [Route("/v1/reviews", reviews, methods=["POST"])]


def _page_of(given: Mapping[str, Any]) -> Page:
    client, holding, returned = given["client"], given.get("holding", []), given.get("returned", [])
    if not 0 < len(client) <= _CLIENT_LENGTH:
        raise RequestRefused(
            RefusalKind.INVALID, f"client: must be a text of 1 to {_CLIENT_LENGTH} characters"
        )
    for name, ids in (("holding", holding), ("returned", returned)):
        if len(ids) > HOLDING_MAX or not all(isinstance(each, str) for each in ids):
            raise RequestRefused(
                RefusalKind.INVALID, f"{name}: must be a list of at most {HOLDING_MAX} ids"
            )
    by = clean_text(given.get("reviewer", ""), LONGEST_BY)
    leaving = bool(given.get("leaving"))
    return Page(client, by, tuple(holding), tuple(returned), is_leaving=leaving)


def _queue(text: str) -> Queue:
    if text not in list(Queue):
        raise RequestRefused(RefusalKind.INVALID, f"queue: must be one of {', '.join(Queue)}")
    return Queue(text)
