"""Values only fall while more is chosen, and an image that was chosen is known in all cameras."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.pool.candidates import Candidate
from agent.pool.choice.valuation import Held, Valuation
from agent.selection.camera_cover import ON_DEVICE, UNLIMITED
from agent.selection.cover import Cover
from agent.selection.view import Place, View
from tests.pool.choice.drawn import SCENE, drawn_candidates, drawn_crop

seeds = st.integers(0, 10**6)


def place(x: float = 0.2, p: float = 0.8, look: int = 1) -> Place:
    return Place(p, "", "car", None, (x, 0.2, x + 0.2, 0.4), drawn_crop(look))


def image(camera: str, *places: Place, bits: int | None = SCENE, digest: str = "") -> Candidate:
    key = f"{camera} {len(places)}"
    return Candidate(key, f"id of {key}", View(camera, bits=bits, digest=digest, places=places))


def beside(shown: Candidate, candidate: Candidate) -> tuple[float, bool]:
    """Return what the suspects add beside one that was chosen, and whether both are one image."""
    valuation = Valuation({})
    valuation.add(shown)
    found = valuation.value(Held(candidate))
    return sum(found.added), found.like is not None


@given(seeds)
@settings(max_examples=5, deadline=None)
def test_no_value_rises_and_going_on_is_the_same_as_starting_again(seed: int) -> None:
    """For all that tracks, crops, features, hashes and digests say."""
    candidates = drawn_candidates(seed, 21)
    valuation, cover = Valuation({"car": 2.0}), Cover(UNLIMITED)
    watched = candidates[::3]
    held = [Held(each) for each in watched]
    values = [valuation.most(each) for each in watched]
    was_like = [False] * len(watched)
    covered = values
    for number, shown in enumerate(candidates):
        if number % 3 or number > len(candidates) / 2:
            valuation.add(shown)
            cover.add(shown.view, 0)
        found = [valuation.value(each) for each in held]
        assert found == [valuation.value(Held(each)) for each in watched]
        after = [each.value for each in found]
        assert all(new <= old for new, old in zip(after, values, strict=True))
        is_like = [each.like is not None for each in found]
        assert all(new >= old for new, old in zip(is_like, was_like, strict=True))
        alone = [cover.value(each.view, 0) for each in watched]
        assert number == 0 or all(new <= old for new, old in zip(alone, covered, strict=True))
        values, was_like, covered = after, is_like, alone


def test_with_the_limits_of_a_device_a_value_can_rise() -> None:
    """So a pool must not have them: here the ninth box hides the one that shows the same."""
    suspect = image("gate", place(look=1))
    same = image("gate", place(0.24, look=1), bits=None)
    others = [image("gate", place(0.2, look=2), bits=None)] * 8
    limited, unlimited = Cover(ON_DEVICE), Cover(UNLIMITED)
    for cover in (limited, unlimited):
        cover.add(same.view, 0)
        assert sum(cover.contributions(suspect.view, 0)) == 0.0
        for other in others:
            cover.add(other.view, 0)

    assert sum(limited.contributions(suspect.view, 0)) == 0.8
    assert sum(unlimited.contributions(suspect.view, 0)) == 0.0


def test_the_image_of_another_device_is_known() -> None:
    """Encoded again: three bits of the hash and the place of the box have changed."""
    found = beside(image("one/gate", place()), image("two/gate", place(0.21), bits=SCENE ^ 7))

    assert found == (0.0, True)


def test_the_same_object_on_an_unlike_image_of_another_camera_is_another() -> None:
    assert beside(image("one", place()), image("two", place(), bits=SCENE ^ (2**20 - 1))) == (
        0.8,
        False,
    )


def test_a_near_identical_image_with_another_object_is_another_image() -> None:
    """A hash does not see a small object: on a fixed camera all images are nearly identical."""
    for camera in ("one", "two"):
        found = beside(image("one", place()), image(camera, place(), place(0.6, look=2)))

        assert found == (0.8, False)


def test_a_near_identical_image_with_a_faint_new_suspect_is_the_same() -> None:
    shown, candidate = image("one", place()), image("two", place(), place(0.6, p=0.05, look=2))

    assert beside(shown, candidate)[1]


def test_dark_blank_and_washed_out_images_are_not_the_same_image() -> None:
    """Their hashes have no or all bits set, whatever they show."""
    for bits in (0, 0b1011, 2**256 - 1, (2**12 - 1) << 90):
        assert beside(image("one", place(), bits=bits), image("two", bits=bits)) == (0, False)


def test_equal_images_are_one_though_nothing_can_be_seen() -> None:
    shown = image("one", place(), bits=0, digest="black")

    assert beside(shown, image("two", place(0.6), bits=0, digest="black")) == (0.0, True)
    again = replace(image("two", place(0.6), bits=None), id=shown.id)
    assert beside(shown, again) == (0.0, True)
    assert beside(replace(shown, id=""), replace(image("two", place(0.6), bits=0), id="")) == (
        0.8,
        False,
    )
