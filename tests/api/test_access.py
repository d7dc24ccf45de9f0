"""Who is answered: the host, the page and the token that a request names, on real sockets."""

import base64
import socket
from collections.abc import Mapping
from dataclasses import replace

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agent.runtime.application import Application
from agent.web.access import Access
from agent.web.address import parse_api
from agent.web.hosts import OwnHosts, own_hosts, parse_host, parse_origin
from agent.web.limits import LIMITS
from tests.fakes.api import ApiClient, Serve
from tests.fakes.log import Recorder

TOKEN = "a-long-random-token"
NO_WAIT = replace(LIMITS, wrong_token_s=0.0)
JSON = "application/json"


async def length(request: Request) -> Response:
    """Says how many bytes arrived."""
    return JSONResponse({"bytes": len(await request.body())})


TAKES = Route("/takes", length, methods=["POST"])


def status(client: ApiClient, headers: Mapping[str, str]) -> int:
    return client.get("/v1/status", headers).status


def test_a_port_answers_for_the_names_of_this_computer_alone(
    application: Application, serve: Serve, log: Recorder
) -> None:
    client = serve(application).tcp
    port = client.port
    hosts = {
        f"127.0.0.1:{port}": 200,
        f"localhost:{port}": 200,
        f"LOCALHOST.:{port}": 200,
        f"[::1]:{port}": 200,
        f"[0:0:0:0:0:0:0:1]:{port}": 200,
        "localhost": 421,  # port 80
        f"localhost:{port + 1}": 421,
        f"evil.example:{port}": 421,
        f"localhost.evil.example:{port}": 421,
        f"127.0.0.1.evil.example:{port}": 421,
        f"127.0.0.1:{port}@evil.example": 421,
        f"evil.example, localhost:{port}": 421,
        f"192.168.1.7:{port}": 421,
        "": 421,
    }

    assert {host: status(client, {"Host": host}) for host in hosts} == hosts
    error = client.get("/v1/status", {"Host": f"evil.example:{port}"}).error
    assert f"allowed: localhost:{port}, 127.0.0.1:{port}, [::1]:{port}" in error
    line = log.one("api refused")
    assert (line["reason"], line["client"]) == ("host", "127.0.0.1")


def test_a_unix_socket_takes_names_that_no_page_can_have(
    application: Application, serve: Serve
) -> None:
    client = serve(application).unix
    hosts = {"localhost": 200, "": 200, "agent": 200, "127.0.0.1:1": 200, "evil.example": 421}

    assert {host: status(client, {"Host": host}) for host in hosts} == hosts


def test_a_second_host_and_a_target_with_one_are_refused(
    application: Application, serve: Serve
) -> None:
    client = serve(application).tcp
    own = f"Host: localhost:{client.port}\r\n"
    requests = {
        f"GET /v1/status HTTP/1.1\r\n{own}Host: evil.example\r\n\r\n": 400,
        f"GET http://evil.example/v1/status HTTP/1.1\r\n{own}\r\n": 400,
        f"GET http://localhost:{client.port}/v1/status HTTP/1.1\r\n{own}\r\n": 400,
        f"CONNECT evil.example:443 HTTP/1.1\r\n{own}\r\n": 400,
        "GET /v1/status HTTP/1.1\r\n\r\n": 400,
        "GET /v1/status HTTP/1.0\r\n\r\n": 421,
        "\x16\x03\x01\x02\x00\r\n\r\n": 400,
        f"GET /v1/status HTTP/1.1\r\n{own}Cookie: {'x' * 20_000}\r\n\r\n": 431,
    }
    met = {}
    for text in requests:
        with client.socket() as raw:
            raw.sendall(text.encode("latin-1"))
            met[text] = int(raw.recv(4096).split()[1])

    assert met == requests


