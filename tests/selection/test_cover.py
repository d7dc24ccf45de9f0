"""The value of a frame beside what captures that were purchased have shown."""

import math
import threading
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain import Box, Grey, Suspect
from agent.selection.budget.hint import SendHint
from agent.selection.camera_cover import HALF_LIFE_S, MOST_SHOWN
from agent.selection.cover import UNSEEN, Cover
from agent.selection.similarity import CROP_SIDE, difference_hash
from agent.selection.suspects import MOST_SUSPECTS
from agent.selection.view import Place, View, view_of
from tests.selection.grey_images import noisy, scene, with_object
from tests.selection.synthetic_street import observed

PARKED = Box(400, 240, 600, 400)  # pixels of 1280 x 720: a quarter of that in a thumbnail
AT = 1000.0


def car(p: float = 0.6, box: Box = PARKED, track: int | None = 1) -> Suspect:
    return Suspect("flicker", p, "car", box, track)


def with_car(seed: int, *, image: int = 1, noise: int = 1, box: Box = PARKED) -> Grey:
    """Return a scene with a car; each seed is another car, each noise another frame."""
    grey = noisy(scene(image), noise, 1.5)
    look = np.random.default_rng(seed).integers(0, 256, (5, 5))
    rows, columns = (
        slice(int(box.y_min / 4), int(box.y_max / 4)),
        slice(int(box.x_min / 4), int(box.x_max / 4)),
    )
    height, width = grey[rows, columns].shape
    patch = np.kron(look, np.ones((height // 5 + 1, width // 5 + 1)))[:height, :width]
    grey[rows, columns] = patch
    return noisy(grey, noise, 1.5)


def view(*suspects: Suspect, grey: Grey | None = None, at: float = AT) -> View:
    """Return what a frame with these suspects shows."""
    bits = None if grey is None else difference_hash(grey)
    return view_of(observed(0, [], grey), suspects, bits=bits, now=at)


def added(cover: Cover, of: View, at: float = AT + 60) -> float:
    """Return what the suspects of a view add to its value."""
    return sum(cover.contributions(of, at))


def cover_of(*views: View, at: float = AT) -> Cover:
    cover = Cover()
    for each in views:
        cover.add(each, at)
    return cover


def test_the_value_of_a_frame_is_the_sum_over_its_suspects() -> None:
    crowd = view(*(car(0.4, track=n) for n in range(5)))

    assert Cover().value(crowd, AT) == pytest.approx(5 * 0.4 + UNSEEN)
    assert cover_of(view(car(track=9))).contributions(crowd, AT) == pytest.approx([0.4] * 5)


@pytest.mark.parametrize(
    ("shown", "now", "left"), [(0.6, 0.6, 0.0), (0.2, 0.6, 0.4), (0.9, 0.6, 0.0)]
)
def test_a_track_counts_for_what_its_p_exceeds_the_p_that_was_purchased(
    shown: float, now: float, left: float
) -> None:
    cover = cover_of(view(car(shown)))

    assert added(cover, view(car(now)), AT) == pytest.approx(left)
    assert added(cover, view(car(now, track=2)), AT) == pytest.approx(now)


def test_of_several_purchases_of_a_track_the_highest_p_counts() -> None:
    cover = cover_of(view(car(0.5)), view(car(0.3)))

    assert added(cover, view(car(0.6)), AT) == pytest.approx(0.1)


def test_tracks_of_other_cameras_and_events_of_other_rules_are_others() -> None:
    event = Suspect("count_change", 0.15, track=1)
    cover = cover_of(view(event))

    assert added(cover, view(event)) == pytest.approx(0.0, abs=0.001)
    assert added(cover, view(replace(event, rule="invalid_output"))) == pytest.approx(0.15)
    assert added(cover, view(car(0.6))) == pytest.approx(0.6)
    assert added(cover, replace(view(event), camera="yard")) == pytest.approx(0.15)


def earlier(view: View) -> View:
    """Return what the same frame would show to another process: its tracks have other names."""
    return replace(view.of_earlier_process(), run="earlier")


EARLIER = earlier(view(car(), grey=with_car(1, noise=1)))
"""What a capture purchased before a restart showed."""


@pytest.mark.parametrize(
    ("grey", "box", "left"),
    [
        (with_car(1, noise=2), PARKED, 0.0),  # the car is still parked there
        (with_car(1, noise=2), Box(408, 246, 606, 404), 0.0),  # its box jitters
        (with_object(with_car(1, noise=2), x=220), PARKED, 0.0),  # something else changed
        (with_car(2, noise=2), PARKED, 0.6),  # the next car at the same place
        (with_car(1, noise=2, box=Box(800, 240, 1000, 400)), Box(800, 240, 1000, 400), 0.6),
    ],
)
def test_place_and_appearance_together_say_that_a_suspect_is_the_same(
    grey: Grey, box: Box, left: float
) -> None:
    cover = cover_of(EARLIER)

    assert added(cover, view(car(0.6, box), grey=grey)) == pytest.approx(left, abs=0.01)


def test_a_higher_p_counts_only_where_the_image_changed() -> None:
    """The label of a near-identical image answers a suspect, whatever its p was."""
    cover = cover_of(earlier(view(car(0.2), grey=with_car(1, noise=1))))
    changed = with_object(with_car(1, noise=2), share=0.15, x=190)

    assert added(cover, view(car(0.6), grey=with_car(1, noise=2))) == pytest.approx(0.0, abs=0.01)
    assert added(cover, view(car(0.6), grey=changed)) == pytest.approx(0.4, abs=0.01)


def test_an_identical_image_shows_nothing_new() -> None:
    """Although the model names other suspects in it, which it does after an update."""
    image = with_car(1)
    cover = cover_of(earlier(view(car(), grey=image)))

    assert cover.value(view(car(0.9, Box(0, 0, 99, 99), 5), grey=image), AT + 5 * HALF_LIFE_S) == 0


@pytest.mark.parametrize("is_identical", [False, True])
def test_what_was_shown_is_forgotten_with_a_half_life_of_a_day(*, is_identical: bool) -> None:
    cover = cover_of(EARLIER)
    grey = with_car(1, noise=2)
    later = view(car(0.6), grey=grey if is_identical else with_object(grey, share=0.15, x=190))
    left = [added(cover, later, AT + days * HALF_LIFE_S) for days in (0, 1, 2)]
    by_track = cover_of(view(car(0.6)))

    assert left == pytest.approx([0.0, 0.3, 0.45], abs=0.01)
    assert added(by_track, view(car(0.6)), AT + HALF_LIFE_S) == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("grey", "at", "term"),
    [
        (None, AT, 0.0),  # nearest in time
        (None, AT + 1.0, UNSEEN * (1 - math.exp(-1))),
        (None, AT + 3600.0, UNSEEN),
        (noisy(scene(1), 5, 1.5), AT + 3600.0, 0.0),
        (scene(2), AT + 3600.0, UNSEEN),
    ],
)
def test_a_small_term_counts_where_nothing_was_purchased_near_in_time_or_looks(
    grey: Grey | None, at: float, term: float
) -> None:
    cover = cover_of(view(grey=noisy(scene(1), 1, 1.5)))

    assert cover.unseen(view(grey=grey, at=at)) == pytest.approx(term, abs=0.005)


@pytest.mark.parametrize(
    ("suspect", "grey", "left"),
    [
        (Suspect("low_margin", 0.4, "cat"), noisy(scene(1), 2), 0.0),
        (Suspect("low_margin", 0.5, "dog"), noisy(scene(1), 2), 0.0),  # its label said which
        (Suspect("low_confidence", 0.2, "cat"), noisy(scene(1), 2), 0.0),
        (Suspect("low_margin", 0.4, "cat"), scene(2), 0.4),
        (Suspect("count_change", 0.1, track=1), noisy(scene(1), 2), 0.1),
    ],
)
def test_the_class_of_a_frame_is_covered_by_a_similar_image(
    suspect: Suspect, grey: Grey, left: float
) -> None:
    purchased = view(Suspect("low_margin", 0.4, "cat"), grey=noisy(scene(1), 1))

    assert added(cover_of(earlier(purchased)), view(suspect, grey=grey)) == pytest.approx(
        left, abs=0.001
    )


def test_a_frame_that_is_somewhat_similar_covers_a_class_in_part() -> None:
    purchased = view(Suspect("low_margin", 0.4, "cat"), grey=scene(1))
    changed = with_object(scene(1), share=0.15, x=190)
    left = added(cover_of(purchased), view(Suspect("low_margin", 0.4, "cat"), grey=changed))

    assert 0.1 < left < 0.3


SUSPECTS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 5)), max_size=8)


