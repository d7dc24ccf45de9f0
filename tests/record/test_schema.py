"""The capture record: every field of the contract, in its unit."""

import hashlib
import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain import (
    Box,
    Capture,
    Clip,
    ClipFrame,
    Detection,
    EncodedBy,
    EncodedImage,
    Frame,
    HiddenPart,
    Keypoint,
    Lane,
    ModelInfo,
    Observation,
    Polygon,
    RuleHit,
    Sampling,
    Suspect,
    Task,
    Thresholds,
)
from agent.record.schema import RecordMaker
from agent.record.timestamp import timestamp
from tests.fakes.captures import detection, frame

ID = "01970f7e-4c00-7abc-8def-0123456789ab"
MODEL = ModelInfo("nano", "ab" * 32, Task.DETECT, "CPUExecutionProvider", ("car", "bus"))
MAKER = RecordMaker("gate-7", "boot-1", MODEL, Thresholds(0.5, {"bus": 0.4}, 0.05), "1.2.3")
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def frame_of_size(width: int, height: int) -> Frame:
    pixels = np.zeros((height, width, 3), np.uint8)
    made = frame(12.5, camera="yard", sequence=9, pixels=pixels)
    return replace(made, captured_at=1_784_512_000.1239, source_frame=40)


def made_record(
    seen: Frame,
    *detections: Detection,
    image: EncodedImage | None = None,
    sampling: Sampling | None = None,
    lane: Lane = Lane.SCORE,
    suspects: tuple[Suspect, ...] = (),
    value: float = 0.654321,
    model: ModelInfo | None = None,
    feedback: str | None = None,
) -> dict[str, Any]:
    height, width = seen.pixels.shape[:2]
    capture = Capture(
        Observation(seen, detections, model=model),
        lane,
        (RuleHit("low_confidence", 0.123456),),
        value,
        sampling,
        suspects=suspects,
        feedback=feedback,
    )
    image = image or EncodedImage(b"jpeg", width, height)
    return MAKER.make(ID, capture, image, clock_synchronized=True)


def test_the_record_holds_every_field_of_the_contract() -> None:
    box = Box(10.0, 20.0, 30.0, 40.0)
    sampling = Sampling(1_784_511_900.0, 900.0, 900.0)

    record = made_record(
        frame_of_size(64, 48),
        Detection("car", 0, 0.43219, box),
        sampling=sampling,
        lane=Lane.RANDOM,
        suspects=(
            Suspect("flicker", 0.123456, "car", box, 7, "crosses the threshold on one side"),
            Suspect("count_change", 0.1, track=2, prior=0.234567),
        ),
        value=12.345678,
        feedback="cd" * 32,
    )

    assert record == {
        "schema": 2,
        "id": ID,
        "device": "gate-7",
        "camera": "yard",
        "captured_at": "2026-07-20T01:46:40.123Z",
        "clock_synchronized": True,
        "boot_id": "boot-1",
        "monotonic_ns": 12_500_000_000,
        "source_frame": 40,
        "image": {
            "width": 64,
            "height": 48,
            "media_type": "image/jpeg",
            "bytes": 4,
            "sha256": hashlib.sha256(b"jpeg").hexdigest(),
            "encoded_by": "agent",
        },
        "model": {
            "name": "nano",
            "sha256": "ab" * 32,
            "task": "detect",
            "provider": "CPUExecutionProvider",
            "labels": ["car", "bus"],
        },
        "thresholds": {"default": 0.5, "labels": {"bus": 0.4}, "floor": 0.05},
        "detections": [
            {"label": "car", "class_id": 0, "confidence": 0.4322, "box": [10.0, 20.0, 30.0, 40.0]}
        ],
        "lane": "random",
        "rules": [{"name": "low_confidence", "score": 0.1235}],
        "suspects": [
            {
                "rule": "flicker",
                "label": "car",
                "track": 7,
                "box": [10.0, 20.0, 30.0, 40.0],
                "p": 0.1235,
            },
            {
                "rule": "count_change",
                "label": "",
                "track": 2,
                "box": None,
                "p": 0.1,
                "prior": 0.2346,
            },
        ],
        "value": 12.3457,
        "feedback": "cd" * 32,
        "masks": [],
        "clip": None,
        "sampling": {
            "slot_start": "2026-07-20T01:45:00.000Z",
            "slot_seconds": 900.0,
            "weight": 900.0,
        },
        "note": None,
        "verdicts": [],
        "agent": {"name": "edge-capture-agent", "version": "1.2.3"},
    }
    assert json.loads(json.dumps(record)) == record


