"""Masks, keypoints and rotated corners, from a graph with known outputs to pixels of the frame."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from agent.detector import masks
from agent.detector.detector import load_detector
from agent.detector.formats.contract import ImageMasks, PrototypeMasks
from agent.detector.letterbox import Letterbox, Padding, Size
from agent.detector.masks import PrototypeMask, masks_of
from agent.detector.model_file.input_spec import InputSpec
from agent.detector.outline import MOST_POINTS, Grid, outline
from agent.domain import (
    Box,
    Capture,
    Detection,
    EncodedImage,
    FloatArray,
    Lane,
    Observation,
    Polygon,
    Task,
    Thresholds,
)
from agent.record.schema import RecordMaker
from tests.detector.planted_families import (
    FAMILIES,
    LABELS,
    PROTOTYPES,
    SIDES,
    UNITS,
    Outputs,
    Planted,
    constant_output_model,
    family_model,
)
from tests.fakes.captures import frame
from tests.search import examples

OBJECTS = [Planted((20, 30, 60, 70), 1, 0.75), Planted((70, 24, 90, 80), 0, 0.5)]
FRAMES = [(96, 160), (480, 800), (300, 480), (97, 161)]
BLACK = np.zeros((*SIDES, 3), np.uint8)


def around(polygon: Polygon) -> Box:
    across, down = zip(*polygon, strict=True)
    return Box(min(across), min(down), max(across), max(down))


@pytest.mark.parametrize("shape", FRAMES)
@pytest.mark.parametrize(
    "title",
    [
        each
        for each, family in FAMILIES.items()
        if "segment" in family.name or "masks" in family.name
    ],
)
def test_a_mask_becomes_a_polygon_in_pixels_of_the_frame(
    title: str, shape: tuple[int, int], tmp_path: Path
) -> None:
    """The planted masks are the left halves of the boxes."""
    family = FAMILIES[title]
    path = family_model(tmp_path / "model.onnx", family, OBJECTS)
    detector = load_detector(path, model_format=family.name, labels=LABELS)

    found = detector.detect(np.zeros((*shape, 3), np.uint8))

    assert detector.info.task is Task.SEGMENT
    assert (len(found.detections), found.invalid) == (2, False)
    step = max(shape[0] / SIDES[0], shape[1] / SIDES[1])  # pixels of the frame
    for each in found.detections:
        assert each.mask is not None
        polygon = each.mask.polygon()
        inside = around(polygon)
        half = (each.box.x_min + each.box.x_max) / 2
        assert 4 <= len(polygon) < 12
        assert inside.x_min == pytest.approx(each.box.x_min, abs=step)
        assert inside.x_max == pytest.approx(half, abs=2 * step)
        assert inside.y_min == pytest.approx(each.box.y_min, abs=step)
        assert inside.y_max == pytest.approx(each.box.y_max, abs=step)
        area = cv2.contourArea(np.array(polygon, np.float32))
        assert area == pytest.approx(
            (half - each.box.x_min) * (each.box.y_max - each.box.y_min), rel=0.1
        )


@pytest.mark.parametrize("shape", FRAMES)
@pytest.mark.parametrize(
    "title",
    [
        each
        for each, family in FAMILIES.items()
        if "pose" in family.name or "keypoints" in family.name
    ],
)
def test_keypoints_are_in_pixels_of_the_frame(
    title: str, shape: tuple[int, int], tmp_path: Path
) -> None:
    """The planted keypoints are the corners of the boxes."""
    family = FAMILIES[title]
    path = family_model(tmp_path / "model.onnx", family, OBJECTS)
    detector = load_detector(path, model_format=family.name, labels=LABELS)

    found = detector.detect(np.zeros((*shape, 3), np.uint8))

    assert (detector.info.task, detector.info.keypoint_count) == (Task.POSE, 4)
    assert (len(found.detections), found.invalid) == (2, False)
    sure = (1.0,) * 4 if "without visibility" in title else (0.9, 0.8, 0.7, 0.6)
    for each in found.detections:
        box = each.box
        expected = [
            (box.x_min, box.y_min),
            (box.x_max, box.y_min),
            (box.x_max, box.y_max),
            (box.x_min, box.y_max),
        ]
        np.testing.assert_allclose([(at.x, at.y) for at in each.keypoints], expected, atol=0.01)
        assert [at.confidence for at in each.keypoints] == pytest.approx(sure, abs=1e-3)


def rotated(title: str, box: tuple[float, ...], angle: float) -> Outputs:
    """Return the outputs of a model of rotated boxes with one box: centre, sides, angle."""
    outputs = FAMILIES[title].plant([Planted((0, 0, 1, 1), 1, 0.75)])
    table = outputs["output0"][0] if "after" in title else outputs["output0"][0].T
    table[0, :4], table[0, -1] = box, angle
    return outputs


@pytest.mark.parametrize("title", ["obb", "obb after NMS"])
def test_the_angle_turns_clockwise_from_the_x_axis(title: str, tmp_path: Path) -> None:
    """At 30 degrees the right end of a long box is the lower one, because y points down."""
    outputs = rotated(title, (80, 48, 60, 20), np.pi / 6)
    path = constant_output_model(tmp_path / "model.onnx", outputs)

    found = load_detector(path, model_format=FAMILIES[title].name, labels=LABELS).detect(BLACK)

    (each,) = found.detections
    cosine, sine = np.cos(np.pi / 6), 0.5
    expected = [
        (80 - 30 * cosine + 10 * sine, 48 - 30 * sine - 10 * cosine),  # top left before the turn
        (80 + 30 * cosine + 10 * sine, 48 + 30 * sine - 10 * cosine),
        (80 + 30 * cosine - 10 * sine, 48 + 30 * sine + 10 * cosine),
        (80 - 30 * cosine - 10 * sine, 48 - 30 * sine + 10 * cosine),
    ]
    np.testing.assert_allclose(each.corners, expected, atol=1e-3)
    box = around(each.corners)
    np.testing.assert_allclose(
        [each.box.x_min, each.box.y_min, each.box.x_max, each.box.y_max],
        [box.x_min, box.y_min, box.x_max, box.y_max],
        atol=1e-3,
    )


def test_corners_may_be_outside_of_the_frame_but_the_box_is_not(tmp_path: Path) -> None:
    path = constant_output_model(tmp_path / "model.onnx", rotated("obb", (5, 48, 60, 20), 0.5))

    (each,) = load_detector(path, labels=LABELS).detect(BLACK).detections

    assert min(x for x, _ in each.corners) < 0
    assert each.box.x_min == 0


def test_a_rotated_box_that_overflows_in_the_frame_is_left_out(tmp_path: Path) -> None:
    """Its upright box is the frame; a record with infinite corners could not be written."""
    path = constant_output_model(tmp_path / "model.onnx", rotated("obb", (80, 48, 3e38, 20), 0))
    detector = load_detector(path, labels=LABELS)

    found = detector.detect(np.zeros((4 * SIDES[0], 4 * SIDES[1], 3), np.uint8))

    assert (found.detections, found.invalid) == ((), True)


def test_nothing_of_a_mask_is_computed_before_its_polygon_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most masks are never asked for: those of frames that are not captured."""
    path = family_model(tmp_path / "model.onnx", FAMILIES["segment"], OBJECTS)
    detector = load_detector(path, labels=LABELS)
    outlined: list[Box] = []

    def counted(values: FloatArray, grid: Grid, box: Box) -> Polygon:
        outlined.append(box)
        return outline(values, grid, box)

    monkeypatch.setattr(masks, "outline", counted)

    first = next(detector.detect(BLACK) for _ in range(5)).detections[0]
    same = replace(first)
    assert (same == first, repr(first), hash(first)) == (True, repr(same), hash(same))
    assert outlined == []

    assert first.mask is not None
    assert first.mask.polygon() == first.mask.polygon()
    assert len(outlined) == 1


