import cv2
import numpy as np
import pytest

from agent.detector.formats.contract import ChannelOrder, Preprocessing
from agent.detector.image_input import Axes, ImageInput
from agent.detector.letterbox import Letterbox, Padding, Size
from agent.detector.preprocessing import CACHED_LETTERBOXES, InputBuffer
from agent.domain import FloatArray, Pixels

NANODET = Preprocessing(
    ChannelOrder.BGR,
    (103.53, 116.28, 123.675),
    (57.375, 57.12, 58.395),
    Padding.BOTTOM_RIGHT,
    0,
    32,
    Size(416, 416),
)
YOLO = Preprocessing(
    ChannelOrder.RGB,
    (0.0, 0.0, 0.0),
    (255.0, 255.0, 255.0),
    Padding.CENTRED,
    114,
    32,
    Size(640, 640),
)
UNEVEN = Preprocessing(
    ChannelOrder.RGB, (10.0, 20.0, 30.0), (2.0, 3.0, 4.0), Padding.CENTRED, 7, 32, Size(64, 64)
)


def image_input(kind: str, axes: Axes = Axes.NCHW) -> ImageInput:
    return ImageInput(axes, kind, None, None)


def noise(height: int, width: int) -> Pixels:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), np.uint8)


def reference_input(pixels: Pixels, wanted: Preprocessing, box: Letterbox) -> FloatArray:
    """Return the expected input, computed in simple steps: resize, border, reorder, scale."""
    canvas = np.full((box.input.height, box.input.width, 3), wanted.pad_value, np.uint8)
    rows = slice(box.top, box.top + box.resized.height)
    columns = slice(box.left, box.left + box.resized.width)
    canvas[rows, columns] = cv2.resize(pixels, (box.resized.width, box.resized.height))
    ordered = canvas if wanted.channel_order is ChannelOrder.BGR else canvas[:, :, ::-1]
    scaled = (ordered.astype(np.float32) - wanted.mean) / wanted.std
    return scaled.transpose(2, 0, 1)[None].astype(np.float32)


@pytest.mark.parametrize("wanted", [NANODET, YOLO, UNEVEN], ids=["nanodet", "yolo", "uneven"])
@pytest.mark.parametrize("shape", [(272, 640), (640, 272), (1, 1), (1, 900), (900, 1), (33, 47)])
def test_the_input_is_the_frame_resized_padded_and_scaled(
    wanted: Preprocessing, shape: tuple[int, int]
) -> None:
    pixels = noise(*shape)
    box = Letterbox.fit(Size(shape[1], shape[0]), wanted.size, padding=wanted.padding)

    tensor = InputBuffer(wanted, image_input("float32")).fill(pixels, box)

    assert tensor.dtype == np.float32
    np.testing.assert_allclose(tensor, reference_input(pixels, wanted, box), atol=1e-5)


def test_a_half_precision_input_has_rounded_values() -> None:
    pixels = noise(90, 160)
    box = Letterbox.fit(Size(160, 90), YOLO.size, padding=YOLO.padding)

    tensor = InputBuffer(YOLO, image_input("float16")).fill(pixels, box)

    assert tensor.dtype == np.float16
    np.testing.assert_array_equal(tensor, reference_input(pixels, YOLO, box).astype(np.float16))


def test_a_buffer_is_reused_and_has_no_pixels_of_other_frames() -> None:
    """Also if frame sizes change in between: the padding must stay padding."""
    buffer = InputBuffer(YOLO, image_input("float32"))
    wide = Letterbox.fit(Size(160, 90), YOLO.size, padding=YOLO.padding)
    tall = Letterbox.fit(Size(90, 160), YOLO.size, padding=YOLO.padding)

    first = buffer.fill(noise(90, 160), wide)
    again = buffer.fill(noise(90, 160) // 2, wide)
    other = buffer.fill(noise(160, 90), tall)

    assert np.shares_memory(first, again)
    assert np.shares_memory(first, buffer.fill(noise(90, 160), wide))
    np.testing.assert_allclose(first, reference_input(noise(90, 160), YOLO, wide), atol=1e-5)
    np.testing.assert_allclose(other, reference_input(noise(160, 90), YOLO, tall), atol=1e-5)


def test_the_number_of_cached_frame_sizes_is_limited() -> None:
    buffer = InputBuffer(UNEVEN, image_input("float32"))

    for width in range(20, 40):
        pixels = noise(20, width)
        box = Letterbox.fit(Size(width, 20), UNEVEN.size, padding=UNEVEN.padding)
        tensor = buffer.fill(pixels, box)
        np.testing.assert_allclose(tensor, reference_input(pixels, UNEVEN, box), atol=1e-5)

    assert len(buffer._arrays_by_letterbox) == CACHED_LETTERBOXES


def test_a_frame_that_is_a_view_of_a_larger_array_is_read_correctly() -> None:
    pixels = noise(200, 300)[10:110, 20:220]
    box = Letterbox.fit(Size(200, 100), UNEVEN.size, padding=UNEVEN.padding)

    tensor = InputBuffer(UNEVEN, image_input("float32")).fill(pixels, box)

    np.testing.assert_allclose(tensor, reference_input(pixels.copy(), UNEVEN, box), atol=1e-5)