@pytest.mark.parametrize(
    ("task", "labels", "is_stated"),
    [
        (Task.DETECT, ("car", "bus"), True),
        (Task.CLASSIFY, ("car", "bus"), False),
        (Task.DETECT, ("x" * 100,) * 1000, False),
    ],
)
def test_the_labels_of_a_detector_are_stated_unless_they_are_very_many(
    task: Task, labels: tuple[str, ...], *, is_stated: bool
) -> None:
    record = made_record(frame(1.0), model=replace(MODEL, task=task, labels=labels))

    assert ("labels" in record["model"]) is is_stated


def test_a_negative_has_an_empty_list_and_a_live_frame_no_index() -> None:
    record = made_record(frame(1.0))

    assert (record["detections"], record["source_frame"], record["sampling"]) == ([], None, None)


@pytest.mark.parametrize("lane", list(Lane))
def test_each_lane_is_written_as_its_word(lane: Lane) -> None:
    assert made_record(frame(1.0), lane=lane)["lane"] == lane.value


@pytest.mark.parametrize(
    ("seen", "stored", "box", "expected"),
    [
        ((64, 48), (64, 48), (1.0, 2.0, 3.0, 4.0), [1.0, 2.0, 3.0, 4.0]),
        ((64, 48), (32, 24), (10.0, 20.0, 30.0, 40.0), [5.0, 10.0, 15.0, 20.0]),
        ((64, 48), (64, 48), (-3.0, -0.1, 70.0, 49.0), [0.0, 0.0, 64.0, 48.0]),
        # Rounding to whole pixels makes the two scales differ.
        ((1280, 721), (640, 360), (0.0, 0.0, 1280.0, 721.0), [0.0, 0.0, 640.0, 360.0]),
        ((1, 4000), (1, 100), (0.0, 2000.0, 1.0, 4000.0), [0.0, 50.0, 1.0, 100.0]),
    ],
)
def test_boxes_are_in_pixels_of_the_stored_image(
    seen: tuple[int, int],
    stored: tuple[int, int],
    box: tuple[float, float, float, float],
    expected: list[float],
) -> None:
    image = EncodedImage(b"", *stored)
    found = Detection("car", 0, 0.5, Box(*box))

    suspect = Suspect("low_confidence", 0.2, "car", Box(*box))

    record = made_record(frame_of_size(*seen), found, image=image, suspects=(suspect,))

    assert record["detections"][0]["box"] == expected
    assert record["suspects"][0]["box"] == expected


SIDES = st.integers(1, 60)
EDGES = st.floats(-1e4, 1e4)


@given(SIDES, SIDES, SIDES, SIDES, st.tuples(EDGES, EDGES, EDGES, EDGES))
def test_a_box_is_always_inside_the_stored_image(
    width: int,
    height: int,
    stored_width: int,
    stored_height: int,
    edges: tuple[float, float, float, float],
) -> None:
    image = EncodedImage(b"", stored_width, stored_height)

    record = made_record(
        frame_of_size(width, height), Detection("x", 0, 1.0, Box(*edges)), image=image
    )
    x_min, y_min, x_max, y_max = record["detections"][0]["box"]

    assert 0 <= x_min <= stored_width
    assert 0 <= x_max <= stored_width
    assert 0 <= y_min <= stored_height
    assert 0 <= y_max <= stored_height


def test_the_order_of_the_detections_stays() -> None:
    record = made_record(frame(1.0), detection(0.9), detection(0.5, "bus"), detection(0.1))

    assert [each["confidence"] for each in record["detections"]] == [0.9, 0.5, 0.1]


