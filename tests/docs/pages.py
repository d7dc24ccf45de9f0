"""The pages as a reader meets them: fenced blocks, the commands in them, and inline code."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests import ROOT

PAGES = (
    ROOT / "README.md",
    ROOT / "models" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
)

BY_CI = "test command"
"""The mark of the block that runs this very suite; `.ci/run` takes it from between its marks."""
SLOW = "run by the slow tests:"
NOT_RUN = "not run by the tests:"

_MARK = re.compile(r"<!-- (.*) -->")
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_SEPARATORS = frozenset({"&&", "||", ";", "|", "&"})


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block."""

    page: Path
    line: int  # of its opening fence, from 1
    language: str
    text: str
    mark: str  # the comment in the line before it, without `<!--`; empty where there is none

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@dataclass(frozen=True, slots=True)
class Command:
    """One command, as the shell would take it apart."""

    settings: dict[str, str]  # `NAME=value` before it, or alone
    words: tuple[str, ...]  # empty where there is nothing but settings


def blocks(page: Path) -> Iterator[Block]:
    """Every fenced block of a page."""
    lines = page.read_text("utf-8").splitlines()
    begun: int | None = None
    for number, line in enumerate(lines):
        if not line.startswith("```"):
            continue
        if begun is None:
            begun = number
            continue
        mark = _MARK.fullmatch(lines[begun - 1]) if begun else None
        text = "\n".join(lines[begun + 1 : number])
        language = lines[begun].removeprefix("```").strip()
        yield Block(page, begun + 1, language, text, mark[1] if mark else "")
        begun = None
    assert begun is None, f"{page}: the block of line {(begun or 0) + 1} does not end"


def indented_blocks(page: Path) -> list[str]:
    """Lines that Markdown would show as a block without a language."""
    text = re.sub(r"(?ms)^```.*?^```", "", page.read_text("utf-8"))
    return re.findall(r"(?m)^(?: {4}|\t)\S.*$", text)


def shell_blocks() -> list[Block]:
    return [block for page in PAGES for block in blocks(page) if block.language == "sh"]


def inline_code(page: Path) -> list[str]:
    """What stands between backticks in the running text."""
    text = re.sub(r"(?ms)^```.*?^```", "", page.read_text("utf-8"))
    return [found.replace("\\|", "|") for found in _INLINE.findall(text)]


def lines_of(text: str) -> list[str]:
    """The logical lines of a script: continued ones joined, comments and empty ones left out."""
    joined = text.replace("\\\n", " ").splitlines()
    return [line for line in joined if shlex.split(line, comments=True)]


def commands(text: str) -> list[Command]:
    """The commands of a script in their order."""
    found = []
    for line in lines_of(text):
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words: list[str] = []
        for word in (*lexer, ";"):
            if word not in _SEPARATORS:
                words.append(word)
            elif words:
                found.append(_command(words))
                words = []
    return found


def _command(words: list[str]) -> Command:
    words = words[1:] if words[0] in ("export", "sudo") else words
    settings: dict[str, str] = {}
    while words and re.match(r"[A-Z][A-Z0-9_]*=", words[0]):
        name, _, value = words[0].partition("=")
        settings[name] = value
        words = words[1:]
    return Command(settings, tuple(words))
