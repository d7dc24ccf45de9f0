"""`POST /v1/frames/NAME` on a real server: what is taken, and what a hostile sender meets."""

import contextlib
import threading
from dataclasses import replace

import pytest

from agent.domain import Task
from agent.runtime.application import Application
from agent.web.limits import LIMITS
from tests.camera.push.pushed import PushedCamera, image_file, one_pill, predictions_of
from tests.fakes.api import ApiClient, Response, Serve, ServedApi
from tests.limits import LIMIT_S

BOUNDARY = "a-boundary"
FORM = {
    "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
    "X-Requested-With": "tests",
}
JPEG = {"Content-Type": "image/jpeg"}
PATH = "/v1/frames/line"


@pytest.fixture
def camera() -> PushedCamera:
    return PushedCamera()


@pytest.fixture
def served(application: Application, serve: Serve, camera: PushedCamera) -> ServedApi:
    return serve(replace(application, intake=camera.intake))


def form_of(**parts: bytes) -> bytes:
    """Return a form with these parts."""
    lines = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode()
        + data
        + b"\r\n"
        for name, data in parts.items()
    ]
    return b"".join(lines) + f"--{BOUNDARY}--\r\n".encode()


def test_an_image_is_taken_over_both_addresses(served: ServedApi, camera: PushedCamera) -> None:
    for n, client in enumerate((served.tcp, served.unix)):
        response = client.post(PATH, image_file(seed=n), JPEG)

        assert response.status == 202
        assert response.json == {"camera": "line", "accepted": True, "sequence": n}
        frame = camera.source.read()
        assert frame.jpeg == image_file(seed=n)
        assert frame.prediction is None


def test_an_image_with_predictions_is_taken(served: ServedApi, camera: PushedCamera) -> None:
    body = form_of(predictions=predictions_of(one_pill()), image=image_file())

    assert served.unix.post(PATH, body, FORM).status == 202

    frame = camera.source.read()
    assert frame.jpeg == image_file()
    assert frame.prediction is not None
    assert [each.label for each in frame.prediction.detections] == ["pill"]


def test_a_form_may_hold_an_image_alone_and_an_image_may_be_png(
    served: ServedApi, camera: PushedCamera
) -> None:
    assert served.unix.post(PATH, form_of(image=image_file()), FORM).status == 202
    png = served.unix.post(PATH, image_file(".png"), {"Content-Type": "image/png"})

    assert png.status == 202
    assert camera.source.read().jpeg is None


def test_the_time_of_a_frame_may_be_stated(served: ServedApi, camera: PushedCamera) -> None:
    stated = {**JPEG, "Captured-At": "2026-05-01T14:00:00.5+02:00"}

    served.unix.post(PATH, image_file(), stated)

    assert camera.source.read().captured_at == 1777636800.5


def test_a_time_that_is_none_is_refused(served: ServedApi) -> None:
    unusable = ("now", "2026-05-01T12:00:00", "-3s", "\xff")
    no_record_can_hold = ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00")
    for text in (*unusable, *no_record_can_hold, "9999-12-31T23:59:59.999999Z"):
        response = served.unix.post(PATH, image_file(), {**JPEG, "Captured-At": text})

        assert response.status == 400
        assert "cannot use the header Captured-At: " in response.error
        assert "is no time with its zone; write 2026-05-01T12:00:00.250Z" in response.error


def test_a_frame_that_is_not_due_is_said_to_be_none(application: Application, serve: Serve) -> None:
    camera = PushedCamera(fps=5.0)
    served = serve(replace(application, intake=camera.intake))
    served.unix.post(PATH, image_file(), JPEG)

    response = served.unix.post(PATH, image_file(), JPEG)

    assert response.status == 202
    assert response.json == {
        "camera": "line",
        "accepted": False,
        "reason": "not due: AGENT_FPS=5",
    }


OTHER_CAMERAS = (
    ("lane", "there is no such camera; cameras that take frames: line"),
    ("yard", "the agent reads this camera itself"),
    ("%2e%2e%2fline", "cannot"),
    ("l%0Ain%1be", r"cannot take a frame of camera 'l\nin\x1be'"),
    ("%ff", "cannot take a frame of camera"),
    ("line/", "cannot"),
)


def test_a_camera_that_takes_no_frames(served: ServedApi) -> None:
    for name, text in OTHER_CAMERAS:
        response = served.unix.post(f"/v1/frames/{name}", image_file(), JPEG)

        assert response.status == 404
        assert text in response.error


def test_a_daemon_without_push_cameras_says_how_to_get_one(
    application: Application, serve: Serve
) -> None:
    response = serve(application).unix.post(PATH, image_file(), JPEG)

    assert response.status == 404
    assert "write NAME=push: in AGENT_CAMERAS" in response.error


