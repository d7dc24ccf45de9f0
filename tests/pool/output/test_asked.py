"""Bounds are read as people write them, and all that is wrong is told at once."""

import pytest

from agent.errors import ConfigurationError
from agent.pool.choices import Bounds
from agent.pool.output.asked import asked_bounds


def asked(take: int = 5, per_camera: int | None = None, *per_class: str) -> Bounds:
    return asked_bounds(
        take, per_camera=per_camera, per_class=per_class, labels=("person", "car", "traffic light")
    )


def test_a_number_is_for_each_class_and_a_label_has_its_own() -> None:
    assert asked(5, 2, "10", "person=3", "traffic light=0") == Bounds(
        5, 2, 10, {"person": 3, "traffic light": 0}
    )


@pytest.mark.parametrize(
    ("per_class", "why"),
    [
        (("persn=3",), "the model has no label persn; did you mean person\\?"),
        (("person=",), "nothing is not a number"),
        (("person=1.5",), "1.5 is not a number"),
        (("person=-1",), "-1 is not a number"),
        (("person=\u0661",), "is not a number"),
        (("0",), "no class could have an image"),
        (("3", "4"), "it is given twice"),
        (("car=3", "car=4"), "car is given twice"),
        (("9" * 5000,), "is not a number"),
    ],
)
def test_a_bound_that_cannot_be_meant_is_refused(per_class: tuple[str, ...], why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        asked(5, None, *per_class)


def test_all_that_is_wrong_is_told() -> None:
    with pytest.raises(ConfigurationError) as caught:
        asked(0, -1, "x=1", "y=2")

    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == [
        "cannot use --take 0",
        "cannot use --per-camera -1",
        "cannot use --per-class x=1",
        "cannot use --per-class y=2",
    ]


def test_a_model_that_knows_no_labels_takes_any() -> None:
    bounds = asked_bounds(1, per_camera=None, per_class=("gnu=2",), labels=())

    assert bounds.labels == {"gnu": 2}
