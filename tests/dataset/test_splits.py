"""Splits of any captures: nothing in train is near in time to what is held out."""

import dataclasses
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.dataset.leakage import Neighbours, leaks
from agent.dataset.moments import Moment, moments_of
from agent.dataset.splits import (
    Candidate,
    LeftOut,
    Split,
    SplitTerms,
    split_captures,
    validation_blocks,
)
from agent.record.timestamp import timestamp
from tests.fakes.captures import capture_id, record_of

seconds = st.integers(0, 2000).map(float)
moments = st.builds(
    Moment,
    device=st.just("d"),
    camera=st.sampled_from(["gate", "door"]),
    boot=st.sampled_from(["one", "two"]),
    uptime=seconds,
) | st.builds(Moment, device=st.just("d"), camera=st.sampled_from(["gate", "door"]), wall=seconds)


@st.composite
def candidates(draw: st.DrawFn) -> list[Candidate]:
    count = draw(st.integers(0, 30))
    made = []
    for number in range(count):
        kind = draw(st.sampled_from(["score", "score", "random", "reviewed", "auto", "synthetic"]))
        made.append(
            Candidate(
                capture_id(number),
                draw(moments),
                str(draw(st.integers(0, 60))),
                is_random=kind in {"random", "reviewed"},
                is_reviewed=kind == "reviewed",
                is_automatic=kind == "auto",
                is_synthetic=kind == "synthetic",
                parent=capture_id(draw(st.integers(0, count))) if kind == "synthetic" else "",
            )
        )
    return made


terms = st.builds(
    SplitTerms,
    block=st.sampled_from([60.0, 300.0, 600.0]),
    gap=st.sampled_from([0.0, 5.0, 60.0]),
    val=st.sampled_from([0.0, 0.2, 0.5]),
    has_test=st.booleans(),
)


def least_seconds(a: Moment, b: Moment) -> float:
    """The least time that may lie between two frames, by the definition."""
    if (a.device, a.camera) != (b.device, b.camera):
        return inf
    if a.boot == b.boot and a.uptime is not None and b.uptime is not None:
        return abs(a.uptime - b.uptime)
    if a.wall is not None and b.wall is not None:
        return abs(a.wall - b.wall)
    if a.uptime is not None and b.uptime is not None:
        return min(a.uptime, b.uptime)
    return 0.0


@given(candidates(), terms)
def test_no_training_frame_is_near_to_a_held_out_one(
    made: list[Candidate], wanted: SplitTerms
) -> None:
    found = split_captures(made, wanted)

    assert found.by_id.keys() | found.left_out.keys() == {each.id for each in made}
    assert not found.by_id.keys() & found.left_out.keys()
    own = [each for each in made if found.by_id.get(each.id) and not each.is_synthetic]
    for one in own:
        for other in own:
            if found.by_id[one.id] is Split.TRAIN and found.by_id[other.id] is not Split.TRAIN:
                assert wanted.gap == 0 or least_seconds(one.moment, other.moment) > wanted.gap
                assert one.image != other.image


@given(candidates(), terms)
def test_each_lane_is_only_where_it_may_be(made: list[Candidate], wanted: SplitTerms) -> None:
    found = split_captures(made, wanted).by_id

    for each in made:
        split = found.get(each.id)
        if each.is_random and wanted.has_test:
            assert split is (Split.TEST if each.is_reviewed else None)
        elif each.is_automatic or each.is_synthetic:
            assert split in {Split.TRAIN, None}
        else:
            assert split is not Split.TEST
        if each.is_synthetic and split is not None:
            assert found[each.parent] is Split.TRAIN


@given(candidates(), terms)
def test_a_block_is_never_in_train_and_in_validation(
    made: list[Candidate], wanted: SplitTerms
) -> None:
    found = split_captures(made, wanted).by_id
    by_split = {
        split: {
            each.moment.block(wanted.block)
            for each in made
            if found.get(each.id) is split and not each.is_synthetic
        }
        for split in Split
    }

    assert not by_split[Split.TRAIN] & by_split[Split.VAL]


@given(candidates(), terms, st.randoms())
def test_the_order_of_the_captures_changes_nothing(
    made: list[Candidate], wanted: SplitTerms, random: Any
) -> None:
    before = split_captures(made, wanted)
    random.shuffle(made)

    assert split_captures(made, wanted) == before


@given(st.lists(moments, max_size=20), moments)
def test_the_distance_to_a_set_is_that_to_its_nearest_frame(
    others: list[Moment], one: Moment
) -> None:
    expected = min((least_seconds(one, other) for other in others), default=inf)

    assert Neighbours(others).distance(one) == expected


def test_blocks_keep_their_split_when_a_camera_is_added() -> None:
    old = [("d", "gate", "", str(number)) for number in range(200)]
    new = [("d", "door", "", str(number)) for number in range(100)]
    before = validation_blocks(old, 0.2)

    assert validation_blocks(old + new, 0.2) & set(old) == before
    assert 30 <= len(before) <= 50


@pytest.mark.parametrize(
    ("sizes", "least", "most"),
    [
        ([5], 0, 0),
        ([], 0, 0),
        ([90, 10], 10, 10),
        ([50, 50], 50, 50),
        ([10] * 5, 10, 30),
        ([1, 1, 1, 97], 3, 3),
    ],
)
def test_validation_gets_what_the_blocks_allow(sizes: list[int], least: int, most: int) -> None:
    blocks = [("d", "gate", "", str(n)) for n, size in enumerate(sizes) for _ in range(size)]
    found = validation_blocks(blocks, 0.2)

    assert least <= sum(block in found for block in blocks) <= most


