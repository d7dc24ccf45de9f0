"""Which captures were made from others."""

import pytest

from agent.record.synthetic import is_synthetic, is_synthetic_field, parent_of

PARENT = "01900000-0000-7000-8000-000000000001"
MADE = {"parent": PARENT, "operations": [{"name": "flip"}], "seed": 0}


def test_a_capture_of_a_camera_is_not_synthetic() -> None:
    assert not is_synthetic({"id": PARENT})
    assert not is_synthetic({"synthetic": None})
    assert parent_of({"id": PARENT}) is None


def test_a_made_capture_names_its_parent() -> None:
    assert is_synthetic({"synthetic": MADE})
    assert parent_of({"synthetic": MADE}) == PARENT
    assert is_synthetic_field(MADE)


@pytest.mark.parametrize(
    "damaged",
    [
        False,
        {},
        "yes",
        {**MADE, "parent": "../x"},
        {**MADE, "operations": []},
        {**MADE, "operations": [{}] * 3},
        {**MADE, "operations": [{"name": "flip"}] * 21},
        {**MADE, "seed": "1"},
    ],
)
def test_a_damaged_field_keeps_the_capture_out_of_measurements(damaged: object) -> None:
    assert is_synthetic({"synthetic": damaged})
    assert not is_synthetic_field(damaged)