def test_pages_of_others_are_refused_for_reading_too(
    application: Application, serve: Serve, log: Recorder
) -> None:
    client = serve(application).tcp
    own = f"127.0.0.1:{client.port}"
    cases = [
        ({"Origin": f"http://{own}"}, 200),
        ({"Origin": f"http://localhost:{client.port}"}, 403),  # a page of another name
        ({"Origin": f"http://127.0.0.1:{client.port + 1}"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": f"http://evil.example:{client.port}"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "file://"}, 403),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": f"http://{own}"}, 403),
    ]

    assert [status(client, headers) for headers, _ in cases] == [code for _, code in cases]
    assert log.one("api refused")["reason"] == "origin"
    response = client.call("OPTIONS", "/v1/status", None, {"Origin": f"http://{own}"})
    assert response.status == 405
    assert not [name for name in response.headers if name.lower().startswith("access-control")]


def test_a_link_on_another_page_may_lead_to_the_live_page_and_nowhere_else(
    application: Application, serve: Serve
) -> None:
    client = serve(application).tcp
    link = {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
    }
    cases: list[tuple[str, str, Mapping[str, str], int]] = [
        ("GET", "/", link, 200),
        ("GET", "/", link | {"Sec-Fetch-Site": "same-site"}, 200),  # another port of this host
        ("GET", "/", link | {"Sec-Fetch-Dest": "iframe"}, 403),
        ("GET", "/", link | {"Sec-Fetch-Mode": "no-cors"}, 403),
        ("GET", "/", link | {"Origin": "http://evil.example"}, 403),
        ("GET", "/v1/status", link, 403),
        ("POST", "/v1/captures", link | {"Content-Type": JSON}, 403),
    ]
    met = [client.call(method, path, None, headers).status for method, path, headers, _ in cases]

    assert met == [code for *_, code in cases]


def test_a_change_needs_what_a_foreign_form_cannot_send(
    application: Application, serve: Serve
) -> None:
    served = serve(application, more=[TAKES])
    own = {"Origin": f"http://127.0.0.1:{served.tcp.port}"}
    multipart = {"Content-Type": "multipart/form-data; boundary=x"}
    cases: list[tuple[Mapping[str, str], int, int]] = [  # on the port, on the unix socket
        ({"Content-Type": JSON}, 200, 200),
        ({"Content-Type": "Application/JSON; charset=utf-8"}, 200, 200),
        ({"Content-Type": "image/jpeg"}, 200, 200),
        ({"Content-Type": "text/plain"}, 415, 415),
        ({"Content-Type": "TEXT/PLAIN;charset=utf-8"}, 415, 415),
        ({"Content-Type": "text/plain; application/json"}, 415, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415, 415),
        ({"Content-Type": "application/x-www-form-urlencoded, application/json"}, 415, 415),
        ({}, 415, 415),
        (multipart, 415, 200),
        (multipart | {"X-Requested-With": "x"}, 200, 200),
        (multipart | {"Authorization": "Bearer x"}, 200, 200),
        (multipart | {"Authorization": "Basic eDp4"}, 415, 200),  # a browser adds it by itself
        (multipart | own, 200, 403),
        (multipart | {"Origin": "http://evil.example", "X-Requested-With": "x"}, 403, 403),
    ]
    met = [
        (
            headers,
            *(each.post("/takes", b"12", headers).status for each in (served.tcp, served.unix)),
        )
        for headers, _, _ in cases
    ]

    assert met == cases
    assert "application/json" in served.tcp.post("/takes", b"x=1").error


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_a_port_with_a_token_asks_for_it_and_the_unix_socket_does_not(
    application: Application, serve: Serve, log: Recorder
) -> None:
    served = serve(application, token=TOKEN, limits=NO_WAIT)
    tokens = {
        f"Bearer {TOKEN}": 200,
        f"bearer  {TOKEN}": 200,
        basic("", TOKEN): 200,
        basic("anybody", TOKEN): 200,
        f"Bearer {TOKEN[:-1]}": 401,
        f"Bearer {TOKEN}x": 401,
        f"Bearer {TOKEN[:1]}": 401,
        "Bearer ": 401,
        "Bearer": 401,
        TOKEN: 401,
        basic(TOKEN, ""): 401,
        "Basic !!!": 401,
        "Basic /w==": 401,
        f"Digest {TOKEN}": 401,
        "Bearer \xe9": 401,
    }

    assert {each: status(served.tcp, {"Authorization": each}) for each in tokens} == tokens
    asked = served.tcp.get("/v1/status")
    assert asked.status == 401
    assert asked.headers["WWW-Authenticate"].startswith('Basic realm="capture-agent"')
    assert served.unix.get("/v1/status").status == 200
    assert TOKEN not in str(log.lines) + asked.error
    assert log.one("api refused")["reason"] == "token"


def test_no_token_no_page_of_others_and_no_body_is_taken_before_the_token(
    application: Application, serve: Serve
) -> None:
    client = serve(application, token=TOKEN, limits=NO_WAIT, more=[TAKES]).tcp
    right = {"Authorization": f"Bearer {TOKEN}"}

    assert client.get("/nothing").status == 401
    assert client.post("/takes", b"x" * 500_000, {"Content-Type": JSON}).status == 401
    assert status(client, right | {"Origin": "http://evil.example"}) == 403
    assert status(client, right | {"Host": "evil.example"}) == 421


def test_beyond_this_computer_any_ip_address_and_its_own_names_are_answered() -> None:
    hosts = own_hosts(parse_api("camera.example.org:443"), "Gate-07.lan")

    def has(text: str) -> bool:
        host = parse_host(text, "https")
        return host is not None and hosts.has(host)

    names = ["camera.example.org", "gate-07", "gate-07.lan", "GATE-07.local:443", "10.0.0.5"]
    assert [name for name in names if not has(name)] == []
    assert [name for name in ("evil.example", "10.0.0.5:80", "gate-08", "") if has(name)] == []
    assert "gate-07.local:443, localhost:443" in hosts.shown.replace("localhost:443, ", "", 1) or (
        "gate-07.local:443" in hosts.shown
    )
    assert "any" not in own_hosts(parse_api("0.0.0.0:8787"), "x").names


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("http://localhost", "localhost:80"),
        ("https://localhost.", "localhost:443"),
        ("HTTPS://[::0001]:1", "::1:1"),
        ("http://a/", None),
        ("http://a@b", None),
        ("http://", None),
        ("null", None),
        ("ftp://a", None),
        ("http://[nonsense]", None),
        ("http://a:b", None),
    ],
)
def test_origins_are_parsed(text: str, host: str | None) -> None:
    found = parse_origin(text)

    assert (None if found is None else f"{found.name}:{found.port}") == host


