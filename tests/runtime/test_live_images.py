"""Images of the newest frames: one for each frame and kind, made when somebody asks."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from agent.domain import Box, Detection, EncodedImage, Observation, Pixels
from agent.errors import RefusalKind, RequestRefused
from agent.record.drawing import draw_record
from agent.record.image import JpegEncoder
from agent.record.timestamp import timestamp
from agent.runtime.answers import FrameView
from agent.runtime.live_images import SIZES, NewestImages
from tests.fakes.captures import Outline, frame
from tests.fakes.clock import ManualClock
from tests.runtime.runtime_builders import MAKER

GREEN = (80, 160, 0)  # BGR
FACE = Box(100.0, 60.0, 220.0, 160.0)


class CountingEncoder(JpegEncoder):
    """The door, which counts what passes it."""

    made = 0

    def encode(self, *given: Any, **more: Any) -> EncodedImage:
        self.made += 1
        return super().encode(*given, **more)

    def drawn(
        self, observation: Observation, draw: Callable[[Pixels, EncodedImage], None]
    ) -> EncodedImage:
        self.made += 1
        return super().drawn(observation, draw)


def noise() -> Pixels:
    return np.random.default_rng(1).integers(0, 60, (240, 400, 3), np.uint8)


def observed(sequence: int = 0, *, camera: str = "gate") -> Observation:
    """A frame of noise with a face that is sure, and one that is not."""
    sure = Detection("face", 0, 0.9, FACE)
    unsure = Detection("car", 1, 0.1, Box(300.0, 150.0, 380.0, 220.0))
    return Observation(frame(camera=camera, sequence=sequence, pixels=noise()), (sure, unsure))


class Bench:
    def __init__(self, *cameras: str, redact: tuple[str, ...] = ()) -> None:
        self.clock = ManualClock()
        self.why: str | None = None
        self.frames: dict[str, tuple[Observation, float]] = {}
        self.encoder = CountingEncoder(quality=95, redact=redact)
        view = FrameView(self.encoder, MAKER)
        self.images = NewestImages(
            cameras or ("gate",),
            dict.fromkeys(SIZES, view),
            draw_record,
            newest=self.frames.get,
            why=lambda _: self.why,
            clock=self.clock,
        )

    def analysed(self, observation: Observation) -> None:
        self.frames[observation.frame.camera] = observation, self.clock.monotonic()


def decoded(jpeg: bytes) -> Pixels:
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def green(jpeg: bytes, box: Box) -> bool:
    """Whether the left side of a box is drawn."""
    side = decoded(jpeg)[int(box.y_min) + 30 : int(box.y_max) - 10, int(box.x_min)]
    return bool(np.abs(side.astype(int) - GREEN).max() < 90 and side[:, 1].mean() > 110)


def test_boxes_are_drawn_where_they_are_asked_for_and_those_below_the_threshold_are_not() -> None:
    bench = Bench()
    bench.analysed(observed())

    with_boxes = bench.images.newest("gate", boxes=True)
    plain = bench.images.newest("gate", boxes=False)

    assert green(with_boxes.jpeg, FACE)
    assert not green(with_boxes.jpeg, Box(300.0, 150.0, 380.0, 220.0))
    assert not green(plain.jpeg, FACE)
    assert with_boxes.captured_at == timestamp(observed().frame.captured_at)
    assert with_boxes.record["detections"][0]["label"] == "face"
    assert with_boxes.record["image"]["bytes"] == len(with_boxes.jpeg)


def test_drawing_leaves_the_frame_as_it_is() -> None:
    bench = Bench()
    seen = observed()
    bench.analysed(seen)
    bench.images.newest("gate", boxes=True)

    assert np.array_equal(seen.frame.pixels, noise())


def hides_the_face(jpeg: bytes) -> bool:
    """Whether the inside of the box is pixelated: neighbouring pixels there are alike."""
    inside = decoded(jpeg)[100:140, 130:200].astype(int)
    plain = noise()[100:140, 130:200].astype(int)
    return bool(np.abs(np.diff(inside, axis=1)).mean() < np.abs(np.diff(plain, axis=1)).mean() / 4)


@pytest.mark.parametrize("boxes", [False, True])
def test_what_must_not_be_seen_is_hidden_in_both_kinds(*, boxes: bool) -> None:
    bench = Bench(redact=("face",))
    bench.analysed(observed())

    assert hides_the_face(bench.images.newest("gate", boxes=boxes).jpeg)


def test_a_drawing_on_what_must_not_be_seen_is_found() -> None:
    """The check above sees a planted bug: an encoder that knows of no label to hide."""
    bench = Bench()
    bench.analysed(observed())

    assert not hides_the_face(bench.images.newest("gate", boxes=True).jpeg)


def test_no_outline_is_computed_that_nobody_looks_at() -> None:
    bench = Bench()
    seen = observed()
    masks = [Outline(), Outline()]
    detections = tuple(
        replace(each, mask=mask) for each, mask in zip(seen.detections, masks, strict=True)
    )
    bench.analysed(replace(seen, detections=detections))

    bench.images.newest("gate", boxes=False)
    assert [mask.asked for mask in masks] == [0, 0]
    image = bench.images.newest("gate", boxes=True)
    assert [mask.asked for mask in masks] == [1, 0]
    assert [len(each.get("polygon", ())) for each in image.record["detections"]] == [3, 0]


def test_nothing_is_encoded_until_somebody_asks_and_then_once_for_all() -> None:
    bench = Bench()
    for sequence in range(5):
        bench.analysed(observed(sequence))
    assert bench.images.tag("gate", boxes=True, size=640)
    assert bench.encoder.made == 0

    askers = [
        threading.Thread(target=bench.images.newest, args=("gate",), kwargs={"boxes": True})
        for _ in range(8)
    ]
    for each in askers:
        each.start()
    for each in askers:
        each.join()

    assert bench.encoder.made == 1


def test_a_new_frame_and_another_kind_are_new_images_with_new_tags() -> None:
    bench = Bench()
    bench.analysed(observed(1))
    first = bench.images.newest("gate", boxes=True)
    again = bench.images.newest("gate", boxes=True)
    plain = bench.images.newest("gate", boxes=False)
    bench.analysed(observed(2))
    later = bench.images.newest("gate", boxes=True)

    assert first.tag == again.tag
    assert len({first.tag, plain.tag, later.tag, tag_after_a_restart(2)}) == 4
    assert later.sequence == 2


def tag_after_a_restart(sequence: int) -> str:
    bench = Bench()
    bench.analysed(observed(sequence))
    return bench.images.newest("gate", boxes=True).tag


def test_a_lost_camera_shows_its_last_frame_and_why_there_is_no_newer_one() -> None:
    bench = Bench()
    bench.analysed(observed())
    bench.clock.now += 7.0
    bench.why = "the camera is lost: no route to host"
    image = bench.images.newest("gate", boxes=False)

    assert image.age_s == pytest.approx(7.0)
    assert image.error == "the camera is lost: no route to host"


@pytest.mark.parametrize(
    ("camera", "why", "kind", "message"),
    [
        (
            "gat",
            None,
            RefusalKind.UNKNOWN,
            "cannot show camera 'gat': there is no such camera; the cameras are gate, dock",
        ),
        (
            "gate",
            None,
            RefusalKind.NOT_NOW,
            "cannot show camera 'gate': no frame was analysed yet",
        ),
        (
            "gate",
            "the camera is lost: refused",
            RefusalKind.NOT_NOW,
            "cannot show camera 'gate': the camera is lost: refused",
        ),
    ],
)
def test_a_refusal_says_why(camera: str, why: str | None, kind: RefusalKind, message: str) -> None:
    bench = Bench("gate", "dock")
    bench.why = why
    for ask in (bench.images.newest, bench.images.tag):
        more: Mapping[str, Any] = {"size": 640} if ask == bench.images.tag else {}
        with pytest.raises(RequestRefused) as refused:
            ask(camera, boxes=False, **more)
        assert (refused.value.kind, str(refused.value)) == (kind, message)


def test_images_that_nobody_asks_for_any_more_are_forgotten() -> None:
    bench = Bench("gate", "dock")
    for camera in ("gate", "dock"):
        bench.analysed(observed(camera=camera))
    for size in SIZES:
        for boxes in (True, False):
            for camera in ("gate", "dock"):
                bench.images.newest(camera, boxes=boxes, size=size)

    assert len(bench.images._made) == 4