@given(st.lists(SUSPECTS, max_size=4), SUSPECTS)
def test_the_value_is_never_above_its_bound_and_a_purchase_never_raises_it(
    purchases: Sequence[Sequence[tuple[float, int]]], shown: Sequence[tuple[float, int]]
) -> None:
    suspects = [car(p, track=track) for p, track in shown]
    frame, cover = view(*suspects), Cover()
    values = [cover.value(frame, AT)]
    for number, purchase in enumerate(purchases):
        cover.add(view(*(car(p, track=track) for p, track in purchase), at=number), AT)
        values.append(cover.value(frame, AT))
        assert values[-1] <= cover.bound("street", suspects, AT) + 1e-9

    assert all(value >= 0 for value in values)
    assert values == sorted(values, reverse=True)
    assert cover.version == len(purchases)


FINITE = st.floats(-10, 10).map(lambda value: round(value, 4))
PLACES = st.builds(
    Place,
    p=st.floats(0, 1).map(lambda p: round(p, 3)),
    rule=st.text(max_size=5),
    label=st.text(max_size=5),
    track=st.none() | st.integers(0, 10**6),
    box=st.tuples(FINITE, FINITE, FINITE, FINITE),
    crop=st.none() | st.binary(min_size=CROP_SIDE**2, max_size=CROP_SIDE**2),
)
WHOLE_FRAMES = st.builds(Place, p=st.just(0.5), rule=st.text(max_size=5))
VIEWS = st.builds(
    View,
    camera=st.just("gate"),
    at=st.just(-math.inf) | st.integers(0, 10**8).map(float),
    bits=st.none() | st.integers(0, 2**256 - 1),
    digest=st.text(max_size=5),
    places=st.lists(PLACES | WHOLE_FRAMES, max_size=4).map(tuple),
)


