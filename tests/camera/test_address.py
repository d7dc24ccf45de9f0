"""AGENT_CAMERAS: accepted and refused values, and that secrets are masked."""

import re
import string
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agent.camera.address import CameraAddress, SourceKind, parse_camera, parse_cameras
from agent.quoted_words import split_words

DEVICE, STREAM, FILE, FOLDER = SourceKind

ACCEPTED = [
    ("0", "camera", "/dev/video0", DEVICE),
    ("front=12", "front", "/dev/video12", DEVICE),
    ("/dev/video2", "camera", "/dev/video2", DEVICE),
    ("a=/dev/v4l/by-id/usb-cam-index0", "a", "/dev/v4l/by-id/usb-cam-index0", DEVICE),
    ("rtsp://host:8554/x", "camera", "rtsp://host:8554/x", STREAM),
    ("yard=RTSPS://host/x", "yard", "rtsps://host/x", STREAM),
    ("rtsp://host/x?channel=1&subtype=0", "camera", "rtsp://host/x?channel=1&subtype=0", STREAM),
    ("rtsp://host?token=a", "camera", "rtsp://host?token=a", STREAM),
    ("a-1=http://u:p@host/v?b=c", "a-1", "http://u:p@host/v?b=c", STREAM),
    ("https://[::1]:8443/v", "camera", "https://[::1]:8443/v", STREAM),
    ("rtsp://me@mail.com:pw@host/x", "camera", "rtsp://me@mail.com:pw@host/x", STREAM),
    ("clip.mp4", "camera", "clip.mp4", FILE),
    ("/data/a=b.mp4", "camera", "/data/a=b.mp4", FILE),
    ("./a=b.mp4", "camera", "./a=b.mp4", FILE),
    ("x=a=b.mp4", "x", "a=b.mp4", FILE),
    ("'x=/data/my clip.mp4'", "x", "/data/my clip.mp4", FILE),
    ("x='/data/my clip.mp4'", "x", "/data/my clip.mp4", FILE),
    (r"rtsp://me:pa\ss@host/x", "camera", r"rtsp://me:pa\ss@host/x", STREAM),
    ("rtsp://me:it's@host/x", "camera", "rtsp://me:it's@host/x", STREAM),
    ('x=rtsp://me:a"b@host/x', "x", 'rtsp://me:a"b@host/x', STREAM),
    ("'x=rtsp://me:it's me@host/x'", "x", "rtsp://me:it's me@host/x", STREAM),
    ("x=rtsp://host/x?pwd='a", "x", "rtsp://host/x?pwd='a", STREAM),
    ("cam:1.mp4", "camera", "cam:1.mp4", FILE),
    ("./0", "camera", "./0", FILE),
    ("frames/", "camera", "frames/", FOLDER),
    ("./192.168.1.20", "camera", "./192.168.1.20", FILE),
    ("/data/camera.local/clip.mp4", "camera", "/data/camera.local/clip.mp4", FILE),
    ("2024.11.28", "camera", "2024.11.28", FILE),
    ("gate.mp4/", "camera", "gate.mp4/", FOLDER),
    ("rtsp/clip.mp4", "camera", "rtsp/clip.mp4", FILE),
    ("10:30.mp4", "camera", "10:30.mp4", FILE),
]

HOSTS = [
    "192.168.1.20",
    "gate=192.168.1.20",
    "192.168.1.20/stream1",
    "192.168.1.20:554/h264",
    "admin:secret@192.168.1.20/live",
    "camera.local",
    "Camera.LOCAL./video",
    "gate:8554/x",
    "localhost/video?size=1",
    "[fe80::1]:554/x",
    "fe80::1%eth0",
    "rtsp//192.168.1.20/x",
]

REFUSED = [
    ("", "no camera; give name=source"),
    ("   ", "no camera; give name=source"),
    ("a='/data", "the quote ' is not closed; quote the whole part"),
    (r"/data/my\ clip.mp4", "has no name"),
    ("front=", "'front=': no source after the name"),
    ("=0", "'=0': what is before '=' is not a camera name"),
    (
        "cam.1=rtsp://host/x",
        "'cam.1=rtsp://host/x': what is before '=' is not a camera name",
    ),
    ("a.b=c.mp4", "write name=path or ./path"),
    ("'my cam=0'", "'my cam=0': what is before '=' is not a camera name"),
    ("a" * 65 + "=0", "is not a camera name"),
    ("0 1", "'0' has no name; with several cameras, write name=source"),
    ("a=/data/my clip.mp4", "'clip.mp4' has no name"),
    ("a=0 b=1 a=2", "the name 'a' is used 2 times"),
    ("256", "a device number is 0 to 255; for a file or folder write ./256"),
    ("0000", "a device number is 0 to 255"),
    ("²", "a device number is 0 to 255"),
    ("ftp://host/x", "the scheme 'ftp' is unknown"),
    ("file:///data/x.mp4", "write files and folders as a path"),
    ("rtsp:/host/x", "no host in the URL"),
    ("rtsp:host", "no host in the URL"),
    ("rtsp://", "no host in the URL"),
    ("rtsp://host:0/x", "or port 0"),
    ("rtsp://host:99999/x", "not a valid URL: check host and port"),
    ("http://[::1/x", "not a valid URL"),
    ("rtsp://admin:pa/ss@host/x", "not a valid URL"),
    ("rtsp://admin:12/34@host/x", "an '@' after the host"),
    ("a=0 b\0", "'b\\x00' has no name"),
    ("a\x00b", "a control character"),
    ("a=/data/\udcff.mp4", "bytes that are not UTF-8"),
]

