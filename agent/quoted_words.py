"""Splits the value of a setting that is a list: blanks separate words, quotes group."""

_BLANKS = " \t\r\n"
_QUOTES = "'\""


def split_words(text: str) -> list[str]:
    r"""Split `text` at blanks, unless they are inside quotes.

    A quote groups only where a word begins, or right after the `=` of `name=`, and ends before a
    blank, before the `=` of `'a name'=`, or at the end of the text. Every other quote and every
    backslash stands for itself: a password such as `it's\me` needs neither quotes nor escapes.

    Raises:
        ValueError: A quote at the beginning of a word is not closed.
    """
    words: list[str] = []
    position = 0
    while True:
        while position < len(text) and text[position] in _BLANKS:
            position += 1
        if position == len(text):
            return words
        word, position = _word(text, position)
        words.append(word)


def _word(text: str, start: int) -> tuple[str, int]:
    """The word that begins at `start`, and where it ends."""
    word, position, may_open = "", start, True
    while position < len(text) and text[position] not in _BLANKS:
        char = text[position]
        if may_open and char in _QUOTES:
            end = _closing_quote(text, position, before_equals="=" not in word)
            word += text[position + 1 : end]
            position, may_open = end + 1, False
            continue
        may_open = char == "=" and not set("=/") & set(word)
        word += char
        position += 1
    return word, position


def _closing_quote(text: str, start: int, *, before_equals: bool) -> int:
    ends = _BLANKS + "=" if before_equals else _BLANKS
    position = text.find(text[start], start + 1)
    while position >= 0 and text[position + 1 : position + 2] not in ("", *ends):
        position = text.find(text[start], position + 1)
    if position < 0:
        raise ValueError(f"the quote {text[start]} is not closed")
    return position