def test_a_mask_keeps_no_more_than_the_part_of_the_prototypes_around_the_objects(
    tmp_path: Path,
) -> None:
    """Frames are kept for a while before it is known whether they are captured."""
    path = family_model(tmp_path / "model.onnx", FAMILIES["segment"], OBJECTS[:1])

    (found,) = load_detector(path, labels=LABELS).detect(BLACK).detections

    assert isinstance(found.mask, PrototypeMask)
    memory = found.mask._prototypes
    while memory.base is not None:
        memory = memory.base
    assert memory.nbytes <= 2 * PROTOTYPES * 15 * 16


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize(
    ("title", "output", "place"),
    [
        ("segment", "output0", (0, -1, 0)),
        ("segment", "output1", (0, 3, 12, 10)),
        ("segment after NMS", "output0", (0, 0, -1)),
        ("segment after NMS", "output1", (0, 3, 12, 10)),
        ("segment v5", "output0", (0, 0, -1)),
        ("mask R-CNN", "masks", (0, 0, 40, 30)),
        ("mask R-CNN, masks over boxes", "masks", (0, 0, 3, 3)),
        ("pose", "output0", (0, -1, 0)),
        ("pose", "output0", (0, -2, 0)),
        ("pose after NMS", "output0", (0, 0, -3)),
        ("keypoint R-CNN", "keypoints", (0, 2, 1)),
        ("obb", "output0", (0, -1, 0)),
        ("obb after NMS", "output0", (0, 0, -1)),
    ],
)
def test_invalid_parts_make_the_prediction_invalid(
    title: str, output: str, place: tuple[int, ...], bad: float, tmp_path: Path
) -> None:
    """The object without valid parts is left out; the other stays, unless both need the number."""
    family = FAMILIES[title]
    outputs = family.plant(OBJECTS)
    outputs[output][place] = bad
    path = constant_output_model(tmp_path / "model.onnx", outputs, metadata=family.metadata)

    found = load_detector(path, model_format=family.name, labels=LABELS).detect(BLACK)

    assert (found.invalid, found.failure) == (True, "")
    assert [each.label for each in found.detections] == ([] if output == "output1" else ["ant"])


