"""The glossary holds in every text and name: retired words do not come back.

`retired_words.txt` lists each with what to say instead.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import ROOT

LIST = Path(__file__).with_name("retired_words.txt")
FOLDERS = ("agent", "docs", "models", "packaging", "systemd", "tests", ".ci")
FILES = ("README.md", "CHANGELOG.md", "pyproject.toml")
SUFFIXES = frozenset({"", ".py", ".md", ".toml", ".txt", ".service", ".conf", ".env"})
NOT_OURS = frozenset({LIST.name, Path(__file__).name, "LICENSES.md"})
MADE_BY_TOOLS = frozenset({"__pycache__", ".hypothesis", ".pytest_cache"})
FIXED = ('"kept_with/"', "not bought: ")
"""A name that older versions wrote to disk, and words of an explanation that programs look for."""


def retired() -> dict[str, str]:
    """What to say instead, by the expression that finds a retired word."""
    lines = LIST.read_text("utf-8").splitlines()
    rows = (line.split("\t") for line in lines if line and not line.startswith("#"))
    return {row[0]: row[1] for row in rows}


PATTERN = re.compile(
    rf"(?<![A-Za-z])(?:{'|'.join(f'({expression})' for expression in retired())})(?![A-Za-z])",
    re.IGNORECASE,
)


def complaints(text: str) -> Iterator[str]:
    """Each retired word of a text, with its line."""
    for name in FIXED:
        text = text.replace(name, "")
    for number, line in enumerate(text.splitlines(), start=1):
        for found in PATTERN.finditer(line):
            yield f"line {number}: {found[0]!r}"


def texts() -> list[Path]:
    """Every file that a person reads and that is written here."""
    found = [ROOT / name for name in FILES]
    for folder in FOLDERS:
        found += (path for path in sorted((ROOT / folder).rglob("*")) if path.is_file())
    return [
        path
        for path in found
        if path.suffix in SUFFIXES
        and path.name not in NOT_OURS
        and not MADE_BY_TOOLS.intersection(path.parts)
    ]


def found_words() -> dict[str, list[str]]:
    """The complaints about each file, its name included, by its path."""
    found = {}
    for path in texts():
        wrong = list(complaints(path.read_text("utf-8", errors="replace")))
        wrong += (f"its name: {each}" for each in complaints(path.stem))
        if wrong:
            found[str(path.relative_to(ROOT))] = wrong
    return found


def test_no_text_and_no_file_name_has_a_retired_word() -> None:
    assert found_words() == {}


@pytest.mark.parametrize(
    "text", ["the far side", "far_side = 1", "FAR-SIDES", "kept_with", "a newcomer", "Mend it"]
)
def test_a_retired_word_is_found_in_prose_and_in_names(text: str) -> None:
    assert len(list(complaints(text))) == 1


@pytest.mark.parametrize("text", ["amendment", "accurate", "the endpoint", "potential", "shopping"])
def test_other_words_that_contain_one_pass(text: str) -> None:
    assert list(complaints(text)) == []
