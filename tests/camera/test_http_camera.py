"""HTTP cameras: still images, MJPEG in its dialects, other video; never another host."""

import contextlib
import itertools
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from email.message import Message
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.camera.address import parse_camera
from agent.camera.live import LiveCamera
from agent.camera.network.http_client import Body, HttpClient, Response
from agent.camera.network.http_frames import MjpegParts
from agent.camera.source_options import MAX_SIDE
from agent.domain import Frame
from agent.errors import CameraLost, UnusableImage
from agent.system import SystemClock
from tests.camera.encoded import clip_frames, mux
from tests.camera.http_camera import HttpCamera, Page, jpeg, multipart
from tests.fakes.clock import ManualClock
from tests.search import examples

STALL = 30.0


@pytest.fixture
def server() -> Iterator[HttpCamera]:
    server = HttpCamera()
    yield server
    server.stop()


@pytest.fixture
def other() -> Iterator[HttpCamera]:
    server = HttpCamera()
    yield server
    server.stop()


Open = Callable[..., LiveCamera]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def opened(clock: ManualClock) -> Iterator[Open]:
    """Make cameras whose waits pass on `clock` alone."""
    cameras: list[LiveCamera] = []

    def wait(seconds: float) -> None:
        clock.now += seconds

    def make(url: str, fps: float = 5.0, stall: float = STALL, *, real: bool = False) -> LiveCamera:
        address = parse_camera(url, name="yard")
        camera = LiveCamera(
            address,
            fps=fps,
            stall=stall,
            clock=SystemClock() if real else clock,
            boot_id="boot",
            wait=wait,
        )
        cameras.append(camera)
        return camera

    yield make
    for camera in cameras:
        camera.close()


def frames(camera: LiveCamera, count: int) -> list[Frame]:
    return [camera.read() for _ in range(count)]


def lost(camera: LiveCamera, reads: int = 1000) -> str:
    with pytest.raises(CameraLost) as caught:
        frames(camera, reads)
    message = str(caught.value)
    assert message.isprintable()
    return message


