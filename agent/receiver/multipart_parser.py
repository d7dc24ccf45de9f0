"""Reads a multipart request of bounded size, piece by piece as it arrives."""

from collections.abc import Callable, Iterator

from multipart import MultipartError, PushMultipartParser, parse_options_header

_PIECE = 65536  # bytes asked for at once
_PARTS_MAX = 8


class FormError(ValueError):
    """The body is not the form that its headers announce."""


class Body:
    """The bytes of one request's body, never more than its `Content-Length`.

    `read` is asked for at most so many bytes and returns at least one, or none at the end.
    """

    def __init__(self, read: Callable[[int], bytes], length: int) -> None:
        self.left = length
        """Bytes that were not read yet."""
        self.is_cut = False
        """Whether the sender went away before the end."""
        self._read = read

    def read(self) -> bytes:
        """The next piece; empty at the end, or when the sender went away before it."""
        piece = self._read(min(_PIECE, self.left)) if self.left else b""
        if self.left and not piece:
            self.is_cut = True
            self.left = 0
        self.left -= len(piece)
        return piece

    def skip(self) -> None:
        """Read what is left and forget it: a sender that is cut off does not read our response."""
        while self.read():
            pass


def read_form(
    body: Body,
    content_type: str,
    names: frozenset[str],
    optional: frozenset[str] = frozenset(),
) -> dict[str, bytes]:
    """The parts called `names`, and those of `optional` that are there; other parts are skipped.

    Raises `FormError` unless the body is a whole form that has each of `names` once, and none of
    `optional` twice.
    """
    kind, options = parse_options_header(content_type)
    boundary = options.get("boundary")
    if kind != "multipart/form-data" or not boundary:
        raise FormError("the body must be multipart/form-data with a boundary")
    parts: dict[str, bytes] = {}
    try:
        for name, data in _parts(body, boundary, names | optional):
            if name in parts:
                raise FormError(f"the part `{name}` is there twice")
            parts[name] = data
    except MultipartError as error:
        raise FormError(f"the body is no whole form: {error}") from error
    missing = names - parts.keys()
    if missing:
        raise FormError(f"the part `{min(missing)}` is missing")
    return parts


def _parts(body: Body, boundary: str, names: frozenset[str]) -> Iterator[tuple[str, bytes]]:
    name, data = "", bytearray()
    with PushMultipartParser(
        boundary, content_length=body.left, max_segment_count=_PARTS_MAX
    ) as parser:
        while not parser.closed:
            for event in parser.parse(body.read()):
                if event is None:
                    if name in names:
                        yield name, bytes(data)
                elif not isinstance(event, bytes | bytearray):
                    name, data = event.name, bytearray()
                elif name in names:
                    data += event
