"""Reads the query of a request; what is not understood is refused."""

from collections.abc import Collection

from starlette.requests import Request

from agent.errors import RefusalKind, RequestRefused
from agent.printable import printable


def allow_only(request: Request, names: Collection[str]) -> None:
    """Raise `RequestRefused` for a name in the query that is none of `names`.

    Not for images: pages add a name of their own, so that a browser does not show an old one.
    """
    for name in request.query_params:
        if name not in names:
            raise RequestRefused(
                RefusalKind.INVALID,
                f"cannot use {printable(name, 60)}=: it is unknown; allowed are "
                f"{' and '.join(names)}",
            )


def flag(request: Request, name: str) -> bool:
    """Return whether `name` is 1; it is 0 where it is not given. Raises `RequestRefused`."""
    text = request.query_params.get(name, "0")
    if text not in {"0", "1"}:
        raise RequestRefused(
            RefusalKind.INVALID, f"cannot use {name}={printable(text)}: allowed are 0 and 1"
        )
    return text == "1"


def whole_number(request: Request, name: str, least: int, most: int, *, default: int) -> int:
    """Return a number from `least` to `most`. Raises `RequestRefused`."""
    text = request.query_params.get(name)
    if text is None:
        return default
    digits = len(str(most))
    if not (text.isascii() and text.isdigit() and len(text) <= digits) or not (
        least <= int(text) <= most
    ):
        raise RequestRefused(
            RefusalKind.INVALID,
            f"cannot use {name}={printable(text)}: it must be from {least} to {most}",
        )
    return int(text)