SHOWN = [
    ("rtsp://admin:hunter2@host/x", "rtsp://***@host/x"),
    ("rtsp://hunter2@host/x", "rtsp://***@host/x"),
    ("rtsp://a@b:hunter2@host:554/x", "rtsp://***@host:554/x"),
    ("rtsp://dom/a:hunter2@host/x", "rtsp://***@host/x"),
    ("rtsp://[::1]:554/Streaming/Channels/101", "rtsp://[::1]:554/Streaming/Channels/101"),
    ("rtsp://host/cam/realmonitor?channel=1", "rtsp://host/cam/realmonitor?channel=1"),
    ("rtsp://host/user=u&password=hunter2&channel=1", "rtsp://host/***"),
    ("http://host/video?hunter2&size=3", "http://host/video?***&size=3"),
    ("admin:hunter2@host:554/live", "***@host:554/live"),
    ("/data/clip.mp4", "/data/clip.mp4"),
]


@pytest.mark.parametrize(("text", "name", "source", "kind"), ACCEPTED)
def test_a_valid_camera_is_parsed(text: str, name: str, source: str, kind: SourceKind) -> None:
    assert parse_cameras(text) == (CameraAddress(name, source, kind),)


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_an_invalid_camera_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_cameras(text)
    assert message in str(caught.value)


@pytest.mark.parametrize("text", HOSTS)
def test_a_host_without_a_scheme_is_no_file(text: str) -> None:
    with pytest.raises(ValueError, match="without a scheme; write rtsp:// before it") as caught:
        parse_cameras(text)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("source", "shown"), SHOWN)
def test_secrets_are_masked(source: str, shown: str) -> None:
    address = CameraAddress("a", source, STREAM)

    assert address.shown == shown
    assert "hunter2" not in repr(address)


def test_several_cameras_keep_their_order() -> None:
    cameras = parse_cameras("front=0  yard=rtsp://u:p@h/x 'demo=/data/my clip.mp4'")

    assert [camera.name for camera in cameras] == ["front", "yard", "demo"]
    assert [camera.live for camera in cameras] == [True, True, False]
    assert [camera.shown for camera in cameras] == [
        "/dev/video0",
        "rtsp://***@h/x",
        "/data/my clip.mp4",
    ]


@given(st.text() | st.text("=/:@?&# '\"ab0.\\", max_size=30))
def test_any_text_is_parsed_or_refused_with_a_value_error(text: str) -> None:
    try:
        cameras = parse_cameras(text)
    except ValueError:
        return
    assert all(camera.name and camera.source for camera in cameras)


@given(
    scheme=st.sampled_from(["rtsp", "rtsps", "http", "https", "ftp"]),
    user=st.text("abc.-@/:", max_size=8),
    secret=st.text("xyz@:/?#&=' 1", max_size=8).map(lambda text: f"Zq{text}qZ"),
    quoted=st.booleans(),
    rest=st.sampled_from(["host/x", "host:554/x?a=b", "[::1]/x", "host:bad/", ""]),
)
def test_no_message_and_no_shown_address_contains_the_password(
    scheme: str, user: str, secret: str, quoted: bool, rest: str
) -> None:
    """With the password escaped for a URL, and without."""
    password = quote(secret, safe="") if quoted else secret
    url = f"{scheme}://{user}:{password}@{rest}"
    try:
        [camera] = parse_cameras(f'front="{url}"')
    except ValueError as exc:
        shown = str(exc)
    else:
        shown = camera.shown + repr(camera)
    assert "Zq" not in shown
    assert "qZ" not in shown


PRINTABLE = string.ascii_letters + string.digits + string.punctuation + " "


@given(st.lists(st.text(PRINTABLE, min_size=1), min_size=1, max_size=3))
def test_every_printable_character_of_a_word_survives(texts: list[str]) -> None:
    """In quotes where there is a blank; without them otherwise."""
    words = [f"cam{number}=rtsp://me:{text}@host/x" for number, text in enumerate(texts)]
    written = []
    for word in words:
        mark = next((mark for mark in "'\"" if f"{mark} " not in word), None)
        assume(mark is not None or " " not in word)
        written.append(f"{mark}{word}{mark}" if " " in word else word)

    assert split_words(" ".join(written)) == words


@given(st.text(PRINTABLE.translate(str.maketrans("", "", "/?#[]@ ")), min_size=1))
def test_every_printable_character_of_a_password_survives(password: str) -> None:
    [camera] = parse_cameras(f"gate=rtsp://admin:{password}@10.0.0.7/h264")

    assert camera.source == f"rtsp://admin:{password}@10.0.0.7/h264"
    assert camera.shown == "rtsp://***@10.0.0.7/h264"


@given(st.text(PRINTABLE, min_size=1))
def test_a_source_that_stands_alone_is_taken_as_it_is(text: str) -> None:
    assert parse_camera(f"/clips/{text}/a").source == f"/clips/{text}/a"


@pytest.mark.parametrize(
    "text",
    [
        "rtsp://admin:Zq my qZ@host/x",
        "gate=rtsp://admin:Zq b=qZ@host/x yard=0",
        "'gate=rtsp://admin:Zq' qZ@host/x'",
    ],
)
def test_a_password_with_a_blank_that_nobody_quoted_is_not_shown_in_parts(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_cameras(text)

    assert not {"Zq", "my", "qZ"} & set(re.split(r"\W", str(caught.value)))


def test_every_camera_that_is_wrong_is_named() -> None:
    with pytest.raises(ValueError, match=r"'a=ftp://host/x'.*; 'b=256'.*; the name 'c' is used"):
        parse_cameras("a=ftp://host/x b=256 c=0 c=1")