REFUSED: tuple[tuple[dict[str, str], bytes, int, str], ...] = (
    ({}, image_file(), 415, "application/json, or image/jpeg for a frame"),
    ({"Content-Type": "application/json"}, b"{}", 415, "send the Content-Type image/jpeg or image"),
    ({"Content-Type": "multipart/form-data"}, form_of(), 400, "has no boundary"),
    (FORM, b"", 400, "it is not whole"),
    (FORM, form_of(image=image_file())[:-9], 400, "it is not whole"),
    (FORM, form_of(), 400, "the part image is missing"),
    (FORM, form_of(predictions=b"{}"), 400, "the part image is missing"),
    (FORM, form_of(photo=image_file()), 400, "the part 'photo' is unknown; allowed are"),
    (FORM, form_of(image=image_file()) * 2, 202, ""),  # what follows the form is passed over
    (
        FORM,
        form_of(image=image_file())[: -len(BOUNDARY) - 6] + form_of(image=b"a"),
        400,
        "the part image is there twice",
    ),
    (FORM, form_of(image=image_file(), predictions=b"{"), 422, "they are not valid JSON"),
    (FORM, form_of(image=image_file(), predictions=b"[" * 10**5), 422, "nested too deeply"),
    (
        FORM,
        form_of(image=image_file(), predictions=predictions_of(*[one_pill()] * 5001)),
        422,
        "detections has 5001 items",
    ),
    (FORM, form_of(image=image_file(), predictions=bytes(10**6 + 1)), 413, "the part predic"),
    # The sender reads why, though it was still sending.
    (FORM, form_of(image=image_file(), predictions=bytes(4 * 10**6)), 413, "the part predic"),
    (JPEG, b"hello", 422, "it is not an image of a supported format"),
    (JPEG, b"", 422, "the file is empty"),
    (JPEG, bytes(32_000_001), 413, "has more than 32000000 bytes"),
)


def test_what_cannot_be_used_is_refused(served: ServedApi, camera: PushedCamera) -> None:
    for headers, body, status, text in REFUSED:
        response = served.unix.post(PATH, body, headers)

        assert response.status == status, (text, response.body)
        if status == 202:
            assert camera.door.take(0.0) is not None
            continue
        assert text in response.error
        assert response.error.isprintable()
        assert camera.door.take(0.0) is None
    assert served.unix.post(PATH, image_file(), JPEG).status == 202


@pytest.mark.slow  # the API's share of the processor makes 32 MB take seconds
def test_a_body_that_does_not_state_its_length_ends_at_the_limit(served: ServedApi) -> None:
    sender = served.unix.socket()
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n"
    sender.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
    sent = 0
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        while sent < 200_000_000:
            sender.sendall(b"F4240\r\n" + bytes(1_000_000) + b"\r\n")
            sent += 1_000_000
    sender.close()

    assert sent < 40_000_000
    assert served.unix.post(PATH, image_file(), JPEG).status == 202


SLOW = (
    f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n"
    "Content-Length: 100000\r\n\r\n"
).encode() + bytes(10)


def test_a_slow_sender_is_sent_away_and_others_are_served_meanwhile(
    application: Application, serve: Serve
) -> None:
    pushed = replace(application, intake=PushedCamera().intake)
    served = serve(pushed)
    with served.unix.socket() as slow:
        slow.sendall(SLOW)
        assert served.unix.post(PATH, image_file(), JPEG).status == 202
        slow.setblocking(False)
        with pytest.raises(BlockingIOError):  # it has no answer yet
            slow.recv(1000)
    served.server.close()

    served = serve(pushed, limits=replace(LIMITS, call_s=0.5))
    with served.unix.socket() as slow:
        slow.sendall(SLOW)
        assert b" 503 " in slow.recv(1000)


def test_a_sender_that_goes_away_leaves_nothing_behind(
    served: ServedApi, camera: PushedCamera
) -> None:
    sender = served.unix.socket()
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n"
    sender.sendall(f"{head}Content-Length: 100000\r\n\r\n".encode() + bytes(10))
    sender.close()

    assert served.unix.post(PATH, image_file(), JPEG).status == 202
    assert camera.source.read().jpeg == image_file()


def test_two_senders_at_once_both_get_answers_and_each_frame_is_whole(
    served: ServedApi, camera: PushedCamera
) -> None:
    images = [image_file(seed=seed) for seed in range(2)]
    responses: list[Response] = []

    def send(client: ApiClient, image: bytes) -> None:
        body = form_of(image=image, predictions=predictions_of(one_pill()))
        responses.extend(client.post(PATH, body, FORM) for _ in range(20))

    senders = [
        threading.Thread(target=send, args=(client, image))
        for client, image in zip((served.tcp, served.unix), images, strict=True)
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(LIMIT_S)

    assert [each.status for each in responses] == [202] * 40
    assert sorted(each.json["sequence"] for each in responses) == list(range(40))
    assert camera.source.read().jpeg in images
    assert camera.source.dropped == 39


def test_a_daemon_that_stops_takes_no_frames(served: ServedApi, camera: PushedCamera) -> None:
    camera.source.interrupt()

    response = served.unix.post(PATH, image_file(), JPEG)

    assert response.status == 503
    assert "the agent stops; send it again later" in response.error


def test_frames_without_predictions_are_refused_where_they_are_expected(
    application: Application, serve: Serve
) -> None:
    camera = PushedCamera(task=Task.CLASSIFY)
    served = serve(replace(application, intake=camera.intake))

    response = served.unix.post(PATH, image_file(), JPEG)

    assert response.status == 422
    assert "this camera expects predictions of the task classify" in response.error
