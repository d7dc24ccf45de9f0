"""Auto labels in the review queue: the audits come first, and say what they are."""

from pathlib import Path

from agent.dataset.captures import DatasetCapture
from agent.record.audit import is_audited
from agent.review.entries import Queue, entry_of
from agent.review.shown import whole
from tests.fakes.captures import capture_id, record_of


def test_audits_come_before_other_auto_labels_and_say_what_they_are() -> None:
    captures = [
        DatasetCapture(capture_id(n), record_of(n, b"", lane="auto", value=n), Path())
        for n in range(1, 200)
    ]
    ordered = sorted(captures, key=lambda each: entry_of(each).order)
    audits = [is_audited(each.id) for each in ordered]
    words = [whole(each, entry_of(each), None, ())["lane_words"] for each in ordered]

    assert {entry_of(each).queue for each in captures} == {Queue.AUTO}
    assert audits == sorted(audits, reverse=True)
    assert any(audits)
    assert [said.startswith("Audit: ") for said in words] == audits
