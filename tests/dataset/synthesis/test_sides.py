"""Where an image may be mirrored."""

import pytest

from agent.dataset.synthesis.sides import may_flip, names_a_side, shows_text


@pytest.mark.parametrize(
    "label", ["left", "turn left", "turn_right", "arrowRight", "LEFT-HAND", "Pfeil rechts"]
)
def test_a_class_with_a_side_stops_all_mirroring(label: str) -> None:
    assert names_a_side(label)
    assert not may_flip([{"label": "car"}], ["car", label])


@pytest.mark.parametrize("label", ["bright", "copyright", "cleft", "car", "person", "leftovers"])
def test_a_word_that_only_contains_one_is_no_side(label: str) -> None:
    assert not names_a_side(label)
    assert may_flip([{"label": label}], [label])


@pytest.mark.parametrize("label", ["stop sign", "license_plate", "A", "7", "42", "speed limit 50"])
def test_an_image_with_text_is_not_mirrored_and_others_are(label: str) -> None:
    assert shows_text(label)
    assert not may_flip([{"label": "car"}, {"label": label}], ["car", label])
    assert may_flip([{"label": "car"}], ["car", label])


def test_a_person_can_name_more_labels() -> None:
    assert not may_flip([{"label": "valve"}], ["valve"], never=["valve"])


@pytest.mark.parametrize(("count", "may"), [(17, True), (5, False)])
def test_keypoints_are_mirrored_where_their_counterparts_are_known(count: int, may: bool) -> None:
    thing = {"label": "person", "keypoints": [[0.0, 0.0, 1.0]] * count}

    assert may_flip([thing], ["person"]) is may
