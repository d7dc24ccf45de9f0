"""What is missing for auto labels, in words and numbers."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.evaluation.intervals import Term, ratio
from agent.selection.auto_words import (
    NEEDS_FEEDBACK,
    missing_words,
    reviews_needed,
    trusted_words,
)
from agent.selection.feedback import Trust
from tests.selection.auto_frames import MODEL, feedback


def test_the_trusted_classes_are_named_with_confidence_and_lower_bound() -> None:
    assert trusted_words(feedback(), 0.98) == ["car from 0.70 (lower bound 0.985)"]
    assert trusted_words(None, 0.98) == []


def test_what_a_class_lacks_is_said() -> None:
    assert missing_words(None, MODEL, 0.98) == [NEEDS_FEEDBACK]
    (person,) = missing_words(feedback(), MODEL, 0.98)
    assert person.startswith("person is not trusted: lower bound 0.912 < 0.98; about ")
    assert person.endswith(" more reviewed random captures")
    other = replace(MODEL, name="n", sha256="00")
    assert missing_words(feedback(), other, 0.98) == [
        "auto labels need a feedback file for n: this one is for m"
    ]


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ((), "car is not trusted: no reviewed random capture has a box of it"),
        ((Trust(0.5, 0.9799, 5000),), "lower bound 0.979 < 0.98; about 2 more"),
        ((Trust(0.5, 0.7, 1000),), "lower bound 0.7 < 0.98, and the share of right boxes"),
        ((Trust(0.5, 0.9, 30),), "lower bound 0.9 < 0.98; about "),
    ],
)
def test_a_class_that_more_reviews_cannot_help_is_told_apart(
    steps: tuple[Trust, ...], says: str
) -> None:
    said = missing_words(feedback({"car": steps}), MODEL, 0.98)

    assert says in said[0]
    assert said[1] == "not trusted, because no reviewed random capture shows it: person"


def test_a_hundred_and_ninety_right_boxes_promise_a_precision_of_98_percent() -> None:
    assert reviews_needed(0.98) == 189
    assert reviews_needed(0.99) == 381
    assert reviews_needed(0.95) == 73


@given(st.integers(20, 3000), st.integers(0, 3), st.sampled_from([0.9, 0.95, 0.98]))
def test_the_reviews_that_are_said_to_be_needed_are_enough(
    reviewed: int, wrong: int, precision: float
) -> None:
    """By the interval that the feedback's lower bounds come from, but for its quantile."""

    def low(boxes: int) -> float:
        terms = [Term(1.0, n >= wrong, 1) for n in range(boxes)]
        estimate = ratio(terms)
        assert estimate is not None
        return estimate.low

    more = reviews_needed(precision, low=low(reviewed), reviewed=reviewed)
    if low(reviewed) >= precision:
        assert more == 1
        return
    assert more is not None
    assert low(reviewed + 2 * more + 5) >= precision
    assert more == 1 or low(reviewed + more // 2) < precision
