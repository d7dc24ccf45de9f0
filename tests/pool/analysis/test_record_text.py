"""The record of a row is JSON in UTF-8, whatever a camera is called."""

import json

import pytest

from agent.errors import UnusableImage
from agent.pool.analysis.row_maker import record_text

RECORD = {"camera": 'café "1"\n\x1f', "p": [0.0001, 12.0, 0.5], "task": None, "is": True}


def test_a_record_is_json_without_spaces() -> None:
    expected = json.dumps(RECORD, ensure_ascii=False, separators=(",", ":")).encode()

    assert record_text(RECORD) == expected


def test_a_byte_of_a_name_that_is_no_text_becomes_a_question_mark() -> None:
    assert record_text({**RECORD, "camera": "gate\udc80"}) == record_text(
        {**RECORD, "camera": "gate?"}
    )


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_json_cannot_hold_makes_the_image_unusable(number: float) -> None:
    with pytest.raises(UnusableImage, match="a number that is not finite"):
        record_text({**RECORD, "detections": [{"confidence": number}]})


def test_a_label_may_be_called_as_such_a_number_is() -> None:
    record = {**RECORD, "label": "NaN", "camera": "-Infinity"}

    assert json.loads(record_text(record)) == record