@given(VIEWS, st.booleans())
def test_a_view_survives_as_text(shown: View, is_degraded: bool) -> None:
    hint = SendHint(shown, is_degraded)

    assert View.from_text("gate", shown.text) == shown
    assert SendHint.from_text(hint.text) == hint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "[1]",
        "[null,3,3,3]",
        '[null,"zz","",[]]',
        '[null,"ff","",3]',
        '["x","ff","",[]]',
        '[null,"ff","",[[]]]',
        '[null,"ff","",[["a","","",null,null,null]]]',
        '[null,"ff","",[[0.5,"","",null,[1,2,3],null]]]',
        '[null,"ff","",[[0.5,"","",null,[0,0,1,1],"short"]]]',
        '[null,"ff","",[[NaN,"","",null,[0,0,1,1],null]]]',
        '[null,"ff","",[[0.5,"","",null,null,"' + "0" * 180 + '"]]]',
        '["x",1,"ff","",[[0.5,"","",null,null,null]],"source"]',
        '["x",1,"ff","",[[0.5,"","",null,null,null]],"source",[]]',
        '["x",1,"ff","",[[0.5,"","",null,null,null]],"source",[3]]',
        '["x",1,"ff","",[[0.5,"","",null,null,null]],"source",[""]]',
        '["x",1,"ff","",[[0.5,"","",null,null,null]],"source",["AAAA"]]',
        '["x",1,"ff","",[[0.5,"","",null,null,null]],"source",["' + "1" * 344 + '"]]',
        '["x",1,"ff","",[[0.5,"","",null,null,null]],"source",[null],"more"]',
    ],
)
def test_a_text_that_is_no_view_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        View.from_text("gate", text)


