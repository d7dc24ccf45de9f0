"""The server itself: both addresses, errors as JSON, and an end that waits for nobody."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agent.runtime.application import Application
from agent.web.limits import LIMITS
from agent.web.streams import EventStream, event
from tests.fakes.api import Serve, ServedApi
from tests.fakes.log import Recorder
from tests.runtime.runtime_builders import wait_until


def test_a_call_is_answered_on_a_port_and_on_a_unix_socket(
    application: Application, serve: Serve
) -> None:
    served = serve(application)

    for client in (served.tcp, served.unix):
        response = client.get("/v1/status")
        assert (response.status, response.json["device"]) == (200, "device")


def test_what_does_not_exist_is_told_as_json(application: Application, serve: Serve) -> None:
    served = serve(application)

    assert served.unix.get("/v2").status == 404
    assert "docs/api.md" in served.unix.get("/v2").error
    assert served.tcp.call("DELETE", "/v1/status").status == 405
    assert "allowed is GET" in served.unix.call("OPTIONS", "/v1/status").error


async def numbers(most: int) -> AsyncIterator[str]:
    for number in range(most):
        yield event({"number": number})


async def nothing() -> AsyncIterator[str]:
    await asyncio.Event().wait()
    yield ""


def test_a_stream_sends_its_events_and_ends(application: Application, serve: Serve) -> None:
    async def count(_: Request) -> Response:
        return EventStream(numbers(2))

    served = serve(application, more=[Route("/count", count)])

    with served.unix.stream("/count") as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        assert stream.read() == b':\n\ndata: {"number":0}\n\ndata: {"number":1}\n\n'
    assert served.unix.call("HEAD", "/count").status == 200


def test_too_many_streams_are_refused_and_calls_still_get_through(
    application: Application, serve: Serve
) -> None:
    async def endless(_: Request) -> Response:
        return EventStream(nothing())

    limits = replace(LIMITS, streams=2)
    served = serve(application, limits=limits, more=[Route("/endless", endless)])

    with served.tcp.stream("/endless") as one, served.unix.stream("/endless") as two:
        assert (one.status, two.status) == (200, 200)
        refused = served.tcp.get("/endless")
        assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
        assert "2 are open" in refused.error
        assert served.tcp.get("/v1/status").status == 200


def test_a_bug_in_a_call_is_reported_and_ends_only_the_call(
    application: Application, serve: Serve, log: Recorder
) -> None:
    async def bug(_: Request) -> Response:
        raise ZeroDivisionError

    served = serve(application, more=[Route("/bug", bug)])

    assert served.unix.get("/bug").status == 500
    assert "its log has the traceback" in served.unix.get("/bug").error
    assert served.unix.get("/v1/status").status == 200
    assert log.one("api failed")["call"] == "GET /bug"


def test_a_server_that_is_closed_at_once_ends_without_a_complaint(
    application: Application, serve: Serve
) -> None:
    """Its thread may not even have begun to listen; an error in it would fail the test."""
    for _ in range(10):
        served = serve(application)
        served.server.close()
        wait_until(partial(has_ended, served))


def has_ended(served: ServedApi) -> bool:
    """Whether its thread has ended; `close` waits for that only for a moment."""
    return served.server.has_ended
