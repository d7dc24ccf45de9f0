"""The choice is the exact greedy one, in bounded memory."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.pool.candidates import Candidate
from agent.pool.choice import greedy
from agent.pool.choice.greedy import Effort, choose
from agent.pool.choice.valuation import Held, Valuation
from agent.pool.choices import Bounds, Choice
from agent.selection.cover import UNSEEN
from agent.selection.view import Place, View
from tests.pool.choice.drawn import ListShard, drawn_candidates, shards_of
from tests.pool.choice.naive import naive_choice

seeds = st.integers(0, 10**6)
bounds = st.builds(
    Bounds,
    st.integers(1, 24),
    st.none() | st.integers(1, 8),
    st.none() | st.integers(1, 6),
    st.dictionaries(st.sampled_from(["car", "person"]), st.integers(0, 5)),
    st.none() | st.integers(0, 8),
)


def tracked(
    key: str, *tracks: tuple[int, float], camera: str = "gate", label: str = "car"
) -> Candidate:
    """Return an image with suspects: number of the track and p."""
    places = tuple(Place(p, "", label, track, (0, 0, 1, 1)) for track, p in tracks)
    return Candidate(key, f"id-{key}", View(camera, places=places))


def taken(choice: Choice) -> list[tuple[str, float, str]]:
    return [(pick.key, pick.value, pick.label) for pick in choice.picks]


def keys(choice: Choice) -> list[str]:
    return [pick.key for pick in choice.picks]


@given(
    seeds,
    bounds,
    st.sampled_from([1, 2, 3, 7, 1000]),
    st.dictionaries(st.sampled_from(["car", "person"]), st.sampled_from([0.0, 0.5, 3.0])),
    st.integers(0, 8),
)
@settings(max_examples=8, deadline=None)
def test_the_choice_is_that_of_the_definition(
    seed: int, limits: Bounds, memory: int, weights: dict[str, float], before: int
) -> None:
    """However little is held in memory, and however the candidates are divided."""
    candidates = drawn_candidates(seed, 24, "ABC")
    covered = drawn_candidates(seed + 1, before) + candidates[:before]

    choice = choose(
        shards_of(candidates, 1 + seed % 4, seed),
        limits,
        covered,
        weights=weights,
        effort=Effort(memory=memory),
    )

    assert taken(choice) == naive_choice(candidates, limits, covered, weights)
    assert choice.exact == len(choice.picks)
    assert choice.least_step == 1.0
    assert choice.shown_before >= before


@pytest.mark.slow
@given(seeds, st.integers(10, 200))
@settings(max_examples=2, deadline=None)
def test_a_larger_choice_is_that_of_the_definition(seed: int, memory: int) -> None:
    candidates = drawn_candidates(seed, 150, "ABCDEFGH")
    limits = Bounds(30, per_camera=10)

    choice = choose(shards_of(candidates, 3), limits, effort=Effort(memory=memory))

    assert taken(choice) == naive_choice(candidates, limits)


@given(seeds, st.sampled_from([0.01, 0.2, 0.5]), st.sampled_from([5, 1000]), st.integers(1, 4))
@settings(max_examples=6, deadline=None)
def test_a_step_that_may_lose_takes_nearly_the_best(
    seed: int, loss: float, memory: int, shards: int
) -> None:
    """At its turn no other candidate has a value above that of the pick by more than the loss."""
    candidates = drawn_candidates(seed, 24, "ABC")
    effort = Effort(memory=memory, exact=0, loss=loss)

    limits = Bounds(12, degraded=12)

    choice = choose(shards_of(candidates, shards, seed), limits, effort=effort)

    assert choice == choose(shards_of(candidates, 1), limits, effort=effort)
    valuation, left = Valuation({}), {each.key: each for each in candidates}
    assert choice.least_step >= 1 - loss
    for pick in choice.picks:
        values = [valuation.value(Held(each)) for each in left.values()]
        best = max(each.value for each in values if each.like is None)
        assert pick.value >= (1 - loss) * best
        valuation.add(left.pop(pick.key))


@given(
    seeds,
    st.none() | st.integers(1, 2),
    st.sampled_from([None, None, 0, 1, 2]),
    st.sampled_from([0, 10**6]),
)
@settings(max_examples=16, deadline=None)
def test_no_other_choice_shows_more_than_is_said(
    seed: int, per_camera: int | None, degraded: int | None, exact: int
) -> None:
    """Where a suspect is one thing in all images; a greedy choice shows at least half of it.

    With bounds on cameras and on degraded images, a third.
    """
    candidates = [
        replace(
            tracked(each.key, *tracks_of(each), camera=each.view.camera),
            is_degraded=degraded is not None and each.is_degraded,
        )
        for each in drawn_candidates(seed, 8)
    ]
    limits = Bounds(3, per_camera, degraded=degraded)

    choice = choose([ListShard(candidates)], limits, effort=Effort(exact=exact))

    best = max(
        shown_by(chosen)
        for count in (1, 2, 3)
        for chosen in combinations(candidates, count)
        if (
            per_camera is None
            or max(Counter(each.view.camera for each in chosen).values()) <= per_camera
        )
        and sum(each.is_degraded for each in chosen) <= limits.most_degraded
    )
    assert choice.value == pytest.approx(
        shown_by([each for each in candidates if each.key in keys(choice)])
    )
    assert best <= choice.most + 1e-9
    limited = (per_camera is not None) + (degraded is not None)
    assert choice.value >= best * (0.632, 0.5, 1 / 3)[limited] * 0.99


def tracks_of(candidate: Candidate) -> list[tuple[int, float]]:
    tracks = {int(place.p * 1000) % 5: place.p for place in candidate.view.places}
    return list(tracks.items())


def shown_by(chosen: Sequence[Candidate]) -> float:
    """Return the expected failures: of each track the highest p."""
    tracks: dict[tuple[str, int | None], float] = {}
    for each in chosen:
        for place in each.view.places:
            key = each.view.camera, place.track
            tracks[key] = max(place.p, tracks.get(key, 0.0))
    return sum(tracks.values()) + UNSEEN * len(chosen)


def test_no_more_candidates_are_held_than_memory_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    alive = 0
    most: list[int] = []

    class Counted(Held):
        """Counts those that exist."""

        def __init__(self, candidate: Candidate) -> None:
            nonlocal alive
            super().__init__(candidate)
            alive += 1
            most.append(alive)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    monkeypatch.setattr(greedy, "Held", Counted)
    choose(shards_of(drawn_candidates(5, 60), 3), Bounds(10), effort=Effort(memory=7))

    assert max(most) <= 7 + 1  # that of the last step


def test_equal_values_are_taken_by_key() -> None:
    candidates = [tracked(key, (number, 0.5)) for number, key in enumerate("dbac")]

    assert keys(choose(shards_of(candidates, 2), Bounds(3), effort=Effort(memory=1))) == [*"abc"]


def test_more_than_there_are_takes_all_that_are_usable() -> None:
    candidates = [tracked(str(n), (n, 0.5)) for n in range(5)]
    candidates.append(replace(tracked("x", (9, 0.9)), is_unusable=True))

    choice = choose([ListShard(candidates), ListShard([])], Bounds(100))

    assert sorted(keys(choice)) == [*"01234"]
    assert choice.following == ()
    assert choose([], Bounds(1)).picks == ()


def test_the_choice_tells_how_far_it_is() -> None:
    told: list[int] = []
    choose([ListShard([tracked(str(n), (n, 0.5)) for n in range(5)])], Bounds(3), told=told.append)

    assert told == [1, 2, 3]


def test_images_without_suspects_come_last() -> None:
    choice = choose([ListShard([tracked("a"), tracked("b", (1, 0.3)), tracked("c")])], Bounds(2))

    assert [(pick.key, sum(pick.added)) for pick in choice.picks] == [("b", 0.3), ("a", 0)]
    assert choice.following == (UNSEEN,)


def test_a_full_camera_is_passed_over() -> None:
    candidates = [
        tracked(f"{camera}{number}", (number, p), camera=camera)
        for camera, p in (("gate", 0.9), ("door", 0.1))
        for number in range(4)
    ]

    choice = choose([ListShard(sorted(candidates, key=lambda each: each.key))], Bounds(5, 2))

    assert keys(choice) == ["gate0", "gate1", "door0", "door1"]


@pytest.mark.parametrize(
    ("limits", "chosen"),
    [
        (Bounds(3), ["dark0", "clear0", "clear1"]),
        (Bounds(5, degraded=0), ["clear0", "clear1", "clear2"]),
        (Bounds(5, degraded=2), ["dark0", "dark1", "clear0", "clear1", "clear2"]),
    ],
)
def test_few_degraded_images_are_chosen(limits: Bounds, chosen: list[str]) -> None:
    dark = [replace(tracked(f"dark{n}", (n, 0.9)), is_degraded=True) for n in range(3)]
    clear = [tracked(f"clear{n}", (9 + n, 0.4)) for n in range(3)]

    choice = choose(shards_of([*dark, *clear], 2), limits, effort=Effort(memory=2))

    assert keys(choice) == chosen


@pytest.mark.parametrize(("take", "most"), [(1, 1), (39, 1), (40, 2), (1000, 50)])
def test_a_twentieth_may_be_degraded_and_always_one(take: int, most: int) -> None:
    assert Bounds(take).most_degraded == most


def test_a_full_class_adds_nothing_any_more() -> None:
    """An image with a suspect of another class is still wanted, for that one."""
    both = tracked("c", (8, 0.9))
    person = tracked("", (7, 0.2), label="person").view.places
    both = replace(both, view=replace(both.view, places=both.view.places + person))
    candidates = [tracked("a", (1, 0.99)), tracked("b", (2, 0.5)), both]

    choice = choose([ListShard(candidates)], Bounds(2, per_class=1))

    assert [(pick.key, pick.label) for pick in choice.picks] == [("c", "car"), ("a", "")]
    limited = Bounds(2, labels={"car": 0})
    assert choose([ListShard(candidates)], limited).picks[0].label == "person"


def test_what_was_shown_before_is_not_chosen_again() -> None:
    """By its id or its digest; the suspects that it showed add nothing."""
    before = tracked("old", (1, 0.9))
    before = replace(before, view=replace(before.view, digest="d"))
    copy = replace(before, key="copy", id="other")
    same_id = replace(tracked("renamed", (5, 0.9)), id=before.id)
    candidates = [copy, same_id, tracked("next", (1, 0.8)), tracked("new", (2, 0.3))]

    choice = choose([ListShard(candidates)], Bounds(9), [before])

    assert keys(choice) == ["new", "next"]
    assert choice.picks[1].added == (0.0,)
    assert choice.shown_before == 2


def test_a_near_duplicate_is_named_with_what_it_is_like() -> None:
    first = tracked("a", (1, 0.9))
    first = replace(first, view=replace(first.view, digest="d"))
    second = replace(first, key="b", id="other", view=replace(first.view, camera="yard"))

    choice = choose([ListShard([first, second])], Bounds(2))

    assert keys(choice) == ["a"]
    assert choice.near_duplicates == 1
    assert [(each.key, each.like) for each in choice.named_duplicates] == [("b", "a")]


def test_a_shard_that_is_not_sorted_is_a_bug() -> None:
    shard = ListShard([tracked("a"), tracked("b")])
    shard._candidates.reverse()

    with pytest.raises(ValueError, match="not sorted by key"):
        choose([shard], Bounds(1))
