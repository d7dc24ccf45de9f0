"""AGENT_CAMERAS: accepted and refused values, and that secrets are masked."""

import re
import string
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agent.camera.address import CameraAddress, SourceKind, parse_camera, parse_cameras
from agent.camera.device_options import DeviceSource, parse_device
from agent.camera.program_address import ProgramSource, parse_program
from agent.quoted_words import split_words
from agent.redaction import redact, remember_secrets, secrets_of_camera

DEVICE, STREAM, PROGRAM, PUSH, FILE, FOLDER = SourceKind

BY_PATH = "/dev/v4l/by-path/pci-0000:00:14.0-usb-0:1:1.0-video-index0"

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
    ("2?size=640x480", "camera", "/dev/video2?size=640x480", DEVICE),
    (f"a={BY_PATH}?fps=7.5&format=mjpg", "a", f"{BY_PATH}?fps=7.5&format=mjpg", DEVICE),
    ("push:", "camera", "push:", PUSH),
    ("line=push:", "line", "push:", PUSH),
    ("line=PUSH:?task=obb", "line", "PUSH:?task=obb", PUSH),
    ("push:?task=classify", "camera", "push:?task=classify", PUSH),
    ("./push:", "camera", "./push:", FILE),
    ("push", "camera", "push", FILE),
    ("exec:rpicam-vid -t 0 -o -", "camera", "exec:rpicam-vid -t 0 -o -", PROGRAM),
    ("exec:env A=1 grab b=/dev/video0", "camera", "exec:env A=1 grab b=/dev/video0", PROGRAM),
    ("'line=exec:rpicam-vid -t 0 -o -'", "line", "exec:rpicam-vid -t 0 -o -", PROGRAM),
    ("line='exec:grab -t 0'", "line", "exec:grab -t 0", PROGRAM),
    (
        " line=exec:grab device=/dev/video0 ! x ",
        "line",
        "exec:grab device=/dev/video0 ! x",
        PROGRAM,
    ),
    ("line=exec:sh -c 'a | b'", "line", "exec:sh -c 'a | b'", PROGRAM),
    (
        "'line=exec:sh -c \"a | b\"?format=mjpeg'",
        "line",
        'exec:sh -c "a | b"?format=mjpeg',
        PROGRAM,
    ),
    ("exec:/opt/grab", "camera", "exec:/opt/grab", PROGRAM),
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
    ("line=push:line", "push: names no address, because the application sends the frames"),
    ("line=push://line", "write push: or push:?task=TASK, where TASK is one of detect, segment"),
    ("line=push:?task=count", "task=count is unknown; allowed are detect, segment, pose, obb"),
    ("line=push:?task=", "the option task has no value"),
    ("line=push:?", "the option '' is unknown; allowed are task"),
    ("line=push:?fps=5", "the option 'fps' is unknown; allowed are task"),
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
    ("/dev/video0?sise=1x1", "the option 'sise' is unknown; allowed are size, fps, format"),
    ("0?size=1280", "size=1280 is no size; write WIDTHxHEIGHT in pixels, such as 1280x720"),
    ("0?size=99999x2", "size=99999x2 is not possible; allowed are 1 to 16384 pixels a side"),
    ("0?size=0x2", "is not possible"),
    ("0?fps=0", "fps=0 is not allowed; write a number above 0 and up to 1000"),
    ("0?fps=1e3", "fps=1e3 is not allowed"),
    ("0?fps=5&fps=6", "the option fps is given twice"),
    ("0?fps", "the option fps has no value; write fps=..."),
    ("a=/dev/video0?format=h264", "format=h264 is unknown; allowed are MJPG, YUYV, UYVY"),
    ("exec:", "no command after exec:; write one, such as exec:rpicam-vid"),
    ("line=exec:", "no command after exec:"),
    ("exec://usr/bin/grab", "write exec: without //"),
    ("exec:a | b", "'|' needs a shell, and the command runs without one; write exec:sh -c '"),
    ("exec:a >/dev/null", "'>/' needs a shell"),
    ("exec:a 2>&1", "'2>' needs a shell"),
    ("exec:a && b", "'&&' needs a shell"),
    ("exec:a # note", "a # begins no comment here"),
    ("exec:~/grab", "~ and $ are not expanded; write the whole path of the program"),
    ("exec:A=1 grab", "write exec:env NAME=VALUE COMMAND"),
    ("exec:sh -c 'a", "a quote in the command is not closed"),
    ("exec:grab?format=yuyv", "format=yuyv is unknown; allowed are mjpeg and i420"),
    ("exec:grab?format=i420", "format=i420 needs the size of the frames: add &size=1280x720"),
    ("exec:grab?size=64x48", "size goes with format=i420"),
    ("exec:grab?format=mjpeg&size=64x48", "size goes with format=i420; JPEG images state their"),
    ("exec:grab?format=i420&size=65x48", "size=65x48 is odd; I420 has one colour for 2 x 2 pixels"),
    ("exec:grab?format=i420&size=64x48&fps=5", "the option 'fps' is unknown; allowed are format"),
    ("a=0 b=/dev/video0?fps=5", "the cameras a, b are the same device /dev/video0; two cameras of"),
    ("a=exec:x -t 0 b=exec:y", "it is not clear where the first command ends; quote each camera"),
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


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a=exec:/opt/a b=exec:/opt/b", ["a", "b"]),
        ("a=exec:/opt/a b=rtsp://h/x", ["a", "b"]),
        ("b=0 'a=exec:grab -t 0' c='exec:grab -t 1'", ["b", "a", "c"]),
    ],
)
def test_programs_stand_beside_other_cameras(text: str, names: list[str]) -> None:
    assert [camera.name for camera in parse_cameras(text)] == names