def counting(step: int = 1) -> Callable[[Mapping[str, str]], Page]:
    """Answer with another image each `step` requests."""
    numbers = itertools.count()
    return lambda _: Page(jpeg(10 * (1 + next(numbers) // step % 20)))


# Still images


@pytest.mark.parametrize(("fps", "seconds"), [(5, 0.2), (1, 1.0), (0, 0.2), (0.02, 50.0)])
def test_a_still_image_is_requested_at_the_rate(
    server: HttpCamera, opened: Open, clock: ManualClock, fps: float, seconds: float
) -> None:
    server.pages["/image"] = counting()
    camera = opened(server.url(), fps=fps)
    seen = frames(camera, 6)

    steps = np.diff([frame.at for frame in seen])
    assert steps == pytest.approx([seconds] * 5)
    assert len(server.requests) == 6
    assert seen[0].pixels.shape == (48, 64, 3)
    assert clock.now - camera.progress_at < STALL


def test_a_slow_camera_gives_as_many_still_images_as_it_can(
    server: HttpCamera, opened: Open, clock: ManualClock
) -> None:
    answer = counting()

    def slow(headers: Mapping[str, str]) -> Page:
        clock.now += 1.5
        return answer(headers)

    server.pages["/image"] = slow
    seen = frames(opened(server.url(), fps=5), 4)

    assert np.diff([frame.at for frame in seen]) == pytest.approx([1.7, 1.5, 1.5])


def test_an_image_that_is_not_renewed_is_no_frame(server: HttpCamera, opened: Open) -> None:
    server.pages["/image"] = counting(step=4)
    seen = frames(opened(server.url()), 5)

    assert np.diff([frame.at for frame in seen]) == pytest.approx([0.8] * 4)
    assert [frame.sequence for frame in seen] == [0, 1, 2, 3, 4]


def test_a_camera_that_knows_validators_need_not_send_an_image_again(
    server: HttpCamera, opened: Open
) -> None:
    numbers = itertools.count()
    sent = []

    def page(headers: Mapping[str, str]) -> Page:
        tag = f'"{next(numbers) // 5}"'
        if headers.get("If-None-Match") == tag:
            return Page(status=304)
        sent.append(tag)
        return Page(jpeg(10 * len(sent)), headers={"ETag": tag})

    server.pages["/image"] = page
    assert len(frames(opened(server.url()), 4)) == 4
    assert sent == ['"0"', '"1"', '"2"', '"3"']


def test_a_still_image_that_never_changes_is_frozen(server: HttpCamera, opened: Open) -> None:
    server.pages["/image"] = Page(jpeg())
    camera = opened(server.url())
    message = lost(camera)

    assert "frozen: the same image for 30.0 s" in message
    assert "If the camera renews its image less often, raise AGENT_CAMERA_STALL" in message
    camera.close()
    assert "frozen" in lost(camera, reads=1)


def test_a_camera_that_renews_its_image_slowly_is_lost_once(
    server: HttpCamera, opened: Open, clock: ManualClock
) -> None:
    """It is lost until its first change; then its usual interval is known."""
    server.pages["/image"] = lambda _: Page(jpeg(10 * (int(clock.now // 60) % 20)))
    camera = opened(server.url(), fps=1)
    losses, seen = 0, 0
    while seen < 8:
        try:
            camera.read()
            seen += 1
        except CameraLost:
            losses += 1
            camera.close()
            clock.now += 30

    assert losses <= 4  # while it is lost, each attempt finds the same image


def test_a_failed_request_does_not_lose_a_still_camera(server: HttpCamera, opened: Open) -> None:
    answer, numbers = counting(), itertools.count()
    server.pages["/image"] = lambda headers: (
        Page(status=503) if next(numbers) % 3 == 1 else answer(headers)
    )

    assert len(frames(opened(server.url()), 10)) == 10


def test_a_still_camera_that_fails_is_lost_after_the_stall(
    server: HttpCamera, opened: Open, clock: ManualClock
) -> None:
    server.pages["/image"] = counting()
    camera = opened(server.url())
    camera.read()
    before = clock.now
    server.pages["/image"] = Page(status=404)

    assert "it has nothing at this path (status 404)" in lost(camera)
    assert STALL - 0.5 <= clock.now - before <= STALL + 0.5


@pytest.mark.parametrize(
    "data",
    [
        jpeg()[:-200],
        jpeg()[:30],
        b"",
        b"\xff\xd8\xff\xd9",
        b"not an image",
        jpeg().replace(b"\x00\x30\x00\x40", b"\x4e\x20\x4e\x20"),  # says 20,000 x 20,000
    ],
)
def test_a_damaged_or_enormous_image_is_no_frame(
    server: HttpCamera, opened: Open, data: bytes
) -> None:
    good, numbers = counting(), itertools.count()
    server.pages["/image"] = lambda headers: Page(data) if next(numbers) % 2 else good(headers)
    camera = opened(server.url())

    assert len(frames(camera, 5)) == 5
    assert camera.unreadable > 0
    server.pages["/image"] = Page(data)
    assert "no intact frame for 30." in lost(camera)
    assert "no intact frame for 30." in lost(opened(server.url()))


def test_an_image_that_never_arrives_whole_is_not_called_frozen(
    server: HttpCamera, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.pages["/image"] = counting()
    camera = opened(server.url())
    camera.read()
    camera.close()
    monkeypatch.setattr("agent.camera.network.http_frames.MOST_BYTES", 100)

    assert "the image did not arrive" in lost(camera)
    assert "the image did not arrive" in lost(opened(server.url()))


def test_an_image_with_data_behind_its_end_is_complete(server: HttpCamera, opened: Open) -> None:
    server.pages["/image"] = Page(jpeg() + b"\0" * 100 + b"serial 12")

    assert opened(server.url()).read().pixels.shape == (48, 64, 3)


def test_a_password_is_sent_with_each_request_once_it_was_asked_for(
    server: HttpCamera, opened: Open
) -> None:
    """A camera that changes its nonce, as all do after some time, asks again."""
    answer, statuses = counting(), []
    nonces = itertools.chain(["a"] * 4, itertools.repeat("b"))

    def page(headers: Mapping[str, str]) -> Page:
        nonce = next(nonces)
        is_known = f'nonce="{nonce}"' in headers.get("Authorization", "")
        statuses.append(200 if is_known else 401)
        if is_known:
            return answer(headers)
        challenge = f'Digest realm="camera", qop="auth", nonce="{nonce}"'
        return Page(b"no", "text/plain", 401, {"WWW-Authenticate": challenge})

    server.pages["/image"] = page
    url = server.url().replace("//", "//me:p%40ss@")
    assert len(frames(opened(url), 6)) == 6
    assert statuses == [401, 200, 200, 200, 401, 200, 200, 200]


# MJPEG


@pytest.mark.parametrize(
    ("kind", "boundary"),
    [
        ("multipart/x-mixed-replace; boundary=frame", b"--frame"),
        ('multipart/x-mixed-replace;boundary="frame"', b"--frame"),
        ("multipart/x-mixed-replace; boundary=--frame", b"--frame"),
        ("multipart/x-mixed-replace", b"--frame"),
        ("multipart/mixed; boundary=f", b"--f"),
        ("text/plain", b"--frame"),
    ],
)
@pytest.mark.parametrize("has_length", [True, False])
def test_the_dialects_of_mjpeg_are_understood(
    server: HttpCamera, opened: Open, kind: str, boundary: bytes, *, has_length: bool
) -> None:
    images = (jpeg(10 * n) for n in range(1, 20))
    parts = multipart(images, boundary, has_length=has_length)
    server.pages["/image"] = lambda _: Page(kind=kind, parts=parts)
    seen = frames(opened(server.url(), fps=0, real=True), 5)

    assert [int(frame.pixels[40, 40, 0]) for frame in seen] == pytest.approx(
        [10, 20, 30, 40, 50], abs=2
    )


def test_mjpeg_that_changes_its_size_is_not_distorted(server: HttpCamera, opened: Open) -> None:
    images = [jpeg(10 * n, *((64, 48) if n < 3 else (96, 32))) for n in range(6)]
    kind = "multipart/x-mixed-replace; boundary=frame"
    server.pages["/image"] = lambda _: Page(kind=kind, parts=multipart(images))
    seen = frames(opened(server.url(), fps=0, real=True), 6)

    assert [frame.pixels.shape[:2] for frame in seen] == [(48, 64)] * 3 + [(32, 96)] * 3


@pytest.mark.parametrize(
    "data",
    [
        b"--frame\r\n" + b"x" * 40_000_000,
        b"--frame\r\n" + b"X-A: b\r\n" * 5000,
        b"--frame\r\nContent-Length: 99999999\r\n\r\nx",
        b"--frame\r\nContent-Length: 99999999999999999999\r\n\r\nx",
        b"--frame--\r\n",
        b"\0" * 50_000,
    ],
)
def test_parts_beyond_the_limits_lose_the_camera(
    server: HttpCamera, opened: Open, data: bytes
) -> None:
    kind = "multipart/x-mixed-replace; boundary=frame"
    server.pages["/image"] = lambda _: Page(kind=kind, parts=[data])

    assert "it stopped sending frames" in lost(opened(server.url(), real=True))


# Other hosts


@pytest.fixture(scope="module")
def segments(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> Path:
    """An HLS recording of `clip`: `list.m3u8` and its segments."""
    folder = tmp_path_factory.mktemp("hls")
    options = {"hls_time": "1", "hls_list_size": "0"}
    frames = clip_frames(clip, 100)
    mux(folder / "list.m3u8", frames, container="hls", container_options=options)
    return folder


def serve_files(server: HttpCamera, folder: Path) -> None:
    for path in folder.iterdir():
        server.pages[f"/{path.name}"] = Page(path.read_bytes(), "application/octet-stream")


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{other}/image",
        "http://localhost:{other}/image",
        "//127.0.0.2:{other}/image",
        "http://2130706433:{other}/image",
        "https://[::1]:{other}/image",
        "file:///etc/passwd",
        "tcp://127.0.0.1:{other}",
        "ftp://127.0.0.1:{other}/",
        "http://[bad",
    ],
)
def test_a_redirect_to_another_place_is_not_followed(
    server: HttpCamera, other: HttpCamera, opened: Open, location: str
) -> None:
    headers = {"Location": location.format(other=other.port)}
    server.pages["/image"] = Page(status=302, headers=headers)

    assert "which is not followed" in lost(opened(server.url(), real=True))
    assert other.requests == []


def test_a_redirect_of_a_later_still_image_is_not_followed(
    server: HttpCamera, other: HttpCamera, opened: Open
) -> None:
    server.pages["/image"] = counting()
    camera = opened(server.url())
    camera.read()
    server.pages["/image"] = Page(status=307, headers={"Location": other.url()})

    assert "which is not followed" in lost(camera)
    assert other.requests == []


def test_a_redirect_at_the_camera_is_followed(server: HttpCamera, opened: Open) -> None:
    server.pages["/image"] = Page(status=301, headers={"Location": "/new?a=b"})
    server.pages["/new?a=b"] = counting()

    assert len(frames(opened(server.url()), 2)) == 2


def test_an_address_may_have_blanks_and_letters_of_any_language(
    server: HttpCamera, opened: Open
) -> None:
    server.pages["/b%20%C3%A9?c=%C3%A9%20%25"] = counting()
    assert len(frames(opened(server.url("/b é?c=é %25")), 2)) == 2


def test_a_circle_of_redirects_ends(server: HttpCamera, opened: Open) -> None:
    server.pages["/image"] = Page(status=301, headers={"Location": "/image"})

    assert "it redirects more than 5 times" in lost(opened(server.url()))


def test_a_video_in_one_response_is_read(server: HttpCamera, opened: Open, segments: Path) -> None:
    serve_files(server, segments)
    camera = opened(server.url("/list0.ts"), fps=0, real=True)

    assert [frame.pixels.shape for frame in frames(camera, 25)] == [(272, 640, 3)] * 25
    assert "it stopped sending frames" in lost(camera, reads=1)


def test_a_playlist_of_the_camera_is_read(server: HttpCamera, opened: Open, segments: Path) -> None:
    serve_files(server, segments)
    master = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=100000\nlist.m3u8\n"
    server.pages["/master.m3u8"] = Page(master, "application/vnd.apple.mpegurl")
    camera = opened(server.url("/master.m3u8"), fps=0, real=True)

    assert len(frames(camera, 100)) == 100
    assert "it stopped sending frames" in lost(camera)


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("list0.ts", "http://127.0.0.1:{other}/list0.ts"),
        ("list1.ts", "http://127.0.0.1:{other}/list1.ts"),
        ("list0.ts", "file:///etc/passwd"),
        ("list0.ts", "tcp://127.0.0.1:{other}"),
        ("list0.ts", "concat:http://127.0.0.1:{other}/a|http://127.0.0.1:{other}/b"),
        ("list0.ts", "crypto+http://127.0.0.1:{other}/a"),
        ("#EXTINF", '#EXT-X-MAP:URI="http://127.0.0.1:{other}/map"\n#EXTINF'),
        ("#EXTINF", '#EXT-X-KEY:METHOD=AES-128,URI="http://127.0.0.1:{other}/key"\n#EXTINF'),
        ("#EXTINF", "#EXT-X-STREAM-INF:BANDWIDTH=1\nhttp://127.0.0.1:{other}/x.m3u8\n#EXTINF"),
        ("list0.ts", "redirected.ts"),
    ],
)
def test_a_playlist_that_names_another_place_is_not_followed(
    server: HttpCamera, other: HttpCamera, opened: Open, segments: Path, line: str, instead: str
) -> None:
    serve_files(server, segments)
    serve_files(other, segments)
    server.pages["/redirected.ts"] = Page(status=302, headers={"Location": other.url("/list0.ts")})
    text = (segments / "list.m3u8").read_text().replace(line, instead.format(other=other.port), 1)
    server.pages["/list.m3u8"] = Page(text.encode(), "application/vnd.apple.mpegurl")

    assert lost(opened(server.url("/list.m3u8"), real=True))
    assert other.requests == []


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile http://127.0.0.1:{other}/list0.ts\n",
        (
            "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            "m=video {other} RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
        ),
        (
            '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
            'mediaPresentationDuration="PT9S"><Period><AdaptationSet mimeType="video/mp4">'
            '<Representation id="1" bandwidth="1"><BaseURL>http://127.0.0.1:{other}/x.mp4</BaseURL>'
            "</Representation></AdaptationSet></Period></MPD>"
        ),
        "[playlist]\nFile1=http://127.0.0.1:{other}/list0.ts\n",
        "rtsp://127.0.0.1:{other}/x\n",
        "<!DOCTYPE html><img src='http://127.0.0.1:{other}/x.jpg'>",
        "",
    ],
)
def test_other_lists_are_refused(
    server: HttpCamera, other: HttpCamera, opened: Open, text: str
) -> None:
    body = text.format(other=other.port).encode()
    server.pages["/image"] = Page(body, "application/octet-stream")
    message = lost(opened(server.url(), real=True))

    assert message.startswith("cannot open camera ")
    assert other.requests == []


def test_a_redirect_to_https_at_the_camera_is_followed(
    request: pytest.FixtureRequest, server: HttpCamera, opened: Open
) -> None:
    """Its certificate is not verified: cameras sign their own."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("camera.example").configure_cert(tls)
    secure = HttpCamera({"/image": counting()}, tls=tls)
    request.addfinalizer(secure.stop)
    server.pages["/image"] = Page(status=301, headers={"Location": secure.url()})
    assert secure.url().startswith("https://127.0.0.1:")

    assert len(frames(opened(server.url()), 3)) == 3
    back = opened(secure.url())
    secure.pages["/image"] = Page(status=302, headers={"Location": server.url()})
    assert "which is not followed" in lost(back)  # the password would be sent in the clear


PIECES = st.sampled_from(
    [
        b"--frame",
        b"\r\n",
        b"Content-Length: ",
        b"7",
        b"99999999",
        b"Content-Type: image/jpeg",
        jpeg(),
    ]
)


@settings(max_examples=examples(150), deadline=None)
@given(pieces=st.lists(PIECES | st.binary(max_size=20), max_size=30), has_boundary=st.booleans())
def test_any_parts_give_frames_or_a_loss(pieces: list[bytes], *, has_boundary: bool) -> None:
    data = b"".join(pieces)

    class Raw:
        chunks: ClassVar = [data[at : at + 50] for at in range(0, len(data), 50)]

        def read1(self, _: int) -> bytes:
            return self.chunks.pop(0) if self.chunks else b""

        def settimeout(self, _: float) -> None:
            pass

        def close(self) -> None:
            pass

    raw: Any = Raw()
    headers = Message()
    headers["Content-Type"] = "multipart/x-mixed-replace" + ("; boundary=frame" * has_boundary)
    body = Body(raw, raw, SystemClock())
    response = Response("http://camera/", changed=True, headers=headers, body=body)
    parts = MjpegParts(
        response, HttpClient("http://camera/", timeout=1, clock=SystemClock()), timeout=1
    )
    message = ""
    try:
        while parts.grab():
            with contextlib.suppress(UnusableImage):
                assert parts.retrieve().pixels.ndim == 3
    except CameraLost as error:
        message = str(error)
    assert message.isprintable()


# Causes


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (401, "it asks for user and password (status 401)"),
        (403, "it forbids access (status 403)"),
        (404, "it has nothing at this path (status 404)"),
        (500, "it reports an error of its own (status 500)"),
        (503, "it is busy or has no video now (status 503)"),
    ],
)
def test_each_status_has_its_own_cause(
    server: HttpCamera, opened: Open, status: int, text: str
) -> None:
    server.pages["/image"] = Page(status=status)

    assert text in lost(opened(server.url()))


def test_a_server_that_speaks_something_else_is_told(opened: Open) -> None:
    for greeting, text in (
        (b"RTSP/1.0 400 Bad Request\r\n\r\n", "speaks RTSP. Write rtsp:// instead of http://"),
        (b"\x15\x03\x01\x00\x02\x02\x46\n", "speaks TLS. Write https:// instead of http://"),
        (b"220 \x1b[0m ftp\r\n", "does not speak HTTP: 220 \\x1b[0m ftp"),
    ):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            camera = opened(f"http://127.0.0.1:{listener.getsockname()[1]}/", real=True)
            listener.settimeout(60)
            message = answered(listener, camera, greeting)
        assert text in message


def answered(listener: socket.socket, camera: LiveCamera, greeting: bytes) -> str:
    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(greeting)

    thread = threading.Thread(target=answer)
    thread.start()
    message = lost(camera)
    thread.join()
    return message


def test_the_size_limit_is_below_what_the_case_states() -> None:
    assert MAX_SIDE < 20_000
