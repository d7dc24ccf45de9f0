"""The feedback file: what was written comes back, and nothing else is taken."""

import json
from dataclasses import replace

import pytest

from agent.selection.feedback import (
    ClassFeedback,
    Feedback,
    Side,
    SuspectFactor,
    Trust,
    feedback_bytes,
    parse_feedback,
)

FEEDBACK = Feedback(
    "2026-11-29T12:00:00.000Z",
    "0.1.0",
    "nanodet-g-416",
    "a" * 64,
    41,
    (SuspectFactor("flicker", Side.BELOW, "car", None, 12, 2.5, 6.0, 0.5),),
    (ClassFeedback("car", 0.71, 90, 10, 1.2, 0.34, (Trust(0.5, 0.9, 80), Trust(0.8, 0.985, 60))),),
)


def test_a_file_comes_back_as_it_was_written() -> None:
    data = feedback_bytes(FEEDBACK)

    assert parse_feedback(data) == FEEDBACK
    assert json.loads(data)["sha256"] == FEEDBACK.sha256
    assert replace(FEEDBACK, captures=42).sha256 != FEEDBACK.sha256


def test_a_class_is_trusted_from_the_lowest_confidence_that_keeps_the_promise() -> None:
    assert FEEDBACK.trusted_confidence("car", 0.9) == 0.5
    assert FEEDBACK.trusted_confidence("car", 0.98) == 0.8
    assert FEEDBACK.trusted_confidence("car", 0.99) is None
    assert FEEDBACK.trusted_confidence("bus", 0.5) is None


def test_each_changed_byte_and_each_cut_is_noticed() -> None:
    data = feedback_bytes(FEEDBACK)
    places = [n for n, byte in enumerate(data) if chr(byte).isalnum()]

    for place in places[::7]:
        changed = bytes([data[place] ^ 1])
        with pytest.raises(ValueError, match="it"):
            parse_feedback(data[:place] + changed + data[place + 1 :])
        with pytest.raises(ValueError, match="it"):
            parse_feedback(data[:place])


@pytest.mark.parametrize(
    "factor", [-1.0, 21.0, float("nan"), float("inf"), True, "1", None, 10**400]
)
def test_a_factor_out_of_bounds_is_refused_even_with_a_right_hash(factor: object) -> None:
    odd = replace(FEEDBACK.suspects[0], factor=factor)  # type: ignore[arg-type]

    with pytest.raises(ValueError, match=r"number|field"):
        parse_feedback(feedback_bytes(replace(FEEDBACK, suspects=(odd,))))
