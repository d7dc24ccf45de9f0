"""Text from outside cannot command a terminal, break a line or stop an encoder."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("car", "car"),
        ("Straße 5", "Straße 5"),
        ("a\nb", "a\\nb"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\ud800", "\\ud800"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("x" * 300, "x" * 200 + "... (300 characters)"),
        (12, "12"),
    ],
)
def test_what_could_do_harm_is_escaped(text: object, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(alphabet=st.characters()), st.integers(0, 300))
def test_every_text_becomes_one_bounded_line_of_utf8(text: str, limit: int) -> None:
    shown = printable(text, limit)
    assert shown.isprintable()
    shown.encode()
    assert len(shown) <= 10 * limit + len(f"... ({len(text)} characters)")


def test_printable_text_within_the_limit_is_shown_as_it_is() -> None:
    assert printable("a" * 200) == "a" * 200
