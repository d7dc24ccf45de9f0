"""Images of impossible shapes, types and sizes are refused, whatever they contain."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from agent.camera.frame_checks import check_size, checked
from agent.camera.source_options import MAX_PIXELS, MAX_SIDE
from agent.errors import UnusableImage

ANY_ARRAY = arrays.arrays(
    dtype=st.one_of(arrays.scalar_dtypes(), st.just(np.dtype(np.uint8))),
    shape=arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
)


@given(st.one_of(ANY_ARRAY, st.none(), st.text(), st.integers()))
def test_what_passes_is_bgr_of_8_bits_and_anything_else_has_one_error(image: object) -> None:
    try:
        pixels = checked(image)
    except UnusableImage as error:
        message = str(error)
    else:
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 3
        assert pixels.shape[2] == 3
        assert pixels.size > 0
        assert pixels.flags["C_CONTIGUOUS"]
        return
    assert message.startswith("cannot use an image of ")
    assert message.isprintable()


def test_an_image_passes_unchanged() -> None:
    image = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3)

    assert checked(image) is image
    assert np.array_equal(checked(image[:, ::2]), image[:, ::2])


@pytest.mark.parametrize(
    ("width", "height"),
    [(20_000, 20_000), (MAX_SIDE + 1, 1), (1, MAX_SIDE + 1), (8001, 8000), (0, 5), (5, -1)],
)
def test_a_stated_size_beyond_the_limits_is_refused(width: int, height: int) -> None:
    with pytest.raises(UnusableImage, match=f"{width}x{height} pixels"):
        check_size(width, height)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (9152, 6944), (MAX_SIDE, 3900)])
def test_the_size_of_every_camera_in_use_is_accepted(width: int, height: int) -> None:
    assert width * height <= MAX_PIXELS
    check_size(width, height)
