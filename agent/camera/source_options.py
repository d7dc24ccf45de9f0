"""Options at the end of a source, `?key=value&key=value`, and the sizes that are accepted. Pure."""

import re
from collections.abc import Collection

MAX_SIDE = 16_384
"""The longest side in pixels that is accepted."""

MAX_PIXELS = 64_000_000
"""The largest area that is accepted: 192 MB as BGR. The largest camera sensors have 64 MP."""

_SIZE = re.compile(r"([0-9]{1,6})x([0-9]{1,6})", re.IGNORECASE)


def read_options(text: str, allowed: Collection[str]) -> dict[str, str]:
    """Return the options of `key=value&key=value`.

    Raises:
        ValueError: A key is unknown or comes twice, or a value is missing.
    """
    options: dict[str, str] = {}
    for pair in text.split("&"):
        key, separator, value = pair.partition("=")
        if key not in allowed:
            raise ValueError(f"the option {key!r} is unknown; allowed are {', '.join(allowed)}")
        if not separator or not value:
            raise ValueError(f"the option {key} has no value; write {key}=...")
        if key in options:
            raise ValueError(f"the option {key} is given twice")
        options[key] = value
    return options


def read_size(text: str) -> tuple[int, int]:
    """Return width and height of a text such as `1280x720`.

    Raises:
        ValueError: It is no such text, or the size is beyond the limits.
    """
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueError(f"size={text} is no size; write WIDTHxHEIGHT in pixels, such as 1280x720")
    width, height = int(found[1]), int(found[2])
    if not width or not height or max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise ValueError(
            f"size={text} is not possible; allowed are 1 to {MAX_SIDE} pixels a side and "
            f"{MAX_PIXELS // 1_000_000} million in all"
        )
    return width, height