@pytest.mark.parametrize(
    ("wall", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (12.3456, "1970-01-01T00:00:12.345Z"),
        (-900.0, "1969-12-31T23:45:00.000Z"),  # a slot that began before a clock of 1970
        (951_782_400.0, "2000-02-29T00:00:00.000Z"),
        (253_402_300_799.0, "9999-12-31T23:59:59.000Z"),
    ],
)
def test_a_time_is_written_as_rfc_3339_with_milliseconds(wall: float, text: str) -> None:
    assert timestamp(wall) == text


@given(st.floats(-1e6, 2.5e11))
def test_every_time_has_the_same_form(wall: float) -> None:
    assert RFC_3339.fullmatch(timestamp(wall))


class Triangle:
    """A mask of three corners."""

    def polygon(self) -> Polygon:
        return ((0.0, 0.0), (40.0, 0.0), (70.0, 48.0))


def test_the_form_of_an_object_is_scaled_and_clipped_like_its_box() -> None:
    seen = frame_of_size(64, 48)
    form = Detection(
        "car",
        0,
        0.9,
        Box(0.0, 0.0, 64.0, 48.0),
        mask=Triangle(),
        keypoints=(Keypoint(10.0, 20.0, 0.123456), Keypoint(99.0, 20.0, 1.0)),
        corners=((-4.0, 0.0), (20.0, 10.0), (10.0, 20.0), (0.0, 10.0)),
    )
    image = EncodedImage(b"jpeg", 32, 24)

    (stored,) = made_record(seen, form, image=image)["detections"]

    assert stored["polygon"] == [[0.0, 0.0], [20.0, 0.0], [32.0, 24.0]]
    assert stored["keypoints"] == [[5.0, 10.0, 0.1235], [32.0, 10.0, 1.0]]
    assert stored["corners"] == [[-2.0, 0.0], [10.0, 5.0], [5.0, 10.0], [0.0, 5.0]]


def test_the_record_says_what_is_hidden_and_who_encoded_the_image() -> None:
    parts = (
        HiddenPart(polygon=((0.0, 0.0), (64.0, 0.0), (64.0, 10.0))),
        HiddenPart(box=Box(10.0, 20.0, 30.0, 40.0), label="face"),
    )
    image = EncodedImage(b"jpeg", 32, 24, encoded_by=EncodedBy.CAMERA, hidden=parts)

    record = made_record(frame_of_size(64, 48), image=image)

    assert record["image"]["encoded_by"] == "camera"
    assert record["masks"] == [
        {"polygon": [[0.0, 0.0], [32.0, 0.0], [32.0, 5.0]]},
        {"label": "face", "box": [5.0, 10.0, 15.0, 20.0]},
    ]


def test_the_record_of_a_pose_model_says_how_many_keypoints_each_object_has() -> None:
    """Frames without objects have it too."""
    pose = replace(MODEL, task=Task.POSE, keypoint_count=17)

    assert made_record(frame_of_size(64, 48), model=pose)["model"]["keypoints"] == 17
    assert "keypoints" not in made_record(frame_of_size(64, 48))["model"]


def test_the_record_describes_the_clip_by_the_moment_of_the_capture() -> None:
    images = (b"one", b"four4", b"seven")
    frames = tuple(
        ClipFrame(at, data, 640, 360)
        for at, data in zip((97.4, 100.0, 101.25), images, strict=True)
    )
    seen = Observation(frame(100.0), ())
    made = MAKER.make(
        "id",
        Capture(seen, Lane.SCORE, (), 0.5, clip=Clip(frames, dropped=2)),
        EncodedImage(b"image", 4, 6),
        clock_synchronized=True,
    )

    assert made["clip"] == {
        "media_type": "image/jpeg",
        "width": 640,
        "height": 360,
        "lead": 2.6,
        "tail": 1.25,
        "dropped": 2,
        "bytes": 13,
        "sha256": hashlib.sha256(b"onefour4seven").hexdigest(),
        "frames": [
            {"at": -2.6, "bytes": 3},
            {"at": 0.0, "bytes": 5},
            {"at": 1.25, "bytes": 5},
        ],
    }
