"""Clients that are slow, dead, greedy or hostile: each meets a limit, and nobody waits for them."""

import asyncio
import contextlib
import random
import select
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from http.client import HTTPException
from threading import Event

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agent.runtime.application import Application
from agent.web.connection import Connection
from agent.web.limits import LIMITS
from agent.web.listening import BACKLOG
from agent.web.streams import EventStream
from tests.fakes.api import ApiClient, Serve, ServedApi, patient
from tests.fakes.log import Recorder
from tests.limits import LIMIT_S
from tests.runtime.runtime_builders import wait_until

SHORT = replace(LIMITS, head_s=0.1, idle_s=0.1, call_s=0.3, send_s=0.2, linger_s=0.1)
JSON = {"Content-Type": "application/json"}
HEAD = b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\n"
LARGE = 20_000_000
POSTS = b"Content-Length: 9\r\nContent-Type: image/jpeg\r\n\r\n"


async def length(request: Request) -> Response:
    return JSONResponse({"bytes": len(await request.body())})


async def large(_: Request) -> Response:
    return Response(b"x" * LARGE)


async def nothing() -> AsyncIterator[str]:
    await asyncio.Event().wait()
    yield ""


async def endless(_: Request) -> Response:
    return EventStream(nothing())


MORE = [
    Route("/takes", length, methods=["POST"]),
    Route("/v1/frames/a/takes", length, methods=["POST"]),
    Route("/large", large),
    Route("/endless", endless),
]


def rest_of(raw: socket.socket) -> bytes:
    """Return all that still comes until the server closes; raises `TimeoutError` if it does not."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := raw.recv(65_536):
            received += chunk
    return received


def ended(crowd: Sequence[socket.socket]) -> int:
    """Return how many connections of clients that were sent nothing the server has ended."""
    return len(select.select(crowd, [], [], 0)[0])


def is_alone(served: ServedApi) -> bool:
    return len(served.server.connections) == 0


@pytest.mark.parametrize("sent", [b"", b"G", HEAD, HEAD + b"X-A: 1\r\n"])
def test_a_head_that_does_not_come_ends_the_connection(
    application: Application, serve: Serve, sent: bytes
) -> None:
    served = serve(application, limits=SHORT)

    with served.unix.socket() as raw:
        with contextlib.suppress(BrokenPipeError):  # it has ended before the first byte
            raw.sendall(sent)
        assert rest_of(raw) == b""


def test_a_head_that_comes_byte_by_byte_gets_no_more_time(
    application: Application, serve: Serve
) -> None:
    served = serve(application, limits=SHORT)

    with served.unix.socket() as raw:
        raw.settimeout(0.005)
        for _ in range(10_000):
            try:
                raw.sendall(b"x")
                assert raw.recv(1) == b""
            except TimeoutError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                break
            break
        else:
            pytest.fail("each byte gave it more time")


def test_a_head_without_a_limit_would_be_noticed(
    application: Application, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests above can fail."""
    monkeypatch.setattr(Connection, "_due", lambda *_: None)
    served = serve(application, limits=SHORT)

    with served.unix.socket() as raw:
        raw.sendall(HEAD)
        raw.settimeout(0.4)
        with pytest.raises(TimeoutError):
            rest_of(raw)


def test_a_connection_may_be_used_again_and_is_closed_when_it_is_not(
    application: Application, serve: Serve
) -> None:
    served = serve(application, limits=replace(LIMITS, idle_s=0.5))

    with served.unix.socket() as raw:
        raw.sendall((HEAD + b"\r\n") * 3)  # sent at once, answered in turn
        assert rest_of(raw).count(b"HTTP/1.1 200") == 3


@pytest.mark.parametrize("sent", [b"", b'{"camera"'])
def test_a_body_that_does_not_come_ends_the_call(
    application: Application, serve: Serve, log: Recorder, sent: bytes
) -> None:
    served = serve(application, limits=replace(LIMITS, call_s=0.3, linger_s=0.1), more=MORE)
    head = b"POST /takes HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"

    with served.unix.socket() as raw:
        raw.sendall(head + b"Content-Length: 100\r\n\r\n" + sent)
        assert rest_of(raw).startswith(b"HTTP/1.1 503")
    assert log.one("api refused")["reason"] == "time"


