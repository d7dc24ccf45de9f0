"""Whether two images, or one place in two images, look the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain import FloatArray, Grey, Pixels
from agent.selection.similarity import (
    CUT_BITS,
    NEAR_IDENTICAL_BITS,
    crops,
    difference_hash,
    grown,
    hash_distance,
    image_similarity,
    look_same,
)
from tests.selection.grey_images import SHAPE, noisy, scene, with_object

CENTRE = (0.4, 0.4, 0.5, 0.6)


def boxes(*each: tuple[float, float, float, float]) -> FloatArray:
    return np.array(each, np.float32)


def test_the_hash_separates_noise_objects_and_scenes() -> None:
    base = difference_hash(scene())
    noise = [hash_distance(base, difference_hash(noisy(scene(), n))) for n in range(20)]
    objects = [
        hash_distance(base, difference_hash(with_object(scene(), x=x))) for x in range(20, 220, 20)
    ]
    others = [hash_distance(base, difference_hash(scene(n))) for n in range(2, 12)]

    assert max(noise) <= NEAR_IDENTICAL_BITS / 2
    assert 5 <= sum(objects) / len(objects) <= 25
    assert max(objects) < CUT_BITS < min(others)


@pytest.mark.parametrize("level", [4, 20, 120])
def test_noise_on_a_surface_without_structure_hardly_changes_the_hash(level: int) -> None:
    plain = np.full(SHAPE, level, np.uint8)
    hashes = [difference_hash(noisy(plain, n, 3.0)) for n in range(10)]

    assert max(hash_distance(hashes[0], each) for each in hashes) <= NEAR_IDENTICAL_BITS


def test_similarity_falls_from_1_for_the_same_to_0_for_another_scene() -> None:
    steps = [image_similarity((1 << bits) - 1, 0) for bits in (0, 12, 24, 48, 200)]

    assert steps == pytest.approx([1.0, 0.75, 0.5, 0.0, 0.0])


@given(st.integers(0, 2**256 - 1), st.integers(0, 2**256 - 1))
def test_similarity_is_symmetrical(a: int, b: int) -> None:
    assert image_similarity(a, b) == image_similarity(b, a)
    assert image_similarity(a, a) == 1.0


PLAIN = np.full(SHAPE, 90, np.uint8)


def pixels_of(grey: Grey) -> Pixels:
    """Return the frame that a thumbnail was made from, four times as large."""
    return np.repeat(np.repeat(grey, 4, 0), 4, 1)[:, :, None].repeat(3, 2)


def same(a: Grey, b: Grey, box_a: tuple[float, ...], box_b: tuple[float, ...]) -> bool:
    one, two = np.array([box_a], np.float32), np.array([box_b], np.float32)
    [looks_same], _ = look_same(
        grown(one), crops(a, pixels_of(a), one), grown(two), crops(b, pixels_of(b), two)
    )
    return bool(looks_same)


def coarse(seed: int) -> Grey:
    """Return an image whose structure is larger than a sample of a crop."""
    return np.kron(
        np.random.default_rng(seed).integers(40, 200, (6, 10)), np.ones((30, 32))
    ).astype(np.uint8)


DARKER = (coarse(1) * 0.8).astype(np.uint8)


@pytest.mark.parametrize(
    ("other", "box", "is_same"),
    [
        (coarse(1), CENTRE, True),
        (noisy(coarse(1), 3), CENTRE, True),
        (DARKER, CENTRE, True),
        (coarse(1), (0.41, 0.41, 0.51, 0.61), True),  # the box jitters
        (coarse(2), CENTRE, False),
        (np.full(SHAPE, 90, np.uint8), CENTRE, False),
    ],
)
def test_a_place_looks_the_same_in_spite_of_noise_light_and_jitter(
    other: Grey, box: tuple[float, ...], *, is_same: bool
) -> None:
    assert same(coarse(1), other, CENTRE, box) is is_same


def test_a_place_without_contrast_proves_nothing() -> None:
    plain = noisy(PLAIN, 1, 1.0)

    assert not same(plain, plain, CENTRE, CENTRE)


@pytest.mark.parametrize(("grey", "is_flat"), [(coarse(1), False), (noisy(PLAIN, 1, 1.0), True)])
def test_places_that_show_nothing_are_told(grey: Grey, *, is_flat: bool) -> None:
    box = boxes(CENTRE)
    found = crops(grey, pixels_of(grey), box)

    assert look_same(grown(box), found, grown(box), found)[1].tolist() == [is_flat]


def test_a_crop_at_the_edge_of_the_image_is_whole() -> None:
    found = crops(scene(), pixels_of(scene()), boxes((0.0, 0.0, 0.1, 0.1), (0.95, 0.9, 1.2, 1.3)))

    assert {len(each) for each in found} == {144}


@pytest.mark.parametrize(("texture", "is_same"), [(1, True), (2, False)])
def test_a_small_place_is_compared_in_the_pixels_of_the_frame(
    texture: int, *, is_same: bool
) -> None:
    """In the thumbnail both textures are the same grey."""

    def frame(seed: int) -> Pixels:
        look = np.random.default_rng(seed).integers(0, 256, (12, 12))
        pixels = np.full((720, 1280, 3), 90, np.uint8)
        pixels[300:348, 600:648] = np.kron(look, np.ones((4, 4)))[:, :, None]
        return pixels

    box = boxes((605 / 1280, 305 / 720, 643 / 1280, 343 / 720))
    plain = np.full(SHAPE, 90, np.uint8)
    [looks_same], _ = look_same(
        grown(box), crops(plain, frame(1), box), grown(box), crops(plain, frame(texture), box)
    )

    assert bool(looks_same) is is_same