def test_a_mask_without_any_pixel_has_no_polygon(tmp_path: Path) -> None:
    outputs = FAMILIES["segment"].plant(OBJECTS)
    outputs["output1"][:] *= -1

    path = constant_output_model(tmp_path / "model.onnx", outputs)
    found = load_detector(path, labels=LABELS).detect(BLACK)

    outputs["output1"][:] = 0
    path = constant_output_model(tmp_path / "model.onnx", outputs)
    empty = load_detector(path, labels=LABELS).detect(BLACK)

    assert [bool(each.mask and each.mask.polygon()) for each in found.detections] == [True, True]
    assert [each.mask and each.mask.polygon() for each in empty.detections] == [(), ()]


@settings(
    max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.filter_too_much]
)
@given(
    shape=st.tuples(st.integers(1, 5000), st.integers(1, 5000)),
    padding=st.sampled_from(Padding),
    shares=st.tuples(*[st.floats(0, 1)] * 4),
    scale=st.sampled_from([0.01, 1.0, 1e4]),
    seed=st.integers(0, 1000),
    over_box=st.booleans(),
)
def test_a_polygon_is_inside_of_its_box_and_has_few_corners(
    shape: tuple[int, int],
    padding: Padding,
    shares: tuple[float, ...],
    scale: float,
    seed: int,
    over_box: bool,
) -> None:
    """For any frame, box and mask, also of noise."""
    random = np.random.default_rng(seed)
    letterbox = Letterbox.fit(Size(*shape), Size(160, 96), padding=padding)
    across, down = sorted(shares[:2]), sorted(shares[2:])
    corners = np.array([[across[0] * 160, down[0] * 96, across[1] * 160, down[1] * 96]], np.float32)
    (sides,) = letterbox.to_frame(corners).tolist()
    assume(sides[2] - sides[0] > 0.01 and sides[3] - sides[1] > 0.01)
    prototypes = (random.normal(0, 1, (4, 24, 40)) * scale).astype(np.float32)
    coefficients = random.normal(0, 1, (1, 4)).astype(np.float32)
    images = random.uniform(0, 1, (1, 24, 40)).astype(np.float32)
    sources = (
        PrototypeMasks(coefficients, prototypes),
        ImageMasks(images, np.array([0]), over_box=over_box),
    )

    for source in sources:
        (mask,) = masks_of(source, [Box(*sides)], corners, letterbox)

        assert mask is not None
        polygon = mask.polygon()
        assert len(polygon) == 0 or 3 <= len(polygon) <= MOST_POINTS
        for x, y in polygon:
            assert sides[0] <= x <= sides[2]
            assert sides[1] <= y <= sides[3]