@pytest.mark.parametrize("path", [b"/takes", b"/v1/frames/a/takes"])
def test_a_client_that_leaves_in_the_middle_of_its_body_is_no_bug(
    application: Application, serve: Serve, log: Recorder, path: bytes
) -> None:
    served = serve(application, more=MORE)
    head = HEAD.replace(b"GET /v1/status", b"POST " + path)

    for sent in (b"half", b"", b"GET / HTTP/1.1\r\n"):
        with served.unix.socket() as raw:
            raw.sendall(head + POSTS.replace(b"9", b"99") + sent)
            wait_until(lambda: len(served.server.connections) == 1)
        wait_until(lambda: is_alone(served))
    assert served.unix.get("/v1/status").status == 200
    assert "api failed" not in log.events


def test_a_body_whose_chunks_are_none_is_refused(
    application: Application, serve: Serve, log: Recorder
) -> None:
    served = serve(application, more=MORE)
    head = HEAD.replace(b"GET /v1/status", b"POST /takes")
    chunked = b"Transfer-Encoding: chunked\r\nContent-Type: image/jpeg\r\n\r\n4\r\nhalf\r\n"

    with served.unix.socket() as raw:
        raw.sendall(head + chunked)
        raw.sendall(b"no length\r\n")
        assert rest_of(raw).startswith(b"HTTP/1.1 400")
    assert "api failed" not in log.events


def test_a_body_that_is_too_large_is_not_read(application: Application, serve: Serve) -> None:
    limits = replace(LIMITS, body_bytes=1000, image_bytes=5000)
    client = serve(application, limits=limits, more=MORE).unix

    def status(path: str, size: int) -> int:
        return client.post(path, b"x" * size, JSON).status

    assert (status("/takes", 1000), status("/takes", 1001)) == (200, 413)
    assert (status("/v1/frames/a/takes", 5000), status("/v1/frames/a/takes", 5001)) == (200, 413)
    assert "more than 1000 bytes" in client.post("/takes", b"x" * 1001, JSON).error
    with contextlib.closing(client.connection()) as connection:
        with contextlib.suppress(BrokenPipeError):  # it may be refused before its end is sent
            connection.request("POST", "/takes", iter([b"x" * 600] * 2), JSON, encode_chunked=True)
        assert connection.getresponse().status == 413


def test_all_bodies_together_have_a_limit(application: Application, serve: Serve) -> None:
    served = serve(application, limits=replace(patient(LIMITS), bodies_bytes=1000), more=MORE)
    client = served.unix
    head = b"POST /takes HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n"

    with client.socket() as slow:
        slow.sendall(head + b"Content-Length: 900\r\n\r\n" + b"x" * 800)
        wait_until(lambda: client.post("/takes", b"x" * 500, JSON).status == 503)
        assert client.post("/takes", b"x" * 100, JSON).status == 200
    wait_until(lambda: client.post("/takes", b"x" * 900, JSON).status == 200)


def test_a_client_that_reads_nothing_is_dropped(application: Application, serve: Serve) -> None:
    served = serve(application, limits=replace(LIMITS, send_s=0.2), more=MORE)

    with served.unix.socket() as raw:
        raw.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert raw.recv(12) == b"HTTP/1.1 200"
        wait_until(lambda: is_alone(served))
        assert len(rest_of(raw)) < LARGE


def test_connections_that_wait_for_their_client_make_room_for_others(
    application: Application, serve: Serve
) -> None:
    served = serve(application, limits=replace(patient(LIMITS), connections=16))
    with contextlib.ExitStack() as clients:
        crowd = [clients.enter_context(served.unix.socket()) for _ in range(40)]
        for each in crowd[::2]:
            with contextlib.suppress(OSError):  # it was dropped already
                each.sendall(HEAD)

        wait_until(lambda: ended(crowd) >= 40 - 16)  # all were accepted by then
        assert [served.tcp.get("/v1/status").status for _ in range(5)] == [200] * 5
        assert len(served.server.connections) <= 16


def test_a_full_server_says_so_at_once(
    application: Application, serve: Serve, log: Recorder
) -> None:
    served = serve(application, limits=replace(LIMITS, connections=2, streams=2), more=MORE)

    with served.tcp.stream("/endless"), served.unix.stream("/endless"):
        response = served.tcp.get("/v1/status")
        assert (response.status, response.headers["Retry-After"]) == (503, "1")
        assert response.error == "too many connections; try again"
    wait_until(lambda: served.tcp.get("/v1/status").status == 200)
    assert log.one("api refused")["reason"] == "connections"


