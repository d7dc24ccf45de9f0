"""What people said of a capture, as commands and contact sheets show it."""

from typing import Any

import pytest

from agent.domain import VerdictKind
from agent.record.seen import said_words
from agent.record.summary import verdict_tags
from agent.record.verdicts import counted
from tests.fakes.captures import record_of, said


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"note": None, "verdicts": []}, ""),
        ({"verdicts": [said(1)]}, "wrong"),
        ({"verdicts": [said(1, by="ann", note="no car")]}, "wrong by ann: no car"),
        ({"verdicts": [said(1), said(1, VerdictKind.MISSING)]}, "wrong; missing"),
        ({"verdicts": [said(2, note="of another capture")]}, ""),
        ({"note": "a new pallet"}, "note: a new pallet"),
        ({"note": "same", "verdicts": [said(1, note="same")]}, "wrong: same"),
        ({"note": "\u202e two\nlines"}, r"note: \u202e two lines"),
    ],
)
def test_verdicts_and_note_in_words(changes: dict[str, Any], words: str) -> None:
    assert said_words(record_of(1, b"", **changes)) == words


def test_long_words_are_cut() -> None:
    assert len(said_words(record_of(1, b"", note="n" * 900))) <= 110


def test_tags_tell_affirmation_from_review() -> None:
    kinds = [said(1, kind) for kind in VerdictKind]
    tags = verdict_tags(record_of(1, b"", verdicts=[*kinds, *kinds]))

    assert tags == [
        "verdict-right",
        "verdict-wrong",
        "verdict-missing",
        "verdict-unusable",
        "unobjected",
    ]


def test_verdicts_are_counted_by_kind() -> None:
    assert counted(["right", "wrong", "right"]) == "2 right, 1 wrong"
    assert counted([]) == ""