@settings(max_examples=examples(60), deadline=None)
@given(
    width=st.integers(200, 2000),
    stretch=st.floats(0.9, 1.1),
    centre=st.tuples(st.floats(60, 100), st.floats(44, 52)),
    radius=st.floats(12, 30),
)
def test_the_polygon_of_a_disc_is_that_disc(
    width: int, stretch: float, centre: tuple[float, float], radius: float
) -> None:
    """A mask that the prototypes describe exactly: its area, and where it is."""
    shape = Size(width, round(width * 96 / 160 * stretch))  # the whole disc is in each frame
    letterbox = Letterbox.fit(shape, Size(160, 96), padding=Padding.CENTRED)
    x, y = (np.arange(40) + 0.5) * 4 / UNITS, (np.arange(24)[:, None] + 0.5) * 4 / UNITS
    at, size = np.array(centre) / UNITS, radius / UNITS
    inside = size**2 - (x - at[0]) ** 2 - (y - at[1]) ** 2
    box = np.array([[*np.subtract(centre, radius), *np.add(centre, radius)]], np.float32)
    (sides,) = letterbox.to_frame(box).tolist()
    placed = letterbox.points_to_frame(np.array([centre], np.float32))[0]
    ratio = letterbox.ratios

    source = PrototypeMasks(np.ones((1, 1), np.float32), inside[None].astype(np.float32))
    (mask,) = masks_of(source, [Box(*sides)], box, letterbox)

    assert mask is not None
    points = np.array(mask.polygon(), np.float32)
    area = np.pi * radius**2 * ratio[0] * ratio[1]
    assert cv2.contourArea(points) == pytest.approx(area, rel=0.06)
    distances = np.hypot(*((points - placed) / (radius * np.array(ratio))).T)
    assert (np.abs(distances - 1) < 0.06).all()


def test_boxes_and_parts_of_a_cropped_frame_are_in_pixels_of_the_whole(tmp_path: Path) -> None:
    """With `fit=crop` the model sees the middle: here 160 of 320 pixels, from 80 on."""
    crop = InputSpec.parse("fit=crop")
    moved: dict[str, Detection] = {}
    for title in ("segment", "pose", "obb"):
        family = FAMILIES[title]
        path = family_model(tmp_path / f"{title}.onnx", family, OBJECTS[:1])
        detector = load_detector(path, model_format=family.name, labels=LABELS, model_input=crop)
        (moved[title],) = detector.detect(np.zeros((96, 320, 3), np.uint8)).detections

    for each in moved.values():
        assert each.box == Box(100, 30, 140, 70)
    mask = moved["segment"].mask
    assert mask is not None
    inside = around(mask.polygon())
    assert inside.x_min == pytest.approx(100, abs=1)
    assert inside.x_max == pytest.approx(120, abs=1)
    assert (moved["pose"].keypoints[0].x, moved["pose"].keypoints[2].x) == (100, 140)
    np.testing.assert_allclose(sorted(x for x, _ in moved["obb"].corners), [100, 100, 140, 140])


@pytest.mark.parametrize(
    ("title", "part"), [("segment", "polygon"), ("pose", "keypoints"), ("obb", "corners")]
)
def test_the_record_has_the_parts_of_each_object(title: str, part: str, tmp_path: Path) -> None:
    family = FAMILIES[title]
    path = family_model(tmp_path / "model.onnx", family, OBJECTS)
    detector = load_detector(path, model_format=family.name, labels=LABELS)
    found = detector.detect(BLACK)
    seen = Observation(frame(pixels=BLACK), found.detections, model=found.model)
    maker = RecordMaker("gate-7", "boot-1", detector.info, Thresholds(0.5), "1.2.3")

    capture = Capture(seen, Lane.SCORE, (), 1.0)
    image = EncodedImage(b"jpeg", SIDES[1], SIDES[0])
    made = maker.make("", capture, image, clock_synchronized=True)

    assert made["model"]["task"] == detector.info.task
    assert made["model"].get("keypoints") == (4 if title == "pose" else None)
    others = {"polygon", "keypoints", "corners"} - {part}
    for each in made["detections"]:
        assert len(each[part]) >= 4
        assert others.isdisjoint(each)