def test_one_address_of_another_computer_does_not_take_all_connections(
    application: Application, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.web.connection.remote_address", lambda client: str(client and "x"))
    limits = replace(patient(LIMITS), connections=8, address_connections=2)
    served = serve(application, limits=limits)
    with contextlib.ExitStack() as clients:
        crowd = [clients.enter_context(served.tcp.socket()) for _ in range(6)]

        wait_until(lambda: ended(crowd) >= 6 - 2)  # all were accepted by then
        assert served.tcp.get("/v1/status").status == 200


def test_a_stream_whose_client_is_gone_is_closed(application: Application, serve: Serve) -> None:
    closed = Event()

    async def watched() -> AsyncIterator[str]:
        try:
            await asyncio.Event().wait()
            yield ""
        finally:
            closed.set()

    async def stream(_: Request) -> Response:
        return EventStream(watched())

    served = serve(application, more=[Route("/stream", stream)])
    with served.tcp.stream("/stream") as opened:
        assert opened.status == 200
        assert served.server.connections.streams == 1

    assert closed.wait(LIMIT_S)
    wait_until(lambda: is_alone(served))


def test_wrong_tokens_wait_and_right_ones_do_not(application: Application, serve: Serve) -> None:
    limits = replace(patient(LIMITS), wrong_token_s=1000.0, wrong_tokens=3)
    served = serve(application, token="a-right-token", limits=limits)
    wrong = {"Authorization": "Bearer wrong"}
    with contextlib.ExitStack() as guessing:
        for _ in range(3):
            each = guessing.enter_context(contextlib.closing(served.tcp.connection()))
            each.request("GET", "/v1/status", headers=wrong)

        assert served.tcp.get("/v1/status", wrong).status == 401  # the fourth at once
        right = {"Authorization": "Bearer a-right-token"}
        assert served.tcp.get("/v1/status", right).status == 200


def test_the_end_waits_for_no_client(application: Application, serve: Serve) -> None:
    let_go = Event()

    def hang() -> dict[str, int]:
        let_go.wait(LIMIT_S)
        return {}

    served = serve(replace(application, status=hang), more=MORE)
    with contextlib.ExitStack() as clients:
        clients.callback(let_go.set)
        sent = [
            b"",
            HEAD,
            HEAD + b"\r\n",  # its call hangs on a disk
            b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n",
            HEAD.replace(b"GET /v1/status", b"POST /takes") + POSTS,
        ]
        for each in sent:
            clients.enter_context(raw := served.unix.socket())
            raw.sendall(each)
        wait_until(lambda: len(served.server.connections) == len(sent))

        served.server.close()

        wait_until(lambda: served.server.has_ended)
        assert served.unix.path is not None
        assert not served.unix.path.exists()
        with pytest.raises(OSError):
            served.tcp.get("/v1/status")


def test_nonsense_ends_no_server(application: Application, serve: Serve, log: Recorder) -> None:
    served = serve(application, limits=SHORT)
    chance = random.Random(7)
    parts = [
        *(HEAD, b"\r\n", b"\x00\xff", b":\r\n", b"-1\r\n", b"ffffffffffff\r\n", b"a" * 5000),
        *(b"POST / HTTP/1.1\r\n", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"),
        *(b"Connection: Upgrade\r\nUpgrade: websocket\r\n", b"Expect: 100-continue\r\n"),
    ]
    for _ in range(60):
        with served.unix.socket() as raw, contextlib.suppress(OSError):
            raw.sendall(b"".join(chance.choices(parts, k=chance.randint(1, 8))))
            if chance.random() < 0.5:
                raw.shutdown(socket.SHUT_WR)
                raw.recv(1000)

    wait_until(lambda: responds(served))
    assert "api failed" not in log.events


def responds(served: ServedApi) -> bool:
    """Whether it answers a call; a busy machine may need longer than the short limits."""
    with contextlib.suppress(OSError, HTTPException):
        return served.unix.get("/v1/status").status == 200
    return False


def test_a_storm_of_connections_is_survived(application: Application, serve: Serve) -> None:
    served = serve(application)
    for _ in range(2 * BACKLOG):
        with contextlib.suppress(BlockingIOError):  # the kernel keeps no more of them
            served.unix.socket().close()

    assert served.tcp.get("/v1/status").status == 200
    wait_until(lambda: is_alone(served))


def test_a_half_closed_connection_gets_its_response(application: Application, serve: Serve) -> None:
    client: ApiClient = serve(application).unix

    with client.socket() as raw:
        raw.sendall(HEAD + b"Connection: close\r\n\r\n")
        raw.shutdown(socket.SHUT_WR)
        assert rest_of(raw).startswith(b"HTTP/1.1 200")