@given(st.text())
def test_any_hint_is_read_with_its_camera(text: str) -> None:
    hint = SendHint.from_text("gate\n1\n" + text)

    assert (hint.view.camera, hint.is_degraded) == ("gate", True)


def test_memory_is_bounded_and_the_oldest_purchases_are_forgotten_first() -> None:
    cover = Cover()
    for number in range(MOST_SHOWN + 200):
        cover.add(view(*(car(track=10 * number + n) for n in range(10)), at=number), AT)
    latest = 10 * (MOST_SHOWN + 199)

    assert added(cover, view(car(track=3)), AT) == pytest.approx(0.6)
    assert added(cover, view(car(track=latest)), AT) == 0.0
    [camera] = cover._cameras.values()
    assert max(len(camera.shown), len(camera.tracks), len(camera.places)) <= 2 * MOST_SHOWN


def test_times_of_two_streams_are_not_compared() -> None:
    """Two recordings of one camera begin at 0 each."""
    cover = cover_of(replace(view(), run="morning"))

    assert cover.value(replace(view(), run="morning"), AT) == 0.0
    assert cover.value(replace(view(), run="evening"), AT) == UNSEEN


def test_a_track_that_is_purchased_again_and_again_is_not_forgotten() -> None:
    cover = Cover()
    for number in range(300):
        others = (car(track=10 * number + n) for n in range(2, 10))
        cover.add(view(car(track=1), *others, at=number), AT)

    assert added(cover, view(car(track=1)), AT) == 0.0


def test_the_hint_of_a_crowd_is_a_few_kilobytes() -> None:
    crowd = [car(0.3, Box(9 * n, 9, 9 * n + 80, 99), n) for n in range(MOST_SUSPECTS)]

    assert len(SendHint(view(*crowd, grey=scene())).text) < 9000


def test_one_thread_may_buy_while_others_ask() -> None:
    cover, shown = Cover(), [view(car(track=n), at=n) for n in range(200)]
    errors: list[Exception] = []

    def ask() -> None:
        try:
            for each in shown * 5:
                cover.value(each, AT)
        except Exception as error:  # noqa: BLE001 (any error of a thread fails the test)
            errors.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    for each in shown:
        cover.add(each, AT)
    asking.join()

    assert errors == []
    assert [added(cover, each, AT) for each in shown] == [0.0] * 200


def test_many_copies_of_one_suspect_do_not_hide_that_the_others_were_shown() -> None:
    """The memory of a parked row that is purchased again and again."""
    row = [Box(40.0 * n, 300.0, 40.0 * n + 36, 380.0) for n in range(30)]
    suspects = [Suspect("low_confidence", 0.2, "car", box) for box in row]
    grey = noisy(scene(1), 3)
    cover = cover_of(*[earlier(view(*suspects[:2], grey=noisy(scene(1), n))) for n in range(80)])
    cover.add(earlier(view(*suspects, grey=noisy(scene(1), 99))), AT)

    assert added(cover, view(*suspects, grey=grey)) == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize(("other", "left"), [(1, 0.0), (2, 0.6)])
def test_a_place_without_contrast_is_known_on_a_near_identical_image(
    other: int, left: float
) -> None:
    wall = Box(640, 300, 800, 420)

    def plain(seed: int) -> Grey:
        grey = scene(seed)
        grey[60:120, 140:220] = 120
        return grey

    cover = cover_of(earlier(view(car(0.6, wall), grey=noisy(plain(1), 1, 1.0))))
    again = view(car(0.6, wall), grey=noisy(plain(other), 2, 1.0))

    assert added(cover, again) == pytest.approx(left, abs=0.01)
