"""Each cause for which an RTSP camera gives no video has its own message, with the fix."""

import contextlib
import itertools
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.camera.network.rtsp_client import RtspClient
from agent.camera.video.stream import open_rtsp
from agent.errors import CameraLost
from agent.system import SystemClock
from tests.camera.mjpeg_server import MjpegServer
from tests.camera.scripted_rtsp import Answer, ScriptedRtsp
from tests.ports import free_port
from tests.search import examples

CLOCK = SystemClock()


@pytest.fixture
def server() -> Iterator[ScriptedRtsp]:
    server = ScriptedRtsp()
    yield server
    server.stop()


def cause(url: str, timeout: float = 60.0) -> str:
    with pytest.raises(CameraLost) as caught:
        open_rtsp(url, open_s=timeout, read_s=timeout, clock=CLOCK, wait=lambda _: None).close()
    message = str(caught.value)
    assert message.isprintable()
    return message


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (401, "it asks for user and password (status 401). Write them into the address"),
        (403, "it forbids access (status 403). Give this user the right to view"),
        (404, "it has nothing at this path (status 404). Look up the path"),
        (453, "it serves no more viewers (status 453, not enough bandwidth). Close another"),
        (461, "(status 461, unsupported transport). Switch on RTP over RTSP"),
        (454, "it refuses the request (status 454). Check the address"),
        (500, "it reports an error of its own (status 500). Restart it"),
        (503, "it is busy or has no video now (status 503). Close other viewers"),
    ],
)
@pytest.mark.parametrize("method", ["DESCRIBE", "SETUP"])
def test_each_status_has_its_own_cause(
    server: ScriptedRtsp, status: int, text: str, method: str
) -> None:
    server.answers[method] = Answer(status)

    assert text in cause(server.url)


def test_a_camera_without_tcp_is_asked_for_udp(server: ScriptedRtsp) -> None:
    """Status 461 for one transport is no cause: the other is tried."""
    server.answers["SETUP"] = lambda request: Answer(461 if "TCP" in request else 453)

    assert "status 453" in cause(server.url)


def test_a_redirect_of_the_setup_is_told_and_not_followed(server: ScriptedRtsp) -> None:
    server.answers["SETUP"] = Answer(302, {"Location": f"{server.url}/main?token=secret"})
    assert f"it refers to {server.url}/main?token=*** as late as the stream" in cause(server.url)

    server.answers["SETUP"] = Answer(302, {"Location": "rtsp://127.0.0.2/live"})
    assert "another place, rtsp://127.0.0.2:554, which is not followed" in cause(server.url)


@pytest.mark.parametrize("kind", ["Basic", "Digest"])
def test_a_wrong_password_is_told_apart_from_a_missing_one(server: ScriptedRtsp, kind: str) -> None:
    challenge = f'{kind} realm="camera", nonce="12"'
    server.answers["DESCRIBE"] = Answer(401, {"WWW-Authenticate": challenge})
    message = cause(server.url.replace("//", "//me:p%40ss@"))

    assert "it refuses user and password (status 401). Check both" in message
    assert "p%40ss" not in message
    assert "p@ss" not in message
    assert server.methods() == ["OPTIONS", "DESCRIBE", "DESCRIBE"]  # more would lock the user
    assert f"Authorization: {kind} " in server.requests[2]


def test_a_host_that_does_not_answer_is_told(server: ScriptedRtsp) -> None:
    server.answers["DESCRIBE"] = Answer(0)
    with pytest.raises(CameraLost) as caught:
        RtspClient(server.url, timeout=0.3, clock=CLOCK).describe()

    assert (
        f"127.0.0.1 accepts connections at port {server.port}, but does not respond within 0.3 s. "
        "Restart the camera"
    ) in str(caught.value)


def test_a_stream_without_video_is_told(server: ScriptedRtsp) -> None:
    for timeout in (2.0, 20.0):  # a busy machine may stop the server for seconds
        message = cause(server.url, timeout=timeout)
        if "sends no video" in message:
            break

    assert f"it describes a stream, but sends no video within {timeout:.0f} s" in message


def test_an_unknown_name_is_told() -> None:
    message = cause("rtsp://no-such-camera.invalid/live")

    assert "the name no-such-camera.invalid is unknown" in message
    assert "Check its spelling and the DNS server, or write the IP address" in message


def test_a_free_port_is_told() -> None:
    port = free_port()

    assert f"127.0.0.1 refuses connections at port {port}" in cause(f"rtsp://127.0.0.1:{port}/")


def test_an_http_server_is_told(mjpeg: MjpegServer) -> None:
    message = cause(f"rtsp://127.0.0.1:{mjpeg.port}/video")

    assert (
        f"port {mjpeg.port} of 127.0.0.1 speaks HTTP. Write http:// instead of rtsp://" in message
    )


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\x15\x03\x01\x00\x02\x02\x46", "speaks TLS. Write rtsps:// instead of rtsp://"),
        (b"220 \x1b[31mftp\r\n", "does not speak RTSP: 220 \\x1b[31mftp"),
        (b"", "closes the connection without a response"),
        (b"RTSP/1.0 2\r\n\r\n", "does not speak RTSP"),
        (b"RTSP/1.0 404 " + b"x" * 3_000_000, "does not speak RTSP"),
    ],
)
def test_another_protocol_is_told(server: ScriptedRtsp, raw: bytes, text: str) -> None:
    server.answers["DESCRIBE"] = Answer(raw=raw)

    assert text in cause(server.url)


def test_a_camera_without_tls_is_told(server: ScriptedRtsp) -> None:
    server.answers["*"] = Answer(raw=b"RTSP/1.0 400 Bad Request\r\n\r\n")

    assert "Write rtsp:// instead of rtsps://" in cause(server.url.replace("rtsp:", "rtsps:"))


def test_a_redirect_to_another_place_is_not_followed(server: ScriptedRtsp) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        place = f"rtsp://127.0.0.1:{other.getsockname()[1]}"
        targets = [
            f"{place}/x",
            "rtsp://127.0.0.2/x",
            "http://127.0.0.1/",
            "file:///etc/passwd",
            "//[x",
        ]
        for method, target in itertools.product(["DESCRIBE", "OPTIONS"], targets):
            server.answers[method] = Answer(302, {"Location": target})
            message = cause(server.url)
            assert "which is not followed" in message
        other.settimeout(0.1)
        with pytest.raises(TimeoutError):
            other.accept()


def test_a_redirect_at_the_camera_is_followed_with_its_password(server: ScriptedRtsp) -> None:
    server.answers["DESCRIBE"] = lambda request: (
        Answer(301, {"Location": "/other"}) if "/live" in request else Answer(body="v=0\r\n")
    )
    client = RtspClient(server.url.replace("//", "//me:pw@"), timeout=60, clock=CLOCK)

    with contextlib.closing(client):
        assert client.describe() == f"rtsp://me:pw@127.0.0.1:{server.port}/other"


@settings(max_examples=examples(60), deadline=None)
@given(
    st.binary(max_size=300), st.sampled_from([b"", b"RTSP/1.0 200 OK\r\n", b"RTSP/1.0 302 X\r\n"])
)
def test_any_answer_is_a_cause_in_one_printable_line(data: bytes, before: bytes) -> None:
    server = ScriptedRtsp({"*": Answer(raw=before + data), "DESCRIBE": Answer(raw=before + data)})
    client = RtspClient(server.url, timeout=60, clock=CLOCK)
    message = ""
    try:
        client.describe()
    except CameraLost as error:
        message = str(error)
    finally:
        client.close()
        server.stop()
    assert message.isprintable()
    assert len(message) < 1000