@pytest.mark.parametrize("plant", ["host", "origin", "prefix"])
def test_a_planted_hole_would_be_found(
    application: Application, serve: Serve, monkeypatch: pytest.MonkeyPatch, plant: str
) -> None:
    """The checks above can fail."""
    if plant == "host":
        monkeypatch.setattr(OwnHosts, "has", lambda *_: True)
    elif plant == "origin":
        monkeypatch.setattr(Access, "_of_origin", lambda *_, **__: None)
    else:
        monkeypatch.setattr("agent.web.access.is_right", lambda given, token: token[0] == given)
    client = serve(application, token=TOKEN, limits=NO_WAIT).tcp
    right = {"Authorization": f"Bearer {TOKEN}"}
    attacks = {
        "host": right | {"Host": "evil.example"},
        "origin": right | {"Origin": "http://evil.example"},
        "prefix": {"Authorization": f"Bearer {TOKEN[0]}"},
    }

    assert status(client, attacks[plant]) == 200


def test_a_connection_that_sends_nothing_valid_gets_one_answer_and_is_closed(
    application: Application, serve: Serve
) -> None:
    client = serve(application).unix
    with client.socket() as raw:
        raw.sendall(b"nonsense\r\n\r\n")
        raw.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: raw.recv(4096), b""))

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"no valid HTTP/1.1" in answer