@pytest.mark.parametrize(
    ("source", "words", "size"),
    [
        ("exec:grab -o -", ("grab", "-o", "-"), None),
        ("exec:grab 'a b' c\\ d", ("grab", "a b", "c d"), None),
        ("exec:grab?format=mjpeg", ("grab",), None),
        ("exec:grab -?format=I420&size=64x48", ("grab", "-"), (64, 48)),
        ("exec:grab -?size=64X48&format=i420", ("grab", "-"), (64, 48)),
        ("exec:sh -c 'a'?format=i420&size=64x48", ("sh", "-c", "a"), (64, 48)),
        ("exec:curl http://h/x?format=mjpeg&a=b", ("curl", "http://h/x?format=mjpeg&a=b"), None),
        ("exec:curl http://h/x?size=64x48", ("curl", "http://h/x?size=64x48"), None),
        ("exec:curl http://h/x?a=b?format=i420&size=64x48", ("curl", "http://h/x?a=b"), (64, 48)),
        ("exec:curl http://h/x?format=mjpeg", ("curl", "http://h/x?format=mjpeg"), None),
        ("exec:ls /x?a=b", ("ls", "/x?a=b"), None),
        ("exec:sh -c 'a ! b | c'", ("sh", "-c", "a ! b | c"), None),
    ],
)
def test_a_command_is_split_and_its_options_are_taken_from_its_end(
    source: str, words: tuple[str, ...], size: tuple[int, int] | None
) -> None:
    assert parse_program(source) == ProgramSource(words, size)


def test_what_is_asked_of_a_driver_is_read() -> None:
    asked = parse_device("/dev/video0?size=1280x720&fps=7.5&format=mjpeg")

    assert asked == DeviceSource("/dev/video0", (1280, 720), 7.5, "MJPG")
    assert parse_device("/dev/video0") == DeviceSource("/dev/video0")


@pytest.mark.parametrize(
    "source",
    [
        "exec:ffmpeg -i rtsp://me:hunter2@h/live -f mjpeg -",
        "exec:gst-launch-1.0 rtspsrc location=rtsp://h/x user-pw=hunter2 ! fakesink",
        "exec:grab --password hunter2 -o -",
        "exec:grab --api-key=hunter2 -o -",
        "exec:sh -c 'TOKEN=hunter2 grab'",
    ],
)
def test_secrets_of_a_command_are_masked_wherever_they_stand(source: str) -> None:
    [camera] = parse_cameras(source)
    remember_secrets(secrets_of_camera(source))
    try:
        assert "hunter2" not in camera.shown + repr(camera)
        assert "hunter2" not in redact("cannot log in with hunter2")
        assert camera.shown.startswith("exec:")
    finally:
        remember_secrets([])


@given(
    st.text()
    | st.text("=/:@?&# '\"ab0.\\", max_size=30)
    | st.text("=?& 'ab|", max_size=20).map("exec:{}".format)
)
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