def timed(number: int, wall: float, uptime: float, **more: Any) -> dict[str, Any]:
    clock = {"boot_id": "one", "clock_synchronized": True, "monotonic_ns": int(uptime * 1e9)}
    return record_of(number, b"", captured_at=timestamp(wall), **clock | more)


def test_one_synchronized_record_tells_the_time_of_all_of_its_boot() -> None:
    records = {
        "a": timed(1, 0.0, 100.0, clock_synchronized=False),
        "b": timed(2, 1_000_000.0, 160.0),
        "c": timed(3, 0.0, 100.0, clock_synchronized=False, boot_id="two"),
        "d": timed(4, 0.0, 100.0, clock_synchronized=False, boot_id=None),
        "e": timed(5, 1_000_000.0, 0.0, boot_id=None, monotonic_ns="x"),
    }
    found = moments_of(records)

    assert found["a"].wall == 999_940.0
    assert (found["c"].wall, found["c"].uptime) == (None, 100.0)
    assert not found["d"].is_timed
    assert found["e"].wall == 1_000_000.0


def test_captures_of_a_wrong_clock_are_not_near_because_both_clocks_started_in_1970() -> None:
    """Two boots with the same wrong time of day: the uptime says how far apart they are."""
    records = {
        "a": timed(1, 900.0, 900.0, clock_synchronized=False),
        "b": timed(2, 900.0, 905.0, clock_synchronized=False, boot_id="two"),
    }
    found = moments_of(records)

    assert Neighbours([found["a"]]).distance(found["b"]) == 900.0
    assert found["a"].block(600.0) != found["b"].block(600.0)


def test_images_of_a_pool_without_a_time_are_near_to_none() -> None:
    names = [capture_id(number) for number in range(40)]
    alone = {"monotonic_ns": 0, "clock_synchronized": False, "captured_at": timestamp(0)}
    records = {
        name: record_of(number, b"") | alone | {"boot_id": name}
        for number, name in enumerate(names)
    }
    moments = moments_of(records)
    candidates = [Candidate(name, moments[name], name) for name in names]

    splits = split_captures(candidates, SplitTerms())

    assert not splits.left_out
    assert 4 <= len(splits.ids(Split.VAL)) <= 12
    device = moments_of({names[0]: records[names[0]] | {"boot_id": "boot"}})[names[0]]
    assert Neighbours([moments[names[1]]]).distance(device) == inf
    assert Neighbours([device]).distance(moments[names[1]]) == inf


def test_the_leak_table_by_hand() -> None:
    """Frames each second for 100 s; of validation, 4 of 20 are within 10 s of training frames."""
    at = {str(n): Moment("d", "gate", wall=float(n)) for n in range(100)}
    train, val = [str(n) for n in range(64)], [str(n) for n in range(70, 90)]
    rows = leaks(at, train, val, left_out=[str(n) for n in range(64, 70)], within=(1.0, 10.0, 60.0))

    assert [row.share for row in rows] == [0.0, 0.2, 1.0]
    assert rows[0].at_random > 0.9
    assert rows[1].at_random == 1.0
    assert leaks(at, train, []) == []


@pytest.mark.parametrize("synchronized", [True, False])
def test_frames_just_as_far_apart_as_the_gap_are_within_it(*, synchronized: bool) -> None:
    """Sums and differences of times are not exact: 7.3 - 6.3 is less than 1, 8.1 - 7.1 more."""
    records = {
        str(n): timed(
            n, 1_790_000_000.1 + n, 1000.1 + n, clock_synchronized=synchronized and n % 7 == 0
        )
        for n in range(60)
    }
    found = moments_of(records)

    distances = [Neighbours([found[str(n)]]).distance(found[str(n + 1)]) for n in range(59)]

    assert set(distances) == {1.0}


def test_a_split_that_ignores_the_gap_is_found() -> None:
    """The leak table shows what the splits would do wrong without a gap."""
    made = [
        Candidate(capture_id(n), Moment("d", "gate", wall=float(10 * n)), str(n))
        for n in range(200)
    ]
    at = {each.id: each.moment for each in made}

    def share(gap: float) -> float:
        found = split_captures(made, SplitTerms(gap=gap))
        left_out = found.left_out
        assert set(found.left_out.values()) == ({LeftOut.NEAR} if gap else set())
        (row,) = leaks(
            at, found.ids(Split.TRAIN), found.ids(Split.VAL), left_out=left_out, within=(59.0,)
        )
        assert row.at_random > 0.9
        return row.share

    assert share(gap=60.0) == 0.0
    assert share(gap=0.0) > 0.0


def test_without_a_test_set_random_captures_are_split_like_others() -> None:
    made = [
        Candidate(capture_id(n), Moment("d", "gate", wall=600.0 * n), str(n), is_random=True)
        for n in range(50)
    ]
    found = split_captures(made, dataclasses.replace(SplitTerms(), has_test=False))

    assert set(found.by_id.values()) == {Split.TRAIN, Split.VAL}
    assert set(split_captures(made, SplitTerms()).left_out.values()) == {LeftOut.UNREVIEWED}
