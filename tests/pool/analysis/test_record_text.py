"""The record of a row is JSON in UTF-8, whatever a camera is called."""

import json

from agent.pool.analysis.row_maker import record_text

RECORD = {"camera": 'café "1"\n\x1f', "p": [0.0001, 12.0, 0.5], "task": None, "is": True}


def test_a_record_is_json_without_spaces() -> None:
    expected = json.dumps(RECORD, ensure_ascii=False, separators=(",", ":")).encode()

    assert record_text(RECORD) == expected


def test_a_byte_of_a_name_that_is_no_text_becomes_a_question_mark() -> None:
    assert record_text({**RECORD, "camera": "gate\udc80"}) == record_text(
        {**RECORD, "camera": "gate?"}
    )
