"""Similarity and near-duplicates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain import Box, Detection
from agent.selection.similarity import (
    DUPLICATE_BITS,
    Fingerprint,
    detection_grid,
    difference_hash,
    grid_distance,
)
from tests.selection.grey_images import noisy, scene, with_object


def car(x: float, y: float = 100.0, confidence: float = 0.8, label: str = "car") -> Detection:
    return Detection(label, 0, confidence, Box(x - 10, y - 10, x + 10, y + 10))


def bits_between(a: int, b: int) -> int:
    return (a ^ b).bit_count()


def test_the_hash_separates_noise_objects_and_scenes() -> None:
    base = difference_hash(scene())
    noise = [bits_between(base, difference_hash(noisy(scene(), n))) for n in range(20)]
    objects = [
        bits_between(base, difference_hash(with_object(scene(), x=x))) for x in range(20, 220, 20)
    ]
    others = [bits_between(base, difference_hash(scene(n))) for n in range(2, 12)]

    assert max(noise) <= DUPLICATE_BITS / 2
    assert 5 <= sum(objects) / len(objects) <= 25
    assert min(others) > 80


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [
        ([], [], 0.0),
        ([car(100)], [car(100)], 0.0),
        ([car(100)], [car(105)], 0.0),  # the same cell
        ([car(100)], [], 1.0),
        ([car(100)], [car(600)], 1.0),
        ([car(100)], [car(100, label="bus")], 1.0),
        ([car(100, confidence=0.8)], [car(100, confidence=0.6)], 0.2 / 1.4),
        ([car(100), car(600)], [car(100)], 0.8 / 2.4),
        ([car(100), car(600, confidence=0.1)], [car(100)], 0.0),  # clutter is left out
    ],
)
def test_grids_differ_by_objects_and_places(
    a: list[Detection], b: list[Detection], distance: float
) -> None:
    signatures = [detection_grid(tuple(each), 640, 360) for each in (a, b)]

    assert grid_distance(*signatures) == pytest.approx(distance, abs=1e-5)
    assert grid_distance(*signatures[::-1]) == pytest.approx(distance, abs=1e-5)


@given(
    st.integers(0, 2**256 - 1),
    st.dictionaries(
        st.text(max_size=5), st.lists(st.floats(0, 9), min_size=16, max_size=16), max_size=3
    ),
)
def test_a_fingerprint_survives_as_text(bits: int, cells: dict[str, list[float]]) -> None:
    fingerprint = Fingerprint(bits, {label: tuple(grid) for label, grid in cells.items()})
    again = Fingerprint.from_text(fingerprint.text)

    assert again.bits == bits
    assert grid_distance(again.signature, fingerprint.signature) < 0.01


@pytest.mark.parametrize("text", ["", "[]", "[1]", '["zz",{}]', '["ff",{"car":"00"}]', '["ff",3]'])
def test_a_text_that_is_no_fingerprint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        Fingerprint.from_text(text)


def test_similarity_falls_from_1_for_the_same_to_0_for_another_scene() -> None:
    signature = detection_grid((car(100),), 640, 360)
    same = Fingerprint(0, signature)
    steps = [
        Fingerprint((1 << bits) - 1, signature).similarity(same) for bits in (0, 12, 24, 48, 200)
    ]

    assert steps == pytest.approx([1.0, 0.75, 0.5, 0.0, 0.0])
    assert Fingerprint(0, detection_grid((car(600),), 640, 360)).similarity(same) == 0.0
