"""What an application may send to a camera, and what it is told otherwise."""

import struct
import zlib

import pytest

from agent.domain import ModelInfo, Task
from agent.errors import RefusalKind, RequestRefused
from tests.camera.push.pushed import (
    AGENT_MODEL,
    PushedCamera,
    image_file,
    one_pill,
    predictions_of,
)


def refusal(
    camera: PushedCamera, image: bytes, predictions: bytes | None = None, *, name: str = "line"
) -> RequestRefused:
    with pytest.raises(RequestRefused) as refused:
        camera.intake.put(name, image, predictions)
    assert camera.door.take(0.0) is None
    assert str(refused.value).isprintable()
    return refused.value


def jpeg_with_exif(orientation: int) -> bytes:
    """Return a JPEG that its EXIF turns."""
    tiff = struct.pack("<2sHIHHHIHHI", b"II", 42, 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    exif = b"Exif\0\0" + tiff
    plain = image_file()
    return plain[:2] + struct.pack(">BBH", 0xFF, 0xE1, len(exif) + 2) + exif + plain[2:]


def png_bomb(side: int) -> bytes:
    """Return a small PNG file of `side` x `side` black pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", bytes(100))


def huge_jpeg() -> bytes:
    """Return a JPEG whose header states 65,535 x 65,535 pixels."""
    plain = bytearray(image_file())
    at = plain.index(b"\xff\xc0")
    plain[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    return bytes(plain)


@pytest.mark.parametrize(
    ("image", "text"),
    [
        (b"", "the file is empty"),
        (b"hello", "it is not an image of a supported format. Convert it to JPEG or PNG"),
        (image_file()[:-30], "it arrived incomplete"),
        (b"\xff\xd8\xff\xe0", "its JPEG header is damaged"),
        (huge_jpeg(), "65535x65535 pixels: at most 16384 pixels a side and 64 million"),
        (png_bomb(30_000), "30000x30000 pixels: at most 16384 pixels a side"),
        (image_file(".bmp"), "it is a BMP file; send JPEG or PNG"),
        (bytes(32_000_001), "the image has 32000001 bytes; at most 32000000"),
    ],
)
def test_an_image_that_cannot_be_used_is_refused_without_decoding_it(
    image: bytes, text: str
) -> None:
    refused = refusal(PushedCamera(), image)

    assert text in str(refused)
    assert str(refused).startswith("cannot take a frame of camera line: ")
    assert refused.kind is RefusalKind.UNUSABLE


@pytest.mark.parametrize("name", ["", "Line", "line ", "../line", "li\nne", "\ud800", "x" * 5000])
def test_an_unknown_camera_is_named_with_those_that_take_frames(name: str) -> None:
    refused = refusal(PushedCamera(), image_file(), name=name)

    assert refused.kind is RefusalKind.UNKNOWN
    assert "cameras that take frames: line. Write NAME=push: in AGENT_CAMERAS" in str(refused)


def test_a_camera_that_the_agent_reads_itself_takes_no_frames() -> None:
    refused = refusal(PushedCamera(), image_file(), name="yard")

    assert refused.kind is RefusalKind.UNKNOWN
    assert str(refused) == (
        "cannot take a frame of camera yard: the agent reads this camera itself; for frames of an "
        "application write yard=push: in AGENT_CAMERAS"
    )


def test_predictions_belong_to_the_pushed_image() -> None:
    camera = PushedCamera()

    refused = refusal(camera, image_file(), predictions_of(one_pill(box=[100, 100, 200, 200])))

    assert (
        "cannot use its predictions: detections[0].box has no area inside the image of 64x48"
        in (str(refused))
    )


def test_an_image_that_its_exif_turns_is_taken_without_predictions_only() -> None:
    camera, turned = PushedCamera(), jpeg_with_exif(6)

    refused = refusal(camera, turned, predictions_of(one_pill()))
    camera.intake.put("line", turned)
    frame = camera.source.read()

    assert "the EXIF of the image turns it (orientation 6)" in str(refused)
    assert frame.pixels.shape == (64, 48, 3)
    assert frame.jpeg is None


def test_a_camera_with_a_task_expects_predictions() -> None:
    camera = PushedCamera(task=Task.SEGMENT)

    refused = refusal(camera, image_file())

    assert "this camera expects predictions of the task segment with each image" in str(refused)
    assert "write line=push: in AGENT_CAMERAS" in str(refused)


def test_labels_of_the_agents_model_are_no_labels_of_another_task() -> None:
    camera = PushedCamera(task=Task.SEGMENT)

    refused = refusal(camera, image_file(), predictions_of(one_pill()))

    assert "detections[0].label 'pill' has no class id" in str(refused)


def test_the_model_of_an_application_is_in_memory_once() -> None:
    camera = PushedCamera()
    models: list[ModelInfo] = []
    for _ in range(2):
        camera.intake.put("line", image_file(), predictions_of(one_pill(), labels=["pill"]))
        prediction = camera.source.read().prediction
        assert prediction is not None
        models.append(prediction.model)

    assert models[0] is models[1]
    assert models[0] != AGENT_MODEL


def test_a_frame_without_objects_is_of_the_same_pose_model() -> None:
    """Its record then goes to the dataset of the others, as an image without objects."""
    camera = PushedCamera(task=Task.POSE)
    person = one_pill(keypoints=[[12, 12, 0.9], [14, 20, 0.8]])
    counts = []
    for found, name in (([person], "a"), ([], "a"), ([], "b")):
        document = predictions_of(*found, name=name, labels=["pill"])
        camera.intake.put("line", image_file(), document)
        prediction = camera.source.read().prediction
        assert prediction is not None
        counts.append(prediction.model.keypoint_count)

    assert counts == [2, 2, 0]


def test_each_frame_has_the_predictions_that_came_with_it() -> None:
    camera = PushedCamera()
    for n in range(3):
        camera.intake.put("line", image_file(seed=n), predictions_of(one_pill(box=[n, n, 9, 9])))
        frame = camera.source.read()
        assert frame.prediction is not None
        assert frame.prediction.detections[0].box.x_min == n
    camera.intake.put("line", image_file())

    assert camera.source.read().prediction is None
