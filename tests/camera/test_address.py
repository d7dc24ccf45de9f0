"""AGENT_CAMERAS: accepted and refused values, and that secrets are masked."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.camera.address import CameraAddress, SourceKind, parse_cameras, without_secrets

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
    (r"/data/my\ clip.mp4", "camera", "/data/my clip.mp4", FILE),
    ("cam:1.mp4", "camera", "cam:1.mp4", FILE),
    ("./0", "camera", "./0", FILE),
    ("frames/", "camera", "frames/", FOLDER),
]

REFUSED = [
    ("", "no camera; give name=source"),
    ("   ", "no camera; give name=source"),
    ("a='/data", "a quote or a backslash is not closed"),
    ("front=", "'front=': no source after the name"),
    ("=0", "'' is not a camera name"),
    ("cam.1=rtsp://host/x", "'cam.1' is not a camera name; allowed are 1 to 64 of"),
    ("a.b=c.mp4", "write name=path or ./path"),
    ("'my cam=0'", "'my cam' is not a camera name"),
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
    ("rtsp://admin:hunter2@host/x", "rtsp://admin:***@host/x"),
    ("rtsp://admin@host/x", "rtsp://admin@host/x"),
    ("rtsp://:hunter2@host/x", "rtsp://:***@host/x"),
    ("rtsp://a@b:hunter2@host/x", "rtsp://a@b:***@host/x"),
    ("rtsp://dom/a:hunter2@host/x", "rtsp://dom/a:***@host/x"),
    ("rtsp://host:554/x?channel=1", "rtsp://host:554/x?channel=1"),
    ("http://host/v?user=u&pwd=hunter2&size=3", "http://host/v?user=u&pwd=***&size=3"),
    ("http://host/v?Token=hunter2", "http://host/v?Token=***"),
    ("http://host/v?api_key=hunter2#x", "http://host/v?api_key=***#x"),
    ("http://host/v?p%61ss=hunter2", "http://host/v?p%61ss=***"),
    ("rtsp://host/user=u&password=hunter2&channel=1", "rtsp://host/user=u&password=***&channel=1"),
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


@pytest.mark.parametrize(("source", "shown"), SHOWN)
def test_secrets_are_masked(source: str, shown: str) -> None:
    assert without_secrets(source) == shown
    assert "hunter2" not in repr(CameraAddress("a", source, STREAM))


def test_several_cameras_keep_their_order() -> None:
    cameras = parse_cameras("front=0  yard=rtsp://u:p@h/x 'demo=/data/my clip.mp4'")

    assert [camera.name for camera in cameras] == ["front", "yard", "demo"]
    assert [camera.live for camera in cameras] == [True, True, False]
    assert [camera.shown for camera in cameras] == [
        "/dev/video0",
        "rtsp://u:***@h/x",
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
