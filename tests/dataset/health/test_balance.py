"""Targets, deficits and what a dataset lacks."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.dataset.health.balance import Representation, class_balance, default_target
from agent.dataset.health.gaps import Gap, GapKind, gaps

COUNTS = st.dictionaries(st.text(max_size=5), st.integers(0, 10**6), max_size=9)
NO_NINTHS = [[0] * 3 for _ in range(3)]


def health(**parts: Any) -> dict[str, Any]:
    """The parts of a `health.json` that gaps are derived from; nothing is missing by default."""
    return {
        "classes": [],
        "light": {"levels": {}},
        "sizes": {"labels": {}},
        "places": {"ninths": {}},
        **parts,
    }


@pytest.mark.parametrize(
    ("most", "target"), [(0, 100), (12, 100), (400, 100), (401, 101), (4000, 1000), (90_000, 1500)]
)
def test_the_default_target_follows_the_most_frequent_class(most: int, target: int) -> None:
    assert default_target({"car": most, "bus": 0}) == target


def test_a_class_below_a_quarter_of_the_most_frequent_one_is_under_represented() -> None:
    """The shares and words are those of a health check that Roboflow published."""
    counts = {"ball": 7827, "100": 4473, "40": 2690, "30": 1794, "never": 0}

    found = class_balance(counts, counts)

    assert [f"{each.share:.1%}" for each in found[:4]] == ["100.0%", "57.1%", "34.4%", "22.9%"]
    assert [each.representation for each in found] == [
        *[Representation.FAIR] * 3, Representation.UNDER, Representation.MISSING,
    ]  # fmt: skip


def test_a_target_of_its_own_counts_before_that_of_all() -> None:
    found = class_balance({"car": 90, "bus": 12}, {"bus": 9}, target=50, targets={"bus": 300})

    assert [(each.target, each.deficit, each.images) for each in found] == [
        (50, 0, 0), (300, 288, 9),
    ]  # fmt: skip


@given(COUNTS)
def test_a_deficit_fills_the_class_to_its_target(counts: dict[str, int]) -> None:
    for each in class_balance(counts, {}):
        assert each.objects + each.deficit == max(each.objects, each.target)


def test_a_dataset_that_lacks_nothing_has_no_gaps() -> None:
    assert gaps(health()) == []


def test_gaps_say_how_much_is_missing_in_one_order() -> None:
    ninths = [[0, 0, 0], [30, 30, 40], [0, 0, 0]]
    found = gaps(
        health(
            classes=[
                {"label": "car", "objects": 90, "target": 100},
                {"label": "bus", "objects": 12, "target": 100},
                {"label": "never", "objects": 0, "target": 100},
            ],
            light={"levels": {"dark": 0, "medium": 80, "bright": 20}},
            sizes={"labels": {"car": {"small": 50, "medium": 40, "large": 0}}},
            places={"ninths": {"car": ninths, "bus": [[0, 0, 0], [0, 0, 12], [0, 0, 9]]}},
        )
    )

    assert found == [
        Gap(GapKind.CLASS, "bus", "objects", 12, 100),
        Gap(GapKind.CLASS, "car", "objects", 90, 100),
        Gap(GapKind.LIGHT, "", "dark", 0, 10),
        Gap(GapKind.SIZE, "car", "large", 0, 9),
        Gap(GapKind.PLACE, "bus", "centre", 0, 2),
        Gap(GapKind.PLACE, "bus", "left", 0, 2),
        Gap(GapKind.PLACE, "car", "bottom right", 0, 5),
    ]
    assert found[0].missing == 88


def test_few_objects_say_nothing_about_sizes_and_places() -> None:
    few = {"small": 19, "medium": 0, "large": 0}

    assert gaps(health(sizes={"labels": {"bus": few}}, places={"ninths": {"bus": NO_NINTHS}})) == []
