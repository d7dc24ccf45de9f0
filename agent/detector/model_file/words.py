"""The words and numbers of a model's files, checked before anything else uses them.

Labels go into records, file names of datasets, logs and terminals. So they have a limited length,
no control characters and no lone surrogates, which UTF-8 cannot encode; numbers are finite and
within bounds. Python literals are read by a parser of its own, because `ast.literal_eval` uses much
memory and can overflow the stack.
"""

import ast
import json
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator

from agent.printable import printable

LONGEST_LABEL = 200  # characters
MOST_LABELS = 50_000  # ImageNet-21k has 21,843
LONGEST_TEXT = 2_000_000  # characters of a file or an entry
LONGEST_STRING = 2000  # characters of one string in a literal
DEEPEST = 4  # nested lists and dictionaries
LARGEST_NUMBER = 1e6

# Marks that change the direction of the text around them; those that join letters are allowed.
_DIRECTION = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_UNSAFE = frozenset({"Cc", "Cs", "Zl", "Zp"})

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>[ub]?(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"))
      | (?P<number>[+-]?\d{1,12}(?:\.\d{0,20})?(?:[eE][+-]?\d{1,3})?(?![\w.]))
      | (?P<sign>[\[\](){}:,])
    )""",
    re.VERBOSE | re.ASCII,
)
_CLOSING = {"[": "]", "(": ")", "{": "}"}


def labels_of(values: Iterable[object]) -> tuple[str, ...]:
    """Return the labels of the classes, in their order; white space in them becomes one space.

    Raises:
        ValueError: One is not a text, is empty, too long, or has control characters; or there are
            too many.
    """
    labels: list[str] = []
    for number, value in enumerate(values):
        if number == MOST_LABELS:
            raise ValueError(f"there are more than {MOST_LABELS} labels")
        labels.append(_label(number, value))
    return tuple(labels)


def _label(number: int, value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < LARGEST_NUMBER:
        value = str(value)
    if not isinstance(value, str):
        raise ValueError(f"label {number} is not a text")  # noqa: TRY004  # an error of the file
    label = " ".join(value[:LONGEST_TEXT].split())
    if not label:
        raise ValueError(f"label {number} is empty")
    if len(label) > LONGEST_LABEL:
        raise ValueError(f"label {number}, '{printable(label, 20)}', is too long")
    if any(unicodedata.category(c) in _UNSAFE or c in _DIRECTION for c in label):
        raise ValueError(f"label {number}, '{printable(label)}', has control characters")
    return label


def numbers_of(value: object, count: int) -> tuple[float, ...] | None:
    """Return a list of finite numbers up to `LARGEST_NUMBER`; None if it is something else."""
    if not isinstance(value, list | tuple) or len(value) != count:
        return None
    numbers = tuple(number_of(each) for each in value)
    return None if None in numbers else tuple(each for each in numbers if each is not None)


def number_of(value: object) -> float | None:
    """Return a finite number up to `LARGEST_NUMBER`; None if it is something else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    is_fit = -LARGEST_NUMBER <= value <= LARGEST_NUMBER  # no conversion: an int may be huge
    return float(value) if is_fit and math.isfinite(value) else None


def literal(text: str) -> object:
    """Read a Python or JSON literal of strings, numbers, lists, tuples and dictionaries.

    Raises:
        ValueError: It is something else, too long, or nested too deeply.
    """
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"it is longer than {LONGEST_TEXT} characters")
    tokens = _tokens(text.strip())
    value = _value(next(tokens), tokens, 0)
    if next(tokens) != ("", ""):
        raise ValueError("something follows after its end")
    return value


Token = tuple[str, str]  # kind and text; two empty ones at the end


def _tokens(text: str) -> Iterator[Token]:
    position = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None or found.lastgroup is None:
            raise ValueError(f"'{printable(text[position : position + 20])}' is not understood")
        yield found.lastgroup, found[found.lastgroup]
        position = found.end()
    while True:
        yield "", ""


def _value(token: Token, tokens: Iterator[Token], depth: int) -> object:
    kind, text = token
    if kind == "string":
        return _string(text)
    if kind == "number":
        return float(text) if set(text) & set(".eE") else int(text)
    if text not in _CLOSING or depth == DEEPEST:
        raise ValueError("nested too deeply" if text in _CLOSING else "a value is missing")
    items: list[object] = []
    entries: dict[object, object] = {}
    closing = _CLOSING[text]
    token = next(tokens)
    while token[1] != closing or token[0] != "sign":
        item = _value(token, tokens, depth + 1)
        token = next(tokens)
        if closing == "}":
            if token != ("sign", ":") or not isinstance(item, str | int | float):
                raise ValueError("a key of a dictionary is missing")
            if item in entries:
                raise ValueError(f"the key {printable(item)} comes twice")
            entries[item] = _value(next(tokens), tokens, depth + 1)
            token = next(tokens)
        else:
            items.append(item)
        if token == ("sign", ","):
            token = next(tokens)
        elif token != ("sign", closing):
            raise ValueError("a comma is missing")
    return entries if closing == "}" else items


def _string(text: str) -> str:
    """Return the content of a quoted string."""
    if len(text) > LONGEST_STRING:
        raise ValueError("a string is too long")
    if text.startswith('"'):
        try:
            return str(json.loads(text))  # joins the two halves of a character, as `\ud83d\ude00`
        except ValueError:
            pass  # with an escape of Python alone
    try:
        return str(ast.literal_eval(text.removeprefix("b")))
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"the string {printable(text)} is not understood") from error
