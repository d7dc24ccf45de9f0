"""Shows text that comes from outside: a file, a camera, an endpoint, the environment."""

TEXT_MAX = 200
"""Characters of a foreign text that a message repeats."""


def printable(text: object, limit: int = TEXT_MAX) -> str:
    r"""Return `str(text)` on one line, safe for a terminal, a journal and UTF-8.

    Control characters, line ends, marks that change the direction of writing and lone surrogates
    become escapes such as `\x1b`. At most `limit` characters of the text are shown; a text that
    is cut says how many characters it has.
    """
    whole = str(text)
    shown = "".join(
        c if c.isprintable() else ascii(c)[1:-1]  # the escape without the quotes
        for c in whole[:limit]
    )
    return shown if len(whole) <= limit else f"{shown}... ({len(whole)} characters)"
