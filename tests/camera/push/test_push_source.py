"""The camera whose frames an application sends: order, times, drops, silence and damage."""

import threading

import numpy as np
import pytest

from agent.domain import EncodedBy, Observation
from agent.errors import CameraLost, RefusalKind, RequestRefused
from agent.record.image import JpegEncoder
from tests.camera.push.pushed import (
    PushedCamera,
    image_file,
    noisy_pixels,
    one_pill,
    predictions_of,
)


def test_a_pushed_image_is_a_frame_with_its_own_bytes() -> None:
    camera, image = PushedCamera(), image_file()

    outcome = camera.intake.put("line", image)
    frame = camera.source.read()

    assert outcome == {"camera": "line", "accepted": True, "sequence": 0}
    assert (frame.camera, frame.sequence, frame.stream) == ("line", 0, "boot")
    assert frame.jpeg == image
    assert frame.pixels.shape == (48, 64, 3)
    assert frame.prediction is None
    assert (frame.at, frame.captured_at) == (camera.clock.now, camera.clock.wall())


def test_a_capture_stores_exactly_the_pushed_bytes() -> None:
    camera, image = PushedCamera(), image_file()
    camera.intake.put("line", image, predictions_of(one_pill()))
    frame = camera.source.read()
    assert frame.prediction is not None

    stored = JpegEncoder(quality=50).encode(Observation(frame, frame.prediction.detections))

    assert stored.data == image
    assert stored.encoded_by is EncodedBy.CAMERA


def test_a_png_is_taken_and_has_no_jpeg_of_its_own() -> None:
    camera = PushedCamera()
    camera.intake.put("line", image_file(".png"))

    frame = camera.source.read()

    assert frame.jpeg is None
    assert np.array_equal(frame.pixels, noisy_pixels())


def test_the_time_of_the_frame_is_the_one_that_the_application_states() -> None:
    camera = PushedCamera()
    camera.intake.put("line", image_file(), captured_at=1_700_000_000.25)

    frame = camera.source.read()

    assert frame.captured_at == 1_700_000_000.25
    assert frame.at == camera.clock.now


def test_the_newest_frame_wins_and_the_others_are_counted() -> None:
    camera = PushedCamera()
    for seed in range(5):
        camera.intake.put("line", image_file(seed=seed))

    frame = camera.source.read()

    assert frame.sequence == 4
    assert frame.jpeg == image_file(seed=4)
    assert camera.source.dropped == 4


def test_frames_that_are_not_due_are_refused_with_the_reason_and_not_dropped() -> None:
    camera = PushedCamera(fps=5.0)
    accepted = []
    for n in range(60):  # 30 a second
        outcome = camera.intake.put("line", image_file(seed=n))
        accepted.append(outcome["accepted"])
        if not outcome["accepted"]:
            assert outcome == {
                "camera": "line",
                "accepted": False,
                "reason": "not due: AGENT_FPS=5",
            }
        else:
            camera.source.read()
        camera.clock.now += 1 / 30

    assert sum(accepted) in (10, 11)  # a frame may come a quarter of a slot early
    assert camera.source.dropped == 0


def test_a_camera_without_frames_is_lost_and_says_so_again_only_after_another_stall() -> None:
    camera = PushedCamera(stall=20.0, step=0.25)
    started = camera.clock.now

    with pytest.raises(CameraLost, match="no frame was pushed to camera line for 20 s: see"):
        camera.source.read()
    assert camera.clock.now - started < 22.0
    with pytest.raises(CameraLost, match="for 40 s: see"):
        camera.source.read()
    camera.intake.put("line", image_file())

    assert camera.source.read().sequence == 0


def test_frames_that_are_not_due_keep_a_camera_alive() -> None:
    camera = PushedCamera(fps=0.01, stall=20.0, step=0.25)
    camera.intake.put("line", image_file())
    camera.source.read()
    camera.clock.now += 19.0
    assert not camera.intake.put("line", image_file())["accepted"]
    arrived = camera.clock.now

    with pytest.raises(CameraLost, match="for 20 s"):
        camera.source.read()

    assert camera.clock.now - arrived > 19.0


def test_a_camera_that_gets_the_same_image_again_and_again_is_not_lost() -> None:
    camera = PushedCamera(stall=20.0)
    image = image_file()

    for _ in range(30):
        camera.intake.put("line", image)
        camera.source.read()
        camera.clock.now += 10.0


def test_damaged_images_are_counted_and_lose_the_camera_after_the_stall() -> None:
    camera = PushedCamera(stall=20.0)
    whole = image_file(width=640, height=480)
    damaged = whole[:300] + bytes(200) + b"\xff\xd9"
    camera.intake.put("line", whole)
    camera.source.read()

    camera.clock.now += 21.0
    camera.intake.put("line", damaged)
    with pytest.raises(CameraLost, match="no intact frame was pushed to camera line for 21 s: "):
        camera.source.read()

    assert camera.source.unreadable == 1


def test_a_wait_ends_with_the_stop_and_later_frames_are_refused() -> None:
    camera = PushedCamera(longest_wait=20.0)
    met: list[str] = []

    def read() -> None:
        with pytest.raises(CameraLost) as lost:
            camera.source.read()
        met.append(str(lost.value))

    reading = threading.Thread(target=read)
    reading.start()
    camera.source.interrupt()
    reading.join(60)

    assert met == ["cannot read camera line: it was stopped"]
    with pytest.raises(RequestRefused, match="the agent stops; send it again later") as refused:
        camera.intake.put("line", image_file())
    assert refused.value.kind is RefusalKind.NOT_NOW


def test_a_put_never_waits_for_the_camera() -> None:
    camera = PushedCamera()

    for seed in range(100):  # nobody reads
        assert camera.intake.put("line", image_file(seed=seed))["accepted"]

    assert camera.source.dropped == 99
